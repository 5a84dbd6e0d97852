"""What this node says of itself: real files, real xattrs, real locks and sockets."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from needs import needs

from salt_gluster import node
from salt_gluster.errors import AlreadyExists, Conflict, GlusterError, NotFound, SpecError
from salt_gluster.model import Hold, Unknown, known
from salt_gluster.node import brick_dirs, network
from salt_gluster.node.files import new_file, write_atomically
from salt_gluster.node.mounts import mount_of, mounts

VOLUME_ID = "trusted.glusterfs.volume-id"
needs_root = pytest.mark.usefixtures("root")  # trusted.* xattrs are root's


@pytest.fixture
def glusterd(tmp_path: Path) -> Path:
    """A root with the files of a glusterd that imports one volume and has another."""
    home = tmp_path / "var/lib/glusterd"
    for volume in ("done", "importing"):
        (home / "vols" / volume / "bricks").mkdir(parents=True)
    (home / "peers").mkdir()
    (home / "glusterd.info").write_text("UUID=1dae5720-8b9f-41f8-9de8-bfb91854e8c2\nx=1\n")
    (home / "vols/done/info").write_text("password=secret\n")
    (home / "vols/done/cksum").write_text("info=1\n")
    return home


@pytest.fixture
def on_root() -> Iterator[Path]:
    """A directory on the root file system; /tmp need not be there."""
    places = [p for p in ("/tmp", "/var/tmp", "/root", "/opt") if mount_of(p).mount_point == "/"]
    needs("" if places else "a directory on the root file system")
    with tempfile.TemporaryDirectory(prefix="sg-node-", dir=places[0]) as folder:
        yield Path(folder)


@pytest.fixture
def own_mount() -> Iterator[Path]:
    """A directory on a file system that is not the root's."""
    needs("" if os.path.ismount("/dev/shm") else "a mount at /dev/shm")
    folder = Path("/dev/shm") / f"sg-node-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


# --- who it is -----------------------------------------------------------------------------------


def test_a_node_tells_its_uuid_and_the_volume_that_is_still_being_imported(
    glusterd: Path, tmp_path: Path
) -> None:
    seen = node.observe_node("g1", tmp_path, aliases=["g1-storage"])
    assert (seen.name, seen.aliases) == ("g1", ("g1-storage",))
    assert seen.uuid == "1dae5720-8b9f-41f8-9de8-bfb91854e8c2"
    assert seen.volumes_without_info == ("importing",)
    assert seen.glusterd_started is None  # none runs on these files
    assert seen.hold is None


def test_a_node_where_glusterd_never_ran_has_no_uuid_and_that_is_known(tmp_path: Path) -> None:
    seen = node.observe_node("g1", tmp_path)
    assert seen.uuid is None
    assert seen.volumes_without_info == ()
    assert seen.volumes_at_start == ()


def test_a_damaged_identity_is_unknown_and_not_a_fresh_node(glusterd: Path, tmp_path: Path) -> None:
    (glusterd / "glusterd.info").write_text("operating-version=100000\n")
    assert isinstance(node.observe_node("g1", tmp_path).uuid, Unknown)


def test_own_bricks_are_known_by_uuid_and_not_by_host_name(glusterd: Path, tmp_path: Path) -> None:
    own = "uuid=1dae5720-8b9f-41f8-9de8-bfb91854e8c2\nhostname=198.18.0.1\npath=/b/1\n"
    bricks = glusterd / "vols/done/bricks"
    (bricks / "198.18.0.1:-b-1").write_text(own + "listen-port=50270\n")
    (bricks / "g2:-b-1").write_text("uuid=2222\nhostname=g2\npath=/b/1\nlisten-port=0\n")
    mine = ("1dae5720-8b9f-41f8-9de8-bfb91854e8c2", "/b/1", "198.18.0.1")
    assert node.defined_bricks(tmp_path) >= {mine, ("2222", "/b/1", "g2")}
    assert node.local_bricks(tmp_path) == (node.LocalBrick("done", "198.18.0.1", "/b/1", 50270),)


# --- stamps --------------------------------------------------------------------------------------


def test_the_stamp_of_a_volume_moves_with_any_rewrite_and_with_no_read(
    glusterd: Path, tmp_path: Path
) -> None:
    before = node.glusterd_stamps(tmp_path)
    assert node.glusterd_stamps(tmp_path) == before
    new = glusterd / "vols/done/info.tmp"
    new.write_text("password=secret\n")  # same size, as glusterd writes it: rename
    new.rename(glusterd / "vols/done/info")
    after = node.glusterd_stamps(tmp_path)
    assert {name for name in after if after[name] != before[name]} == {"done"}


