"""A shared pool that a file left dirty costs the next one time and a line, and nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import gluster_facts
import pytest
from pools import Kind, Pools, SharedPool

from lab import Lab

GLUSTER = ["gluster", "--mode=script", "volume"]
BRICKS = ["g1:/srv/gluster/v", "g2:/srv/gluster/v", "g3:/srv/gluster/v"]


@pytest.fixture
def pool(watched: Lab, shared_pools: Pools) -> SharedPool:
    """The pool of ``watched`` itself; what is told of it here is for these tests alone."""
    assert watched.name.startswith("watched")
    return shared_pools.of("watched")


def volume(lab: Lab) -> None:
    node = lab.node("g1")
    node.ok([*GLUSTER, "create", "v", "replica", "3", *BRICKS])
    node.ok([*GLUSTER, "start", "v"])


def mount(lab: Lab) -> None:
    lab.node("g4").ok(["sh", "-c", "mkdir /mnt/v && mount -t tmpfs tmpfs /mnt/v"])


def mounted_volume(lab: Lab) -> None:
    volume(lab)
    mounting = "mkdir /mnt/v && mount -t glusterfs g1:/v /mnt/v && echo x > /mnt/v/file"
    lab.node("g4").ok(["sh", "-c", mounting])


def key(lab: Lab) -> None:
    lab.node("g2").ok(["consul", "kv", "put", "gluster/main/hold", "x"])


def killed_minion(lab: Lab) -> None:
    for pid in lab.node("g3").unit_pids("salt-minion"):
        os.kill(pid, signal.SIGKILL)


def stopped_glusterd(lab: Lab) -> None:
    lab.node("g2").ok(["systemctl", "stop", "glusterd"])


def files(lab: Lab) -> None:
    lab.write_pillar({"gluster": {"nodes": ["g1"]}}, refresh=True)
    for line in ("touch /var/lib/salt-gluster/hold", "echo g1:/v /v glusterfs >> /etc/fstab"):
        lab.node("g1").ok(["sh", "-c", line])


#: What each leaves behind, and the lines that tell of it.
DIRT: dict[str, tuple[Callable[[Lab], None], tuple[str, ...]]] = {
    "volume": (volume, ("g1, g2, g3, g4: volume v is new", "g1, g2, g3: /srv/gluster/v is new")),
    "mount": (mount, ("g4: mount /mnt/v is new: tmpfs rw",)),
    "mounted volume": (mounted_volume, ("g4: mount /mnt/v is new: fuse.glusterfs rw",)),
    "key": (key, ("pool: Consul's key gluster/main/hold is new",)),
    "killed minion": (killed_minion, ("g3: process salt-minion of salt-minion.service is gone",)),
    "stopped glusterd": (stopped_glusterd, ("g2: process glusterd of glusterd.service is gone",)),
    "files": (files, ("g1: /var/lib/salt-gluster/hold is new", "g1: /etc/fstab is another")),
}


def test_each_kind_of_dirt_is_made_once() -> None:
    assert sorted(name for names in TOGETHER for name in names) == sorted(DIRT)


def is_as_new(lab: Lab) -> None:
    """Ask those who must know it: gluster, Salt, Consul and the kernel."""
    for node in lab:
        assert set(gluster_facts.peers(node).values()) == {"3"}
        assert set(gluster_facts.connected(node).values()) == {True}
        assert gluster_facts.volumes(node) == {}
        assert node.ok(["ls", "/srv/gluster", "/mnt"]).split() == ["/mnt:", "/srv/gluster:"]
        assert "fuse" not in node.ok(["cat", "/proc/mounts"])
        assert "glusterfs" not in node.ok(["cat", "/etc/fstab"])
    assert lab.salt("*", "pillar.get", "gluster") == {node.name: "" for node in lab}
    assert lab.node("g1").ok(["consul", "kv", "get", "-keys", "gluster"]) == ""


#: Each of them once, and together what is put back by different means: a reset takes 8 s.
TOGETHER = (("volume", "files"), ("mounted volume", "key"), ("mount", "killed minion"),
            ("stopped glusterd",))  # fmt: skip


@pytest.mark.parametrize("what", TOGETHER, ids=" and ".join)
def test_what_a_file_left_behind_is_told_and_put_back(
    pool: SharedPool, what: tuple[str, ...]
) -> None:
    lab, made = pool.as_new("a file with a flaw"), pool.made
    assert pool.told() == []
    for name in what:
        DIRT[name][0](lab)
    lab = pool.as_new("the next file")
    (told,) = pool.told()
    assert "a file with a flaw left behind, put back in" in told
    assert [line for name in what for line in DIRT[name][1] if line not in told] == []
    assert pool.made == made
    is_as_new(lab)


def test_a_pool_that_cannot_be_put_back_is_made_anew_and_the_difference_is_told() -> None:
    own = SharedPool("remade", Kind(nodes=2, words={"salt": False, "consul": False}))
    try:
        own.as_new("a file with a flaw").node("g2").ok(["umount", "-l", "/srv/gluster"])
        lab = own.as_new("the next file")
        left, kept = own.told()
        assert own.made == 2
        assert "a file with a flaw left behind:\n  g2: mount /srv/gluster is gone" in left
        assert "a new pool was made" in kept
        assert "g2: mount /srv/gluster is gone" in kept
        assert "/srv/gluster xfs" in lab.node("g2").ok(["cat", "/proc/mounts"])
    finally:
        own.down()
