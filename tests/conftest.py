"""What holds for every test: capability marks, rounds, generated examples, time limits."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import capabilities
import cost
import hypothesis
import pytest
from failed_now import FailedNow
from needs import needs

from salt_gluster import node

HERE = Path(__file__).resolve().parent
#: The property of a test's report that says what files before it left behind.
POOLS = "shared pools"
#: The rounds of `make long`: from here on the tests with the mark `long` run, too.
LONG = 20
#: Seconds after which a test hangs, by room: many times what it takes, also on a busy machine.
LIMITS = {"unit": 600, "meta": 600, "simulation": 900, "functional": 900, "integration": 1800}

_quiet = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
hypothesis.settings.register_profile("dev", deadline=None, suppress_health_check=_quiet)
hypothesis.settings.register_profile(
    "test", deadline=None, suppress_health_check=_quiet, max_examples=25, derandomize=True
)
hypothesis.settings.register_profile(
    "long", deadline=None, suppress_health_check=_quiet, max_examples=2000
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "dev")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse a mark that names no row of the list; give every test its time limit."""
    rows = capabilities.load()
    named = any("::" in arg for arg in config.args) or config.option.keyword
    later = [] if named or _rounds() >= LONG else [i for i in items if i.get_closest_marker("long")]
    config.hook.pytest_deselected(items=later)
    items[:] = [item for item in items if item not in later]
    for item in items:
        for mark in item.iter_markers("capability"):
            unknown = [one for one in mark.args if one not in rows]
            if unknown or not mark.args:
                raise pytest.UsageError(
                    f"{item.nodeid}: capability {unknown or '()'} is not in docs/capabilities.csv"
                )
        room = _room(item)
        if config.getoption("timeout", None) is None and room in LIMITS:
            item.add_marker(pytest.mark.timeout(LIMITS[room]))


@pytest.hookimpl(trylast=True)  # after what prints is there
def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(cost.Meter(), "cost")
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and getattr(config.option, "numprocesses", None):
        config.pluginmanager.register(FailedNow(terminal))


def pytest_unconfigure() -> None:
    """Salt writes what it kept of the log at the exit, to streams that pytest has closed."""
    logging.raiseExceptions = False


def _room(item: pytest.Item) -> str:
    try:
        return item.path.relative_to(HERE).parts[0]
    except ValueError:
        return ""


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one worker have a file, and all files that share a pool."""
    if config.getvalue("dist") != "loadfile":
        return None
    from one_worker import Scheduler

    return Scheduler(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what shared pools were left like."""
    reports = [row for rows in terminalreporter.stats.values() for row in rows]
    told = [value for row in reports for name, value in getattr(row, "user_properties", ())
            if name == POOLS]  # fmt: skip
    if told:
        terminalreporter.section("shared pools that were not left as they were")
        terminalreporter.write_line("\n".join(dict.fromkeys(told)))


@pytest.fixture
def root() -> None:
    """The test does what only root may."""
    needs("root" if os.geteuid() else "")


@pytest.fixture(scope="session", autouse=True)
def _own_history(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Note what is sent to gluster in a file of the tests' own, not in this machine's."""
    node.note_sent.__defaults__ = (tmp_path_factory.getbasetemp() / "commands.jsonl",)


@pytest.fixture(scope="session")
def rounds() -> int:
    """How often a test that looks for a race repeats itself: `make test N=20`."""
    return _rounds()


def _rounds() -> int:
    return int(os.environ.get("N") or 1)
