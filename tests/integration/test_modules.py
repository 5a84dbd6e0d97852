"""The modules for peers, volumes, options and healing, asked through a master of a real pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gluster_facts
import pytest
from waiting import until

from lab import Lab, Node

BRICK_HOSTS = ("g1", "g2", "g3")
BRICKS = [f"g{i}:/srv/gluster/data/1" for i in (1, 2, 3)]
MORE = [f"g{i}:/srv/gluster/data/2" for i in (1, 2, 3)]


class Pool:
    """A pool of two, two nodes beside it, and the member that need not wait for its turn."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        for name in ("g3", "g4"):
            lab.node("g1").ok(["gluster", "--mode=script", "peer", "detach", name])
        # The detach is answered before the others know of it, and a forecast looks only once.
        until(self._are_friends, 60, "g1 and g2 to be a pool of their own")
        until(lambda: not gluster_facts.peers(lab.node("g3")), 60, "g3 to be alone")
        uuids = {name: self.said(name, "gluster_peer.uuid") for name in ("g1", "g2")}
        self.first = min(uuids, key=lambda name: uuids[name])

    def _are_friends(self) -> bool:
        both = [self.lab.node(name) for name in ("g1", "g2")]
        well = [
            [*gluster_facts.peers(n).values(), *gluster_facts.connected(n).values()] for n in both
        ]
        return well == [["3", True]] * 2

    def said(self, minion: str, function: str, *args: Any, **kwargs: Any) -> Any:
        return self.lab.salt(minion, function, *args, **kwargs)[minion]

    def __call__(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """Return what a function of the first member returned; a text is an error."""
        return self.said(self.first, function, *args, **kwargs)

    def prepare(self, path: str) -> None:
        """Let g1 to g3 say that their bricks are ready, the first member before the others."""
        for name in sorted(BRICK_HOSTS, key=lambda name: name != self.first):
            said = self.said(name, "gluster_brick.prepare", path=path, volume="data")
            assert isinstance(said, dict), said

    def as_foreseen(self, function: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Carry out what test mode foresaw, and return the changes of both."""
        foreseen = self(function, *args, test=True, **kwargs)
        done = self(function, *args, **kwargs)
        assert isinstance(done, dict), done
        assert foreseen["changes"] == done["changes"]
        return dict(done["changes"])


@pytest.fixture(scope="module")
def pool(watched: Lab) -> Pool:
    return Pool(watched)


@pytest.fixture(scope="module")
def data(pool: Pool) -> dict[str, Any]:
    """The volume that most tests look at, as the pool tells of it."""
    for node in pool.lab.nodes[:3]:
        node.ok(["mkdir", "-p", "/srv/gluster/data"])
    if "g3" not in pool("gluster_peer.list"):
        pool("gluster_peer.probe", "g3")
    pool.prepare("/srv/gluster/data/1")
    shape = {"replica": 3, "bricks": BRICKS, "start": True}
    changes = pool("gluster_volume.create", "data", **shape)["changes"]
    assert changes["data"]["status"] == {"old": None, "new": "Started"}
    again = pool("gluster_volume.create", "data", **shape)
    assert (again["changes"], "nothing to do" in again["comment"]) == ({}, True)
    return dict(pool("gluster_volume.info", "data"))


@pytest.mark.capability(1, 2, 3, 161, 162)
def test_a_node_is_invited_seen_and_sent_away(pool: Pool) -> None:
    changes = {"g3": {"old": None, "new": "member"}}
    assert pool.as_foreseen("gluster_peer.probe", "g3") == changes
    assert pool("gluster_peer.probe", "g3")["changes"] == {}
    rows = {row["name"]: row for row in pool("gluster_peer.status")}
    assert sorted(rows) == ["g1", "g2", "g3"]
    assert rows["g3"]["uuid"] == pool.said("g3", "gluster_peer.uuid")
    assert [name for name, row in rows.items() if row["is_self"]] == [pool.first]
    assert pool.as_foreseen("gluster_peer.detach", "g3") == {"g3": {"old": "member", "new": None}}
    assert pool("gluster_peer.list") == ["g1", "g2"]


@pytest.mark.capability(48, 119, 178)
def test_a_volume_tells_its_definition_bricks_space_and_clients(
    pool: Pool, data: dict[str, Any]
) -> None:
    assert (data["shape"], data["sets"]) == ("1 x replica 3", [BRICKS])
    rows = pool("gluster_volume.status", "data")
    assert {name: row["up"] for name, row in rows["bricks"].items()} == dict.fromkeys(BRICKS, True)
    pids = {row["pid"] for row in rows["bricks"].values()}
    assert all(isinstance(pid, int) for pid in pids)
    space = pool("gluster_volume.detail", "data")
    for name, row in space.items():
        told = pool.lab.node(name[:2]).ok(["stat", "-fc", "%b %S", "/srv/gluster"]).split()
        assert row["total"] == int(told[0]) * int(told[1])
        assert 0 < row["inodes_free"] <= row["inodes_total"]
    client = "mkdir -p /mnt/c && mount -t glusterfs g1:/data /mnt/c && echo x > /mnt/c/f"
    g2 = pool.lab.node("g2")
    g2.ok(["sh", "-c", client])
    own = {f"{g2.address}:{port}" for port in _ports_of_mount(g2, "/mnt/c")}

    def bricks_that_list_it() -> set[str]:
        listed = pool("gluster_volume.clients", "data")
        return {b for b in BRICKS if own & {client["address"] for client in listed[b]}}

    assert bricks_that_list_it() == set(BRICKS)
    g2.ok(["umount", "/mnt/c"])
    until(lambda: not bricks_that_list_it(), 20, "its end at the bricks")


def _ports_of_mount(node: Node, point: str) -> set[int]:
    """Return the ports from which the client of a mount speaks; others speak from there, too."""
    (pid,) = [pid for pid, argv in node.programs("glusterfs") if argv[-1] == point]
    links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[9] in inodes}


@pytest.mark.capability(57, 58, 59)
def test_options_are_set_in_one_call_compared_by_meaning_and_reset(
    pool: Pool, data: dict[str, Any]
) -> None:
    wanted = {"network.ping-timeout": 25, "performance.cache-size": "64MB"}
    changes = pool.as_foreseen("gluster_option.set", "data", **wanted)["data"]["options"]
    assert {k: v["new"] for k, v in changes.items()} == {k: str(v) for k, v in wanted.items()}
    same = pool("gluster_option.set", "data", **{"performance.cache-size": 64 * 1024**2})
    assert same["changes"] == {}
    told = pool("gluster_option.get", "data", "ping-timeout")
    assert told == {"option": "network.ping-timeout", "value": "25", "is_default": False}
    changes = pool.as_foreseen("gluster_option.reset", "data", "network.ping-timeout")
    assert changes["data"]["options"]["network.ping-timeout"] == {"old": "25", "new": None}
    assert "network.ping-timeout" not in pool("gluster_option.list", "data")
    assert "64MB" in pool("gluster_option.set", "data", **{"performance.cache-size": "64MiB"})
    virt = pool("gluster_option.profiles")["virt"]
    assert virt["features.shard"] == "on"


def _mounted(pool: Pool, at: str, options: str = "", *, test: bool = False) -> dict[str, Any]:
    """Return what the state says on g2, one text less: its only part."""
    told = pool.said(
        "g2",
        "state.single",
        "gluster_volume.mounted",
        at,
        volume="data",
        options=options,
        test=test,
    )
    (one,) = told.values()
    return dict(one)


@pytest.mark.capability(117)
def test_a_live_mount_takes_other_options_and_the_next_boot_hides_nothing(
    pool: Pool, data: dict[str, Any]
) -> None:
    """What a boot does with fstab is `mount -a`."""
    g2 = pool.lab.node("g2")

    def live() -> list[str]:
        return g2.ok(["findmnt", "-no", "VFS-OPTIONS", "/mnt/o"]).strip().split(",")

    assert _mounted(pool, "/mnt/o", "noatime,log-level=WARNING")["result"] is True
    assert "noatime" in live()
    other = "nosuid,log-level=ERROR"
    foreseen, done = (_mounted(pool, "/mnt/o", other, test=test) for test in (True, False))
    assert foreseen["changes"] == done["changes"] and done["result"] is True, (foreseen, done)
    assert "nosuid" in live() and "noatime" not in live()
    again = _mounted(pool, "/mnt/o", other)
    assert (again["result"], again["changes"]) == (True, {})
    assert "log-level (now WARNING, declared ERROR)" in again["comment"]

    g2.ok(["sh", "-c", "mkdir -p /mnt/full /mnt/line; echo x > /mnt/full/precious"])
    g2.ok(["sh", "-c", "echo 'tmpfs /mnt/line tmpfs defaults 0 0' >> /etc/fstab"])
    assert _mounted(pool, "/mnt/full")["result"] is False
    assert _mounted(pool, "/mnt/line")["result"] is False
    g2.ok(["umount", "/mnt/o"])
    g2.ok(["mount", "-a", "-t", "glusterfs,tmpfs"])
    assert g2.ok(["cat", "/mnt/full/precious"]) == "x\n"
    assert g2.ok(["findmnt", "-no", "FSTYPE", "/mnt/line"]).strip() == "tmpfs"
    assert _mounted(pool, "/mnt/o", other)["comment"] == "data is mounted at /mnt/o."
    g2.ok(["umount", "/mnt/o", "/mnt/line"])
    g2.ok(["sed", "-i", "/ .mnt.o /d; / .mnt.line /d", "/etc/fstab"])


@pytest.mark.capability(92, 96)
def test_what_a_dead_brick_missed_is_counted_healed_and_waited_for(
    pool: Pool, data: dict[str, Any]
) -> None:
    pool.lab.fault("brick-kill", "g3", "data")
    write = "mkdir -p /mnt/h && mount -t glusterfs g1:/data /mnt/h && seq 5 | while read i; do "
    pool.lab.node("g1").ok(["sh", "-c", write + "echo $i > /mnt/h/new$i; done; umount /mnt/h"])
    counts = pool("gluster_heal.summary", "data")
    assert counts[BRICKS[0]]["pending"] >= 5
    assert "unknown" in counts[BRICKS[2]]["pending"]
    entries = pool("gluster_heal.info", "data")[BRICKS[0]]
    assert {f"/new{i}" for i in range(1, 6)} <= {entry["path"] for entry in entries}
    assert "is not healed after" in pool("gluster_heal.wait", "data", 1)
    refused = pool("gluster_option.set", "data", **{"network.ping-timeout": 30})
    assert refused.startswith("ERROR: REFUSED, nothing was changed")
    assert BRICKS[2] in refused
    pool.lab.heal("brick-kill", "g3", "data")
    pool("gluster_heal.start", "data")
    assert pool("gluster_heal.wait", "data", 60)["healed"] is True
    names = pool.lab.node("g3").ok(["ls", "/srv/gluster/data/1"]).split()
    assert {f"new{i}" for i in range(1, 6)} <= set(names)
    assert pool("gluster_heal.split_brain", "data") == {brick: [] for brick in BRICKS}


@pytest.mark.capability(91)
def test_a_full_heal_fills_a_brick_that_lost_all_its_files_unnoticed(
    pool: Pool, data: dict[str, Any]
) -> None:
    """The sweep starts from the last brick of a set: another one is emptied (facts.md#C-A.3)."""
    path = BRICKS[0].split(":")[1]
    node = pool.lab.node("g1")

    def files() -> set[str]:
        return {name for name in node.ok(["ls", path]).split() if name.startswith("new")}

    whole = files()
    assert whole
    pool.lab.fault("brick-kill", "g1", "data")
    node.ok(["find", path, "-mindepth", "1", "-delete"])
    node.ok(["mkdir", "-m", "0600", f"{path}/.glusterfs"])
    pool.lab.heal("brick-kill", "g1", "data")
    pool("gluster_heal.start", "data")
    assert (pool("gluster_heal.wait", "data", 60)["healed"], files()) == (True, set())

    def swept() -> bool:  # again: the daemon may not be connected to the new process yet
        said = pool("gluster_heal.start", "data", full=True)
        assert isinstance(said, dict), said
        return files() == whole

    until(swept, 60, "the full sweep to fill the brick of g1")


def test_upkeep_leaves_its_traces_on_the_nodes(pool: Pool, data: dict[str, Any]) -> None:
    assert set(pool.as_foreseen("gluster_volume.profile_start", "data")["data"]) == {"options"}
    assert set(pool("gluster_volume.profile", "data")) == set(BRICKS)
    pool("gluster_volume.profile_stop", "data")
    options = pool("gluster_option.list", "data")
    assert [name for name in options if name.startswith("diagnostics.")] == []
    before = _files(pool, "/var/log/glusterfs/bricks"), _files(pool, "/run/gluster")
    pool.as_foreseen("gluster_volume.log_rotate", "data")
    pool("gluster_volume.statedump", "data", "fd")
    after = _files(pool, "/var/log/glusterfs/bricks"), _files(pool, "/run/gluster")
    rotated, dumped = (new - old for old, new in zip(before, after, strict=True))
    assert [name for name in rotated if name.startswith("srv-gluster-data-1.log.")]
    assert [name for name in dumped if ".dump." in name]


def _files(pool: Pool, folder: str) -> set[str]:
    return set(pool.lab.node("g1").ok(["ls", folder]).split())


@pytest.mark.capability(45, 46, 64, 65, 166)
def test_a_volume_grows_by_whole_sets_and_goes_only_by_its_id(
    pool: Pool, data: dict[str, Any]
) -> None:
    assert "do not divide" in pool("gluster_volume.add_bricks", "data", MORE[:2])
    pool.prepare("/srv/gluster/data/2")
    changes = pool.as_foreseen("gluster_volume.add_bricks", "data", MORE)["data"]
    assert changes["bricks"]["new"] == [*BRICKS, *MORE]
    assert pool("gluster_volume.add_bricks", "data", MORE)["changes"] == {}
    more = [*BRICKS, *MORE, "g[1-3]:/srv/gluster/x"]
    refused = pool("gluster_volume.create", "data", replica=3, bricks=more)
    assert "to create does not grow it" in " ".join(refused.split())
    assert "holds bricks of data" in pool("gluster_peer.detach", "g3")
    assert data["id"] in pool("gluster_volume.stop", "data")
    stopped = {"data": {"status": {"old": "Started", "new": "Stopped"}}}
    assert pool.as_foreseen("gluster_volume.stop", "data", confirm=data["id"]) == stopped
    pool("gluster_volume.start", "data")
    assert pool("gluster_volume.info", "data")["status"] == "Started"
    assert "REFUSED" in pool("gluster_volume.delete", "data", confirm="data")
    pool.as_foreseen("gluster_volume.delete", "data", confirm=data["id"])
    assert pool("gluster_volume.list") == []
    assert pool("gluster_volume.delete", "data")["changes"] == {}
    assert "there is no volume data" in pool("gluster_volume.status", "data")


def _one_file_in_split_brain(pool: Pool, volume: str, set_: tuple[str, str]) -> None:
    """Write a file with either brick of a set dead, and see that the status tells; then choose."""
    lab, g3 = pool.lab, pool.lab.node("g3")
    file = lab.node(set_[1]).ok(["ls", f"/srv/gluster/{volume}/1"]).split()[0]
    pool("gluster_option.set", volume, **{"cluster.self-heal-daemon": "off"})
    for dead in set_:
        lab.fault("brick-kill", dead, volume)
        write = f"mkdir -p /mnt/s; mount -t glusterfs g3:/{volume} /mnt/s"
        g3.ok(["sh", "-c", f"{write} && echo {dead} >> /mnt/s/{file} && umount /mnt/s"])
        lab.heal("brick-kill", dead, volume)
    told = lab.salt_run("gluster.status", live=True)
    row = told["volumes"][volume]
    assert (row["split_brain"], row["word"], told["exit"]) == (1, "partial", 2), row
    assert "CANNOT BE READ" in lab.program("salt-run", "gluster.status", "live=True").stdout
    source = f"{set_[0]}:/srv/gluster/{volume}/1"
    g3.ok(["gluster", "volume", "heal", volume, "split-brain", "source-brick", source, f"/{file}"])
    assert lab.salt_run("gluster.status", live=True)["volumes"][volume]["split_brain"] == 0
    pool("gluster_option.reset", volume, "cluster.self-heal-daemon")


@pytest.mark.capability(51, 91)
def test_prepared_bricks_make_a_volume_and_a_third_copy_goes_to_servers_of_its_other_sets(
    pool: Pool,
) -> None:
    """Gluster wants `force` for that, and adds them beside a dead brick, too (facts.md#C-J.6)."""
    two = [f"{at}:/srv/gluster/two/{n}" for at, n in (("g1", 1), ("g2", 1), ("g3", 1), ("g1", 2))]
    third = [f"{at}:/srv/gluster/two/{n}" for at, n in (("g3", 2), ("g2", 2))]
    for brick in (*reversed(two), *third):  # by the docstring: a path, and nothing about a volume
        at, _, path = brick.partition(":")
        assert "changes" in pool.said(at, "gluster_brick.prepare", path=path), brick
    other = next(name for name in BRICK_HOSTS if name != pool.first)
    shape = {"replica": 2, "bricks": two, "start": True, "accept_risk": ["replica2"]}
    assert pool.said(other, "gluster_volume.create", "two", **shape)["changes"]
    write = "mkdir -p /mnt/t && mount -t glusterfs g1:/two /mnt/t && seq 9 | while read i; do "
    pool.lab.node("g1").ok(["sh", "-c", write + "echo $i > /mnt/t/f$i; done; umount /mnt/t"])

    _one_file_in_split_brain(pool, "two", ("g1", "g2"))
    pool.lab.fault("brick-kill", "g2", "two")
    refused = pool("gluster_volume.add_bricks", "two", third, replica=3)
    assert "would be overridden" in refused and "g2:/srv/gluster/two/1" in refused
    pool.lab.heal("brick-kill", "g2", "two")
    changes = pool.as_foreseen("gluster_volume.add_bricks", "two", third, replica=3)["two"]
    assert set(changes["bricks"]["new"]) == {*two, *third}
    info = pool("gluster_volume.info", "two")
    assert info["shape"] == "2 x replica 3"
    assert [len({b.partition(":")[0] for b in one}) for one in info["sets"]] == [3, 3]
    assert pool("gluster_heal.wait", "two", 60)["healed"] is True
    names = [
        name for brick in third for name in pool.lab.node(brick[:2]).ok(["ls", brick[3:]]).split()
    ]
    assert sorted(names) == [f"f{i}" for i in range(1, 10)]
    pool("gluster_volume.stop", "two", confirm=info["id"])
    pool("gluster_volume.delete", "two", confirm=info["id"])