def test_the_stamps_move_with_a_new_volume_and_with_a_new_peer(
    glusterd: Path, tmp_path: Path
) -> None:
    before = node.glusterd_stamps(tmp_path)
    (glusterd / "vols/new").mkdir()
    made = node.glusterd_stamps(tmp_path)
    assert made == before | {"new": (None, None)}
    time.sleep(0.02)  # the clock of the file system ticks every 4 ms here
    (glusterd / "peers/uuid").mkdir()
    joined = node.glusterd_stamps(tmp_path)
    assert {name for name in joined if joined[name] != made[name]} == {""}


def test_the_stamp_never_opens_the_file_with_the_password(glusterd: Path, tmp_path: Path) -> None:
    info = glusterd / "vols/done/info"
    # Python tells a hook of every file it opens; a hook stays, so it gets a process of its own.
    code = f"""
import sys
from pathlib import Path
from salt_gluster import node
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
assert "done" in node.glusterd_stamps(Path({str(tmp_path)!r}))
print(opened.count({str(info)!r}))
Path({str(info)!r}).read_bytes()
print(opened.count({str(info)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1"]


# --- hold ----------------------------------------------------------------------------------------


def test_a_hold_is_read_back_as_written_and_removed_once(tmp_path: Path) -> None:
    file = tmp_path / "deep/hold"
    node.write_hold("disk swap", "ann", 1000.5, file)
    assert node.read_hold(file) == Hold("disk swap", "ann", 1000.5)
    assert node.remove_hold(file) is True
    assert node.remove_hold(file) is False
    assert node.read_hold(file) is None


def test_an_empty_file_and_a_sentence_are_holds_too(tmp_path: Path) -> None:
    file = tmp_path / "hold"
    file.touch()
    os.utime(file, (50, 60))
    assert node.read_hold(file) == Hold("touched by hand", since=60.0)
    file.write_text("waiting for the vendor\n")
    held = node.read_hold(file)
    assert isinstance(held, Hold)
    assert held.reason == "waiting for the vendor"


@pytest.mark.parametrize("make", [lambda f: f.mkdir(), lambda f: f.write_bytes(b"\xff\xfe\x00")])
def test_a_hold_that_cannot_be_read_is_unknown_and_not_absent(tmp_path: Path, make: object) -> None:
    file = tmp_path / "hold"
    make(file)  # type: ignore[operator]
    assert isinstance(node.read_hold(file), Unknown)


# --- brick paths ---------------------------------------------------------------------------------

MOUNTINFO = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 7:0 / /srv/two\040words rw,noatime - xfs /dev/loop0 rw,inode64
31 22 7:1 / /srv/gluster rw,noatime shared:2 master:1 - xfs /dev/loop1 rw
32 22 0:42 / /srv/gluster rw - fuse.glusterfs g1:/v rw
33 22 7:2 / /srv/gluster/a rw - xfs /dev/loop2 rw
"""


@pytest.mark.parametrize(
    ("path", "point", "source"),
    [
        ("/srv/two words/b", "/srv/two words", "/dev/loop0"),
        ("/srv/gluster/b", "/srv/gluster", "g1:/v"),  # the later mount covers the earlier
        ("/srv/gluster/a", "/srv/gluster/a", "/dev/loop2"),
        ("/srv/gluster/ab", "/srv/gluster", "g1:/v"),  # a name is no prefix of another
        ("/srv", "/", "/dev/vda"),
    ],
)
def test_a_path_lies_on_the_longest_mount_point(path: str, point: str, source: str) -> None:
    found = mount_of(path, mounts(MOUNTINFO))
    assert (found.mount_point, found.source) == (point, source)


@needs_root
def test_an_unused_directory_is_fit_and_a_used_one_names_what_is_in_it(own_mount: Path) -> None:
    (own_mount / "b").mkdir()
    free = node.brick_path(str(own_mount / "b"))
    assert (free.exists, free.filesystem, free.foreign) == (True, "/dev/shm", ())
    assert (free.volume_id, free.holds_data, free.is_mount_point) == (None, False, False)
    assert known(free.free) > 0
    assert known(free.changed) > 1.5e9
    for name in ("lost+found", *"gfedcba"):
        (own_mount / "b" / name).mkdir()
    assert node.brick_path(str(own_mount / "b")).foreign == tuple("abcde")


