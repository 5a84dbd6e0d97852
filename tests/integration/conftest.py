"""The tests on a real pool: each needs a machine that can hold one, and names what is missing."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import needs
from pools import Pools

from lab import Lab

PROGRAMS = ("glusterd", "gluster", "mkfs.xfs", "ip", "unshare", "nsenter", "losetup")
HERE = Path(__file__).resolve().parent
#: The files that take longest, in the order in which they begin: one begun last would run alone.
#: Between those that compute stand those that mostly wait, so that neither are left for the end.
#: With one of a shared pool come all others of that pool (tests/support/one_worker.py).
LONGEST = (
    "test_remediation_end_to_end",
    "test_approvals_and_holds",
    "test_maintenance",
    "test_consul_deployment",
    "test_false_success",
    "test_drift",
    "test_config_history",
    "test_consul_chaos",
    "test_executor",
    "test_impossible_volume",
    "test_consul",
    "test_gluster_events",
    "test_sensor",
    "test_agents",
    "test_concurrent_highstate",
)
#: After this folder, whose tests mostly wait, come those that fill every core to the last second.
AFTERWARDS = ("simulation", "functional", "meta", "unit")
_shared: list[Pools] = []


@functools.cache
def missing() -> str:
    """Return what this machine lacks for a pool of namespaces, or nothing."""
    if os.geteuid() != 0:
        return "root"
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    absent = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    if absent:
        return f"{', '.join(absent)} (`.ci/setup system` installs them)"
    # One real try: a container may have root without the right to any of these.
    probe = ["unshare", "--net", "--mount", "--uts", "mount", "-t", "tmpfs", "none", "/mnt"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return "the right to make network and mount namespaces and to mount in them"
    if not Path("/dev/fuse").exists():
        return "/dev/fuse"
    return ""


@pytest.fixture(scope="session", autouse=True)
def _shared_with_nodes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let nodes see the tests' temporary directories, though their /tmp is their own."""
    os.environ["LAB_SHARED"] = str(tmp_path_factory.getbasetemp())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put this folder before the others, and its longest files first."""
    items.sort(key=_turn)
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Look before any pool is made; only the tests of this folder come here."""
    needs(missing())


@pytest.fixture(scope="session")
def shared_pools(_shared_with_nodes: None) -> Iterator[Pools]:
    """All shared pools of this worker; each is made at first use."""
    pools = Pools()
    _shared.append(pools)
    yield pools
    _shared.remove(pools)
    pools.down()


@pytest.fixture(scope="module")
def plain(shared_pools: Pools, request: pytest.FixtureRequest) -> Lab:
    """Four nodes in one pool and Consul, without Salt's daemons; as new for each file."""
    return shared_pools.of("plain").as_new(request.node.nodeid)


@pytest.fixture(scope="module")
def watched(shared_pools: Pools, request: pytest.FixtureRequest) -> Lab:
    """Four nodes in one pool, Consul, Salt's master, a minion with a sensor each; as new."""
    return shared_pools.of("watched").as_new(request.node.nodeid)


@pytest.fixture(scope="module")
def agents(shared_pools: Pools, request: pytest.FixtureRequest) -> Lab:
    """Eight agents of Consul, three of them servers; as new for each file."""
    return shared_pools.of("agents").as_new(request.node.nodeid)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Say in the report of a test what was found in the shared pool that it got."""
    for line in (line for pools in _shared for line in pools.told()):
        item.user_properties.append(("shared pools", line))
    yield


def _turn(item: pytest.Item) -> tuple[int, int]:
    folder, name = item.path.relative_to(HERE.parent).parts[0], item.path.stem
    if folder in AFTERWARDS:
        return 1, AFTERWARDS.index(folder)
    return 0, LONGEST.index(name) if name in LONGEST else len(LONGEST)
