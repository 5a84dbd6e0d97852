"""What this node says beside a real glusterd: its start, its stamps, its bricks and its mounts.

One glusterd in a network and mount namespace of its own; the questions are asked from inside by a
small Python program, as a minion would ask.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from salt_gluster import node

ROOT = Path(__file__).resolve().parents[2]
UP = """
mount -t tmpfs tmpfs /run; mkdir /run/gluster /run/lock
for d in lib log etc; do mkdir -p {home}/$d; done
cp -a /etc/glusterfs/. {home}/etc/
mount --bind {home}/lib /var/lib/glusterd
mount --bind {home}/log /var/log/glusterfs
mount --bind {home}/etc /etc/glusterfs
mkdir {home}/bricks; mount -t tmpfs tmpfs {home}/bricks
printf '127.0.0.1 localhost\\n198.18.0.1 nodex\\n' > {home}/hosts
mount --bind {home}/hosts /etc/hosts
ip link set lo up; ip address add 198.18.0.1/32 dev lo
echo ready; exec sleep infinity
"""


@dataclass
class Space:
    """The namespaces, entered by the pid that holds them."""

    pid: int
    home: Path

    def run(self, *argv: str, check: bool = True) -> str:
        enter = ["nsenter", "-t", str(self.pid), "-m", "-u", "-n", "--", *argv]
        done = subprocess.run(enter, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, expression: str) -> Any:
        """Evaluate an expression about ``node`` inside; plain data comes back."""
        code = (
            f"import sys, json; sys.path.insert(0, {str(ROOT)!r}); from salt_gluster import node\n"
            f"print(json.dumps({expression}, default=str))"
        )
        return json.loads(self.run(sys.executable, "-c", code))

    def observe(self) -> Any:
        return self.ask(
            "(lambda n: [n.uuid, n.glusterd_started, n.volumes_at_start, n.volumes_without_info])"
            "(node.observe_node('nodex'))"
        )

    def pids(self, name: str) -> list[int]:
        """Our processes called ``name``: those in our mount namespace."""
        ours = Path(f"/proc/{self.pid}/ns/mnt").readlink()
        found = []
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                if (proc / "ns/mnt").readlink() != ours:
                    continue
                if name in ("", (proc / "comm").read_text().strip()):
                    found.append(int(proc.name))
            except OSError:
                continue
        return found

    def kill(self, name: str, signal: str = "KILL") -> None:
        for pid in self.pids(name):
            if pid != self.pid:
                subprocess.run(["kill", f"-{signal}", str(pid)], check=False)

    def glusterd(self) -> None:
        self.run("glusterd")
        until(lambda: self.ask("node.accepts('nodex')"))


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    home = tmp_path / uuid.uuid4().hex[:6]
    home.mkdir()
    holder = subprocess.Popen(
        ["unshare", "-m", "-u", "-n", "--propagation", "private", "sh", "-ec",
         UP.format(home=home)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    made = Space(holder.pid, home)
    yield made
    made.kill("", "CONT")
    made.kill("")
    holder.kill()
    holder.communicate()


def test_the_glusterd_of_this_node_is_told_from_those_of_others(space: Space) -> None:
    assert space.observe() == [None, None, [], []]
    before = time.time()
    space.glusterd()
    own, started, _, _ = space.observe()
    assert own is None  # glusterd gives itself a uuid when the first command needs one
    space.run("gluster", "--mode=script", "pool", "list")
    assert space.observe()[0] in space.run("gluster", "--mode=script", "system::", "uuid", "get")
    assert before - 0.1 <= started <= time.time()
    assert space.ask("len({node.observe_node('x').glusterd_started for _ in range(20)})") == 1
    outside = node.observe_node("here").glusterd_started
    # Seen from here that process is another node's.
    assert outside is None or abs(outside - started) > 0.001
    space.kill("glusterd")
    until(lambda: space.observe()[1] is None)


def test_stamps_bricks_and_age_follow_what_gluster_does(space: Space) -> None:
    space.glusterd()
    brick = f"{space.home}/bricks/1"
    gluster = ("gluster", "--mode=script")
    empty = space.ask("node.glusterd_stamps()")
    space.run(*gluster, "volume", "create", "v", f"nodex:{brick}")
    created = space.ask("node.glusterd_stamps()")
    assert set(created) - set(empty) == {"v"}
    space.run(*gluster, "volume", "start", "v")
    for read in (("volume", "info"), ("volume", "status", "v"), ("pool", "list")):
        before = space.ask("node.glusterd_stamps()")
        space.run(*gluster, *read)
        assert space.ask("node.glusterd_stamps()") == before
    space.run(*gluster, "volume", "set", "v", "user.k", "1")
    assert space.ask("node.glusterd_stamps()")["v"] != before["v"]

    (row,) = space.ask("node.inventory()")
    assert (row["volume"], row["path"], row["holds_data"]) == ("v", brick, True)
    assert row["volume_id"] in space.run(*gluster, "volume", "info", "v")
    assert row["filesystem"] == f"{space.home}/bricks"

    assert space.observe()[2] == []  # the volume was made after glusterd's start
    time.sleep(1.1)
    space.kill("glusterd")
    until(lambda: space.observe()[1] is None)
    space.glusterd()
    assert space.observe()[2] == ["v"]
    # After an import every file below vols/ is new: then the brick tells its age.
    space.run("sh", "-c", "find /var/lib/glusterd/vols/v -exec touch {} +")
    assert space.observe()[2] == ["v"]


@pytest.mark.capability(23)
def test_a_volume_is_mounted_found_stale_mounted_again_and_found_hung(space: Space) -> None:
    space.glusterd()
    gluster = ("gluster", "--mode=script")
    space.run(*gluster, "volume", "create", "v", f"nodex:{space.home}/bricks/1")
    space.run(*gluster, "volume", "start", "v")
    at, fstab = f"{space.home}/mnt", f"{space.home}/fstab"
    call = f"node.mount_glusterfs('v', ['nodex', 'other'], '{at}', fstab='{fstab}', test=%s)"
    predicted = space.ask(call % True)
    assert space.ask(call % False) == predicted
    assert space.ask(f"node.is_mounted('{at}')") == ["nodex:/v", "fuse.glusterfs"]
    space.run("sh", "-c", f"echo kept > {at}/file")
    assert space.ask(call % False) == {}
    assert "below" not in space.ask(f"node.brick_path('{at}/x').foreign")[0]
    assert "network mount" in space.ask(f"node.brick_path('{at}/x').foreign")[0]

    space.kill("glusterfs")
    until(lambda: space.ask(f"node.mount_state('{at}')") == "stale")
    assert space.ask(call % True)["mounted"] == {"old": f"{at} (stale)", "new": at}
    space.ask(call % False)
    assert space.run("cat", f"{at}/file") == "kept\n"

    space.kill("glusterfs", "STOP")
    began = time.monotonic()
    assert space.ask(f"node.mount_state('{at}', 1)") == "hung"
    assert time.monotonic() - began < 5
    space.kill("glusterfs", "CONT")
    until(lambda: space.ask(f"node.mount_state('{at}')") == "ok")