@needs_root
def test_a_former_brick_shows_its_volume_id_and_that_it_holds_data(own_mount: Path) -> None:
    volume = uuid.uuid4()
    os.setxattr(own_mount, VOLUME_ID, volume.bytes)
    seen = node.brick_path(str(own_mount))
    assert (seen.volume_id, seen.holds_data) == (str(volume), False)
    (own_mount / ".glusterfs").mkdir()  # all that a failed create makes
    assert node.brick_path(str(own_mount)).holds_data is False
    (own_mount / ".glusterfs/indices").mkdir()
    seen = node.brick_path(str(own_mount))
    assert (seen.holds_data, seen.foreign) == (True, ())
    os.removexattr(own_mount, VOLUME_ID)
    assert node.brick_path(str(own_mount)).foreign == (".glusterfs",)


@needs_root
def test_a_path_below_a_brick_says_which_parent_it_is(own_mount: Path) -> None:
    os.setxattr(own_mount, VOLUME_ID, uuid.uuid4().bytes)
    seen = node.brick_path(str(own_mount / "no/such/b"))
    assert (seen.exists, seen.parent_exists) == (False, False)
    assert seen.foreign == (f"parent {own_mount} is part of a volume",)


@needs_root
def test_a_symlink_is_followed_to_where_the_bytes_lie(own_mount: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(own_mount)
    seen = node.brick_path(str(tmp_path / "link/b"))
    assert (seen.path, seen.filesystem) == (str(own_mount / "b"), "/dev/shm")


@needs_root
def test_the_root_disk_is_known_by_its_device_and_not_by_a_name(
    own_mount: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bind of the root disk has a mount point of its own."""
    bound = mounts(MOUNTINFO)[0]
    monkeypatch.setattr(
        brick_dirs, "mounts", lambda: (*mounts(), replace(bound, mount_point="/etc"))
    )
    assert node.brick_path("/etc/not/there/b").filesystem == "/"
    assert node.brick_path(str(own_mount / "not/there/b")).filesystem == "/dev/shm"


@needs_root
def test_a_path_below_a_mount_point_that_is_not_mounted_names_it(
    own_mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = ["/", "/dev/shm", str(own_mount), f"{own_mount}x", str(own_mount / "disk1")]
    monkeypatch.setattr(brick_dirs, "fstab_mount_points", lambda: declared)
    assert node.brick_path(str(own_mount / "disk1/b")).unmounted == str(own_mount / "disk1")
    assert node.brick_path(str(own_mount / "disk2/b")).unmounted == str(own_mount)
    assert node.brick_path("/dev/shm/b").unmounted == ""


@needs_root
def test_a_plain_file_is_no_brick(own_mount: Path) -> None:
    (own_mount / "file").touch()
    assert node.brick_path(str(own_mount / "file")).foreign == ("it is not a directory",)


@pytest.mark.parametrize(
    "path",
    ["b/1", "/b/1 x", "/b\n/1", "/b:1", "/b/../c", "/b/1/", "//b/1", "/b//1", "/b/./1", "/", ""],
)
def test_a_path_that_gluster_would_store_otherwise_is_refused_by_name(path: str) -> None:
    with pytest.raises(SpecError) as told:
        node.check_path(path, "volumes.data.bricks")
    assert told.value.key == "volumes.data.bricks"


@needs_root
def test_a_brick_directory_is_made_with_its_parents_whatever_the_umask(own_mount: Path) -> None:
    wanted = own_mount / "data" / "1"
    expected = (str(own_mount / "data"), str(wanted))
    assert node.make_brick_dir(str(wanted), test=True) == expected
    assert not wanted.exists()
    before = os.umask(0o077)
    try:
        assert node.make_brick_dir(str(wanted)) == expected
    finally:
        os.umask(before)
    assert [stat.S_IMODE(Path(p).stat().st_mode) for p in expected] == [0o755, 0o755]
    assert node.make_brick_dir(str(wanted)) == ()


@needs_root
def test_the_root_file_system_is_refused_unless_accepted(on_root: Path) -> None:
    with pytest.raises(SpecError, match="root file system"):
        node.make_brick_dir(str(on_root / "a/b"))
    assert not (on_root / "a").exists()
    assert len(node.make_brick_dir(str(on_root / "a/b"), accept_root=True)) == 2


@needs_root
def test_only_the_id_of_a_dead_volume_is_taken_off_an_empty_directory(own_mount: Path) -> None:
    volume = uuid.uuid4()
    os.setxattr(own_mount, VOLUME_ID, volume.bytes)
    with pytest.raises(GlusterError, match="is alive") as told:
        node.remove_stale_volume_id(str(own_mount), {str(volume).upper()})
    assert told.value.kind == "refused"
    for held in (".glusterfs/indices", "file"):
        (own_mount / held).mkdir(parents=True)
        with pytest.raises(GlusterError, match="not empty"):
            node.remove_stale_volume_id(str(own_mount), ())
        (own_mount / held).rmdir()
    os.setxattr(own_mount, "trusted.gfid", b"\0" * 15 + b"\1")
    with pytest.raises(GlusterError, match="started once"):
        node.remove_stale_volume_id(str(own_mount), ())
    assert node.brick_path(str(own_mount)).holds_data, "test mode promises nothing else"
    os.removexattr(own_mount, "trusted.gfid")
    assert not node.brick_path(str(own_mount)).holds_data
    assert os.getxattr(own_mount, VOLUME_ID) == volume.bytes  # four refusals changed nothing
    assert (own_mount / ".glusterfs").is_dir()
    assert node.remove_stale_volume_id(str(own_mount), {str(uuid.uuid4())}) == str(volume)
    assert node.brick_path(str(own_mount)).volume_id is None
    assert list(own_mount.iterdir()) == []
    with pytest.raises(NotFound):
        node.remove_stale_volume_id(str(own_mount), ())


# --- names and ports -----------------------------------------------------------------------------


def test_a_name_without_an_address_is_unknown_with_the_reason() -> None:
    assert node.resolve("127.0.0.1") == ("127.0.0.1",)
    answer = node.resolve("no-such-host.invalid")
    assert isinstance(answer, Unknown)
    assert "no-such-host.invalid" in answer.why


def test_a_slow_resolver_costs_the_limit_and_not_its_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = threading.Event()
    monkeypatch.setattr(network.socket, "getaddrinfo", lambda *a, **k: released.wait(20) and [])
    began = time.monotonic()
    answer = node.resolve("slow", limit_s=0.2)
    accepted = node.accepts("slow", limit_s=0.2)
    took = time.monotonic() - began
    released.set()
    assert isinstance(answer, Unknown)
    assert accepted is False
    assert took < 2


def test_a_port_accepts_only_while_somebody_listens() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert node.accepts("127.0.0.1", port) is False
        server.listen()
        assert node.accepts("127.0.0.1", port) is True


# --- records -------------------------------------------------------------------------------------


def test_a_second_job_is_told_who_holds_the_node_and_gets_its_turn_when_that_dies(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "lock"
    code = (
        "import sys\nfrom salt_gluster.node import one_job\n"
        f"with one_job(0, {str(lock)!r}):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    root = Path(node.__file__).parents[2]
    holder = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Conflict, match=f"pid {holder.pid}") as told, node.one_job(0.2, lock):
            pass
        assert told.value.kind == "node_busy"
    finally:
        holder.kill()
        holder.communicate()
    with node.one_job(5, lock):
        assert lock.read_text() == f"{os.getpid()}\n"


def test_a_record_comes_back_with_a_stamp_that_compares(tmp_path: Path, glusterd: Path) -> None:
    file = tmp_path / "state/state.json"
    state = node.LocalState(file)
    stamp = node.glusterd_stamps(tmp_path)["done"]
    state.put("volume/done", {"spec": "ab12", "stamp": stamp, "at": 5.0})
    state.put("volume/other", {"spec": "ff", "stamp": None, "at": 6.0})
    assert state.get("volume/done") == {"spec": "ab12", "stamp": stamp, "at": 5.0}
    assert state.get("volume/never") is None
    file.write_text('{"torn')
    assert state.get("volume/done") is None
    state.put("a", {"spec": "1"})
    assert json.loads(file.read_text()) == {"a": {"spec": "1"}}


# --- fstab ---------------------------------------------------------------------------------------

FSTAB = "# by hand\nUUID=1 / ext4 defaults 0 1\n\nUUID=2 /with\\040blank xfs noatime 0 0  # note"


def test_fstab_keeps_every_other_line_and_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "fstab"
    file.write_text(FSTAB)
    file.chmod(0o640)
    entry = node.FstabEntry("UUID=3", "/srv/gluster", "xfs", "noatime,inode64")
    predicted = node.write_fstab(entry, file, test=True)
    assert file.read_text() == FSTAB
    assert node.write_fstab(entry, file) == predicted != {}
    line = "UUID=3 /srv/gluster xfs noatime,inode64 0 0\n"
    assert file.read_text() == f"{FSTAB}\n{line}"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert node.write_fstab(entry, file) == {}
    assert node.fstab_entry("/srv/gluster", file) == entry
    found = node.fstab_entry("/with blank", file)
    assert found == node.FstabEntry("UUID=2", "/with blank", "xfs", "noatime")


def test_fstab_changes_options_in_place_and_leaves_anothers_mount(tmp_path: Path) -> None:
    file = tmp_path / "fstab"
    file.write_text("UUID=3 /srv/gluster xfs defaults 0 0\nproc /proc proc defaults 0 0\n")
    node.write_fstab(node.FstabEntry("UUID=3", "/srv/gluster", "xfs", "noatime"), file)
    assert file.read_text().splitlines()[0] == "UUID=3 /srv/gluster xfs noatime 0 0"
    other = node.FstabEntry("UUID=4", "/srv/gluster", "xfs", "noatime")
    with pytest.raises(AlreadyExists, match="UUID=3"):
        node.write_fstab(other, file)
    told = node.write_fstab(other, file, ours=lambda entry: entry.source == "UUID=3")
    assert told["old"].startswith("UUID=3")
    assert len(file.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "entry",
    [
        node.FstabEntry("UUID=1\nUUID=2 / ext4 rw 0 0", "/m", "xfs"),
        node.FstabEntry("UUID=1", "/m\n/etc", "xfs"),
        node.FstabEntry("", "/m", "xfs"),
    ],
)
def test_no_word_can_add_a_line_to_fstab(tmp_path: Path, entry: node.FstabEntry) -> None:
    with pytest.raises(SpecError):
        node.write_fstab(entry, tmp_path / "fstab")
    assert not (tmp_path / "fstab").exists()


def test_a_mount_of_a_volume_names_its_stand_ins_and_waits_for_the_network(tmp_path: Path) -> None:
    file = tmp_path / "fstab"
    at = str(tmp_path / "m")
    options = {"acl": True, "ro": False, "log-level": "WARNING"}
    changes = node.mount_glusterfs("v", ["g1", "g2", "g3"], at, options, fstab=file, test=True)
    assert changes["fstab"]["new"] == (
        f"g1:/v {at} glusterfs _netdev,backup-volfile-servers=g2:g3,acl,log-level=WARNING 0 0"
    )
    assert changes["mounted"] == {"old": None, "new": at}
    assert not file.exists()
    with pytest.raises(SpecError, match=r"options\.log-level"):
        node.mount_glusterfs("v", ["g1"], at, {"log-level": "x,exec"}, fstab=file, test=True)


def test_a_mount_would_hide_no_files(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/precious").touch()
    with pytest.raises(AlreadyExists, match="hide"):
        node.mount(node.FstabEntry("UUID=1", str(tmp_path / "m"), "xfs"))


# --- processes -----------------------------------------------------------------------------------


def test_a_program_that_is_missing_or_hangs_is_told_apart() -> None:
    with pytest.raises(NotFound) as missing:
        node.run_command(["no-such-program-here"], 5)
    assert missing.value.kind == "program_missing"
    with pytest.raises(GlusterError) as late:
        node.run_command(["sleep", "20"], 0.2)
    assert late.value.kind == "timeout"
    assert node.run_command(["sh", "-c", "echo a; echo b >&2; exit 3"], 5) == node.CommandResult(
        3, "a\n", "b\n"
    )


@needs_root
def test_what_is_not_known_of_a_place_is_a_sentence_in_plain_data(tmp_path: Path) -> None:
    told = node.describe_brick(str(tmp_path / "not/there"))
    assert 0 < told["free"] <= told["size"]
    assert told["changed"] == "unknown (not asked)"
    assert json.loads(json.dumps(told)) == told


def test_a_file_is_written_whole_and_with_its_owner_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "x"
    write_atomically(file, "one", 0o640)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("one", 0o640)
    write_atomically(file, "two", 0o600, keep=True)  # what is there keeps its mode
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("two", 0o640)
    write_atomically(file, "three", 0o600)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("three", 0o600)
    write_atomically(file, "four", 0o644, once=True)
    assert file.read_text() == "three"
    with pytest.raises(RuntimeError), new_file(file, 0o600) as out:
        out.write(b"half")
        raise RuntimeError
    assert (file.read_text(), list(tmp_path.iterdir())) == ("three", [file])
