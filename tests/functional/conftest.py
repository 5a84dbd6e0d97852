"""A Salt of the environment's own version, in a short temporary directory, without daemons.

``minion`` and ``master`` are factories of pytest-salt-factories that are not started: their
configuration and ``minion.salt_call_cli()`` (``--local``) are what loader and state tests need.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import host_files
import pytest
from needs import nothing_may_be_skipped

if not nothing_may_be_skipped():
    pytest.importorskip("salt.loader", reason="Salt is not in this environment")

import salt._logging
import salt.loader
from saltfactories.manager import FactoriesManager
from saltfactories.utils.functional import Loaders

# Importing Salt begins to keep log records for standard error; it would write them after pytest's
# own summary, when the process ends.
salt._logging.shutdown_temp_handler()


@pytest.fixture(scope="session", autouse=True)
def _own_files(_own_history: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what this machine would keep in a folder of the tests."""
    host_files.redirect(tmp_path_factory.getbasetemp() / "host")


@pytest.fixture(autouse=True)
def _nothing_of_the_host() -> Iterator[None]:
    """Fail a test that would have written a file of this machine."""
    yield from host_files.GUARD.check()


@pytest.fixture(scope="session")
def salt_root() -> Iterator[Path]:
    """A directory with a short name (unix sockets: 107 characters), fresh for every run.

    The default of the plugin is shared between runs and keeps scripts of another checkout
    (facts.md#S-7.1).
    """
    path = Path(tempfile.mkdtemp(prefix="sg"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def salt_factories_config(salt_root: Path) -> dict[str, Any]:
    """Settings of pytest-salt-factories; stopping slowly only helps coverage."""
    return {"root_dir": str(salt_root), "slow_stop": False}


@pytest.fixture(scope="session")
def master(salt_factories: FactoriesManager) -> Any:
    """A master that is configured, not started."""
    return salt_factories.salt_master_daemon("m1", defaults={"log_level": "error"})


@pytest.fixture(scope="session")
def minion(master: Any) -> Any:
    """A minion that is configured, not started; it reads files and pillar from this machine."""
    return master.salt_minion_daemon("n1", overrides={"file_client": "local"})


@pytest.fixture(scope="session")
def grains(minion: Any) -> dict[str, Any]:
    """The grains of this machine, collected once."""
    return dict(salt.loader.grains(copy.deepcopy(dict(minion.config))))


@pytest.fixture
def minion_opts(minion: Any, grains: dict[str, Any]) -> dict[str, Any]:
    """The minion's options and grains, a copy for each test."""
    return copy.deepcopy(dict(minion.config)) | {"grains": copy.deepcopy(grains)}


@pytest.fixture
def master_opts(master: Any) -> dict[str, Any]:
    """The master's options, a copy for each test."""
    return copy.deepcopy(dict(master.config))


@pytest.fixture(scope="session")
def made_loaders(minion: Any, grains: dict[str, Any]) -> Loaders:
    """Loaders take seconds to make: one set of them for all tests."""
    return Loaders(copy.deepcopy(dict(minion.config)) | {"grains": copy.deepcopy(grains)})


@pytest.fixture
def loaders(made_loaders: Loaders) -> Iterator[Loaders]:
    """Salt's own loaders: ``loaders.modules.gluster…``, ``loaders.states.gluster_volume…``."""
    yield made_loaders
    made_loaders.reset_state()
