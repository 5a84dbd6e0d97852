"""What a mount waits for, and which servers it names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from salt_gluster import node
from salt_gluster.errors import GlusterError
from salt_gluster.minion import mounts
from salt_gluster.minion.mounts import mounted
from salt_gluster.model import Brick, Node, Observation, Peer, Unknown, Volume
from salt_gluster.spec import parse_pool

NAMES = ("g1", "g2", "g3")


class Minion:
    """g1 in a pool of three, with a volume; ``asked`` is what is mounted, or would be."""

    name, test = "g1", False

    def __init__(self, **volume: Any) -> None:
        status = volume.pop("status", "Started")
        self.pool = parse_pool(
            {"nodes": list(NAMES), "volumes": {"data": {"replica": 3, **volume}}}
        )
        peers = tuple(Peer(f"u-{n}", (n,), True, 3, is_self=n == "g1") for n in NAMES)
        bricks = tuple(Brick(n, "/b", f"u-{n}") for n in NAMES)
        data = Volume("data", "id", status, "replicate", bricks, 1, 3)
        self.obs = Observation(1.0, Node("g1", uuid="u-g1"), peers, {"data": data})
        self.slept = 0.0
        self.reader = SimpleNamespace(drop=lambda: None)

    hosts = NAMES

    def volumes(self) -> Any:
        return self.obs.volumes

    def driver(self) -> Any:
        def sleep(seconds: float) -> None:
            self.slept += seconds

        return SimpleNamespace(now=lambda: self.slept, sleep=sleep, observe=lambda: self.obs)


@pytest.fixture
def known() -> list[Any]:
    """What is asked of the hosts that stand in fstab already."""
    return []


@pytest.fixture
def asked(known: list[Any], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], str]]:
    made: list[tuple[str, list[str], str]] = []

    def mount(
        volume: str, hosts: Any, at: str, options: Any, *, test: bool, knows: Any
    ) -> dict[str, Any]:
        known.append(knows)
        made.append((volume, list(hosts), at))
        return {"mounted": {"old": None, "new": at}}

    monkeypatch.setattr(node, "mount_glusterfs", mount)
    monkeypatch.setattr(node, "fstab_entry", lambda at: None)
    return made


def test_a_volume_that_is_to_stay_stopped_is_not_waited_for(asked: list[Any]) -> None:
    minion: Any = Minion(started=False, status="Stopped")
    said = mounted("/mnt/data", "data", minion)
    assert (said["result"], said["changes"]) == (True, {}) and "started: false" in said["comment"]
    assert (minion.slept, asked) == (0.0, [])


def test_one_that_is_only_not_started_yet_is_waited_for(asked: list[Any]) -> None:
    minion: Any = Minion(status="Created")
    said = mounted("/mnt/data", "data", minion, wait_s=5)
    assert (said["result"], minion.slept) == (False, 5.0) and asked == []


def test_the_volume_of_another_pool_is_no_matter_of_this_one(asked: list[Any]) -> None:
    minion: Any = Minion()
    said = mounted("/mnt/theirs", "theirs", minion, servers=["s1", "s2"], wait_s=5)
    assert said["result"] is True and asked == [("theirs", ["s1", "s2"], "/mnt/theirs")]
    said = mounted("/mnt/theirs", "theirs", minion, servers=["g2"], wait_s=5)
    assert said["result"] is False and minion.slept == 5.0


def test_a_mount_point_is_taken_in_its_plain_form(asked: list[Any]) -> None:
    minion: Any = Minion()
    assert mounted("/mnt//data/", "data", minion)["result"] is True
    assert asked == [("data", ["g1", "g2", "g3"], "/mnt/data")]
    assert mounted("mnt/data", "data", minion)["result"] is False


@pytest.mark.parametrize(
    ("line", "servers"),
    [
        ("10.0.0.1:/data backup-volfile-servers=g2:10.0.0.3", ["10.0.0.1", "g2", "10.0.0.3"]),
        ("g2:/data backup-volfile-servers=g1:g3", ["g1", "g2", "g3"]),
        ("g1:/data backup-volfile-servers=g2", ["g1", "g2", "g3"]),
    ],
)
def test_a_line_that_names_the_same_nodes_stays(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, line: str, servers: list[str]
) -> None:
    source, options = line.split()
    entry = node.FstabEntry(source, "/mnt/data", "glusterfs", f"_netdev,{options}")
    monkeypatch.setattr(node, "fstab_entry", lambda at: entry)
    minion: Any = Minion()
    spelled = {f"g{n}": (f"10.0.0.{n}",) for n in (1, 2, 3)}
    minion.obs = Observation(
        1.0, minion.obs.node, minion.obs.peers, minion.obs.volumes, spellings=spelled
    )
    assert mounted("/mnt/data", "data", minion)["result"] is True
    assert asked == [("data", servers, "/mnt/data")]


def test_it_was_mounted_only_if_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    minion: Any = Minion()
    monkeypatch.setattr(node, "fstab_entry", lambda at: None)
    monkeypatch.setattr(
        node, "mount_glusterfs", lambda *a, **k: {"fstab": {"old": "a", "new": "b"}}
    )
    said = mounted("/mnt/data", "data", minion)["comment"]
    assert "was mounted" not in said and "from the next mount on" in said


@pytest.mark.parametrize("test", [True, False])
def test_options_that_another_mount_would_have_are_named_each_time(
    monkeypatch: pytest.MonkeyPatch, test: bool
) -> None:
    minion: Any = Minion()
    minion.test = test
    monkeypatch.setattr(node, "fstab_entry", lambda at: None)
    monkeypatch.setattr(node, "mount_glusterfs", lambda *a, **k: {})
    waits = {"log-level": ("INFO", "ERROR")}
    monkeypatch.setattr(node, "options_waiting", lambda at, options: waits if options else {})
    said = mounted("/mnt/data", "data", minion, options="log-level=ERROR")
    assert (said["result"], said["changes"]) == (True, {})
    assert "log-level (now INFO, declared ERROR)" in said["comment"]
    assert "umount /mnt/data" in said["comment"]


def test_a_server_mounts_after_its_own_glusterd_and_a_client_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(node, "fstab_entry", lambda at: None)
    monkeypatch.setattr(node, "mount_glusterfs", lambda v, h, at, o, **k: given.append(o) or {})
    minion: Any = Minion()
    mounted("/mnt/data", "data", minion, options="acl")
    minion.name = "client"
    mounted("/mnt/data", "data", minion, options="acl")
    assert given == [{"x-systemd.after=glusterd.service": True, "acl": True}, {"acl": True}]


def test_what_gluster_refuses_is_a_false_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise GlusterError("no.", hint="Do this.")

    monkeypatch.setattr(node, "fstab_entry", lambda at: None)
    monkeypatch.setattr(mounts.node, "mount_glusterfs", refuse)
    minion: Any = Minion()
    assert mounted("/mnt/data", "data", minion)["result"] is False


@pytest.mark.parametrize("options", ["ro acl", "a" * 1_001, 5])
def test_options_of_a_state_are_read_as_those_of_the_pillar(asked: list[Any], options: Any) -> None:
    minion: Any = Minion()
    said = mounted("/mnt/data", "data", minion, options=options)
    assert (said["result"], asked) == (False, [])
    assert "mount /mnt/data:options" in said["comment"]


def test_a_volume_of_the_same_name_in_another_pool_is_another(
    asked: list[Any], known: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {"g2.example.org": ("10.0.0.2",), "s1.example.org": ("10.9.0.1",)}
    monkeypatch.setattr(
        node, "resolve", lambda host: addresses.get(host) or Unknown("no such name")
    )
    minion: Any = Minion()
    spelled = {f"g{n}": (f"10.0.0.{n}",) for n in (1, 2, 3)}
    minion.obs = Observation(
        1.0, minion.obs.node, minion.obs.peers, minion.obs.volumes, spellings=spelled
    )
    mounted("/mnt/data", "data", minion)
    mounted("/mnt/data", "data", minion, servers=["s1"])
    hosts = ("g2", "10.0.0.3", "g2.example.org", "s1.example.org", "gone.example.org")
    assert [known[0](host) for host in hosts] == [True, True, True, False, False]
    assert [known[1](host) for host in hosts] == [False, False, False, True, True]
    minion.obs = Observation(1.0, minion.obs.node, Unknown("no glusterd here"))
    assert all(map(known[0], hosts))
