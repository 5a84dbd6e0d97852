"""The lab itself: what it makes works, what it breaks is broken, and nothing of it stays."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import until

from lab import Lab, LabError, disks, network, record
from lab.node import Node


@pytest.fixture(scope="module")
def pool() -> Iterator[Lab]:
    with Lab.up("tlab", nodes=2, salt=False, consul=False) as lab:
        lab.join()
        bricks = [f"{node.name}:/srv/gluster/b" for node in lab]
        gluster(lab, "volume", "create", "v", "replica", "2", *bricks)
        gluster(lab, "volume", "start", "v")
        yield lab


def gluster(lab: Lab, *words: str) -> str:
    return lab.node("g1").ok(["gluster", "--mode=script", *words], timeout=120)


def brick_row(lab: Lab, node: str) -> str:
    """Give the Online column of a node's brick, "" when it has no row."""
    done = lab.node("g1").run(["gluster", "--mode=script", "volume", "status", "v"], timeout=120)
    for line in done.stdout.splitlines():  # none while the members have not found each other
        if line.startswith(f"Brick {node}:"):
            return line.split()[4]
    return ""


def remains(lab: record.Record) -> list[str]:
    """List everything of a lab that is still on the machine, found without the lab's own code."""
    token, where = f"sgl{lab.token}", str(lab.directory)
    found = [name for _, name in socket.if_nameindex() if name.startswith(token)]
    found += [str(path) for path in Path("/run/netns").glob(f"{token}*")]
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # another lab's may go at this moment
            found += [str(path)] if where in path.read_text() else []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            mounts = (path / "mountinfo").read_text()
            words = (path / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"{where}/" in mounts or f"{where}/" in words:
            found.append(f"pid {path.name}: {words}")
    return found + ([where] if lab.directory.exists() else [])


def connect(node: Node, host: str, port: int) -> str:
    """Give "open", "refused" (something answered) or "silence"."""
    code = (
        "import socket\ntry:\n socket.create_connection((%r, %d), 1); print('open')\n"
        "except ConnectionRefusedError: print('refused')\nexcept OSError: print('silence')"
    )
    return node.ok(["/usr/bin/python3", "-c", code % (host, port)]).strip()


def test_a_volume_of_two_nodes_serves_a_file_through_fuse(pool: Lab) -> None:
    node = pool.node("g2")
    node.ok(["mkdir", "-p", "/mnt/v"])
    node.ok(["mount", "-t", "glusterfs", "g1:/v", "/mnt/v"])
    node.ok(["sh", "-c", "echo seen > /mnt/v/file"])
    assert pool.node("g1").ok(["cat", "/srv/gluster/b/file"]) == "seen\n"
    assert not Path("/mnt/v").exists(), "the node's /mnt is the machine's"


def test_a_node_sees_its_own_processes_hosts_and_disks_only(pool: Lab) -> None:
    node = pool.node("g2")
    assert node.ok(["hostname"]) == "g2\n"
    assert len(node.ok(["pgrep", "-x", "glusterd"]).split()) == 1
    loops = [name for name in node.ok(["ls", "/sys/block"]).split() if name.startswith("loop")]
    mine = disks.of(pool.record, "g2").values()
    assert [f"/dev/{name}" for name in loops] == list(mine)


def test_a_node_has_a_tmp_of_its_own_with_what_it_shares_in_it(pool: Lab, tmp_path: Path) -> None:
    mine, shared = Path("/tmp/sgl-of-this-node"), tmp_path / "from-a-node"
    pool.node("g1").ok(["touch", str(mine), str(shared)])
    assert (mine.exists(), shared.exists()) == (False, True)
    there = ["ls", *sorted((str(pool.directory / "lab.json"), str(shared)))]
    assert pool.node("g2").run([*there, str(mine)]).stdout.splitlines() == there[1:]


def test_up_again_gives_the_same_lab_and_refuses_another_shape(pool: Lab) -> None:
    again = Lab.up("tlab", nodes=2, salt=False, consul=False)
    assert again.record.token == pool.record.token
    with pytest.raises(LabError, match="down --name tlab"):
        Lab.up("tlab", nodes=3, salt=False, consul=False)


def test_systemctl_refuses_a_masked_unit_and_starts_it_unmasked(pool: Lab) -> None:
    node = pool.node("g2")
    node.ok(["systemctl", "mask", "glustereventsd"])
    done = node.run(["systemctl", "start", "glustereventsd"])
    assert (done.returncode, "is masked" in done.stderr) == (1, True)
    assert node.run(["systemctl", "is-enabled", "glustereventsd"]).stdout == "masked\n"
    node.ok(["systemctl", "unmask", "glustereventsd"])
    assert node.run(["systemctl", "is-enabled", "glustereventsd"]).stdout == "disabled\n"
    assert node.run(["systemctl", "status", "no-such"]).returncode == 4
    assert "ActiveState=active" in node.ok(["systemctl", "show", "glusterd"])


@pytest.mark.parametrize("how", ["brick-kill", "node-kill"])
def test_a_killed_brick_is_offline_until_healed(pool: Lab, how: str) -> None:
    assert until(lambda: brick_row(pool, "g2") == "Y")
    pool.fault(how, "g2")
    assert until(lambda: brick_row(pool, "g2") != "Y")
    assert [how, "g2"] in record.read(pool.directory).faults
    pool.heal(how, "g2")
    assert until(lambda: brick_row(pool, "g2") == "Y")


def test_a_frozen_glusterd_answers_nothing_until_thawed(pool: Lab) -> None:
    node = pool.node("g2")
    pool.fault("glusterd-freeze", "g2")
    with pytest.raises(subprocess.TimeoutExpired):
        node.run(["gluster", "pool", "list"], timeout=2)
    assert "frozen" in pool.status()
    pool.heal("glusterd-freeze", "g2")
    assert node.run(["gluster", "pool", "list"], timeout=30).returncode == 0


def test_a_killed_glusterd_leaves_its_brick(pool: Lab) -> None:
    node = pool.node("g2")
    before = node.programs("glusterfsd")
    pool.fault("glusterd-kill", "g2")
    assert node.run(["systemctl", "is-active", "glusterd"]).stdout == "failed\n"
    assert connect(pool.node("g1"), "g2", 24007) == "refused"
    assert node.programs("glusterfsd") == before != []
    pool.heal("glusterd-kill", "g2")
    assert until(lambda: brick_row(pool, "g2") == "Y")
    assert node.programs("glusterfsd") == before


@pytest.mark.parametrize(
    ("fault", "args"), [("cut", ()), ("silence", ()), ("drop-port", ("24007/tcp",))]
)
def test_a_network_fault_separates_two_nodes(pool: Lab, fault: str, args: tuple[str, ...]) -> None:
    first = pool.node("g1")
    assert connect(first, "g2", 24007) == "open"
    pool.fault(fault, "g2", *args)
    assert connect(first, "g2", 24007) == "silence"
    other_port = connect(first, "g2", 9)
    assert other_port == ("refused" if fault == "drop-port" else "silence")
    pool.heal(fault, "g2", *args)
    assert until(lambda: connect(first, "g2", 24007) == "open")


def test_a_full_disk_takes_no_byte_until_healed(pool: Lab) -> None:
    write = ["sh", "-c", "head -c 65536 /dev/zero > /srv/gluster/probe && sync /srv/gluster/probe"]
    pool.fault("disk-fill", "g2")
    assert "No space left" in pool.node("g2").run(write).stderr
    pool.heal("disk-fill", "g2")
    pool.node("g2").ok(write)


def test_a_read_only_disk_refuses_to_write_until_healed(pool: Lab) -> None:
    pool.fault("brick-ro", "g2")
    done = pool.node("g2").run(["touch", "/srv/gluster/probe"])
    assert "Read-only file system" in done.stderr
    pool.heal("brick-ro", "g2")
    pool.node("g2").ok(["touch", "/srv/gluster/probe"])


def test_a_dead_disk_gives_io_errors_until_healed(pool: Lab) -> None:
    pool.fault("disk-die", "g2")
    assert "Input/output error" in pool.node("g2").run(["ls", "/srv/gluster"]).stderr
    pool.heal("disk-die", "g2")
    assert until(lambda: brick_row(pool, "g2") == "Y")


def test_an_unknown_fault_names_those_there_are(pool: Lab) -> None:
    with pytest.raises(LabError, match="brick-kill"):
        pool.fault("meteor", "g1")


@pytest.mark.parametrize("victim", ["holder", "glusterd", "unshare"])
def test_down_leaves_nothing_after_kill_9(victim: str) -> None:
    bare = victim != "glusterd"
    lab = Lab.up("tkill", nodes=1, disks=2, bare=bare, salt=False, consul=False)
    node = lab.node("g1")
    assert sorted(node.ok(["ls", "/dev/disk/by-id"]).split()) == ["lab-disk1", "lab-disk2"]
    node.ok(["mkfs.xfs", "-q", "/dev/disk/by-id/lab-disk1"])
    node.ok(["mount", "/dev/disk/by-id/lab-disk1", "/srv"])
    pid = node.holder() if victim == "holder" else node.programs(victim)[0][0]
    os.kill(pid or 0, signal.SIGKILL)
    assert remains(lab.record)
    lab.down()
    assert remains(lab.record) == []


def test_down_finds_what_an_up_that_was_killed_had_made() -> None:
    argv = ["python3", "-m", "lab", "up", "--name", "thalf", "--nodes", "4"]
    builder = subprocess.Popen([*argv, "--no-salt", "--no-consul"], stdout=subprocess.DEVNULL,
                               cwd=Path(__file__).parents[2])  # fmt: skip
    directory = record.where("thalf")
    assert until(lambda: list(directory.glob("nodes/*/ready")))
    builder.kill()
    builder.wait()
    half = record.read(directory)
    assert half.state == "building"
    Lab(half).down()
    assert remains(half) == []


def test_two_labs_of_two_checkouts_share_nothing(
    pool: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="sgl-") as elsewhere:
        monkeypatch.setenv("LAB_DIR", elsewhere)
        _share_nothing(pool)


def _share_nothing(pool: Lab) -> None:
    with Lab.up("tlab", nodes=1, bare=True, salt=False, consul=False) as other:
        assert other.record.subnet != pool.record.subnet
        node = other.node("g1")
        assert connect(pool.node("g2"), pool.node("g1").address, 24007) == "open"
        assert connect(node, pool.node("g1").address, 24007) == "silence"
        assert sorted(node.ok(["ls", "/var/lib/glusterd"]).split()) == ["groups", "hooks"]
        assert node.programs("glusterd") == []
    assert until(lambda: brick_row(pool, "g1") == "Y")
    assert remains(other.record) == []


def test_the_stub_of_gsyncd_answers_as_the_real_one_does(pool: Lab) -> None:
    ask = ["sh", "-c", "/usr/lib/*/glusterfs/gsyncd --version"]
    with Lab.up("tgeorep", nodes=1, bare=True, salt=False, consul=False, georep=True) as other:
        real = other.node("g1").ok(ask).split()
        georep = other.node("g1").ok(["sh", "-c", "head -c 4 /usr/lib/*/glusterfs/gsyncd"])
    stub = pool.node("g1").ok(ask).split()
    assert georep == "\x7fELF"
    assert stub[0] == real[0]
    assert stub != real


def test_down_refuses_what_the_lab_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text('{"name": "mine"}')
    with pytest.raises(LabError, match="not touched"):
        record.read(tmp_path)
    assert network.left(record.Record("x", tmp_path, "zzzz", "198.19.0", [])) == []
