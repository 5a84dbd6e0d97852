from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import samples

from salt_gluster.gluster.cli import CliResult, GlusterCli
from salt_gluster.gluster.reader import MAX_AGE_S, Reader, stamp
from salt_gluster.model import Peer, Reach, Unknown, is_known

DOWN = "Connection failed. Please check if gluster daemon is operational.\n"
OWN = "0a81d5d5-d308-470b-b30e-27b2766ba553"
PEERS = (Peer("u2", ("gfn2",), True, 3), Peer(OWN, ("localhost",), True, 3, "", True))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Pool:
    """Answers of a pool of which every question and every word of it is recorded."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[str, ...], str | None]] = []
        self.files = {
            "pool list": "pool-list-3.xml",
            "volume info": "volume-info-all.xml",
            "system:: uuid get": "system-uuid-get.xml",
            "volume status rep3": "volume-status-rep3.xml",
            "volume heal rep3 info summary": "heal-info-summary-rep3-clean.xml",
        }
        self.down: set[str] = set()

    def __call__(self, argv: Sequence[str], given: str | None, deadline_s: float) -> CliResult:
        self.asked.append((tuple(argv), given))
        host = next((a.partition("=")[2] for a in argv if a.startswith("--remote-host")), "")
        if host in self.down:
            return CliResult(DOWN, "", 1)
        words = [a for a in argv[1:] if not a.startswith("--")]
        lines = given.splitlines() if given is not None else [" ".join(words)]
        return CliResult("".join(samples.text(self.files[line]) for line in lines), "", 0)


@pytest.fixture
def glusterd_dir(tmp_path: Path) -> Path:
    for folder in ("peers", "vols/rep3"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("info", "cksum"):
        (tmp_path / "vols/rep3" / file).write_text("1")
    return tmp_path


def reader(pool: Pool, folder: Path, clock: Clock | None = None) -> Reader:
    return Reader(
        GlusterCli(run=pool),
        clock or Clock(),
        folder,
        reach=lambda name, uuid: Reach(True, 100000 if uuid else Unknown("not told")),
        accepts=lambda name: name != "gone",
        resolve=lambda name: Unknown("no such name") if name == "nowhere" else (name,),
    )


def test_peers_and_volumes_are_one_process_and_kept(glusterd_dir: Path) -> None:
    pool = Pool()
    one = reader(pool, glusterd_dir)
    peers, volumes = one.peers(), one.volumes()
    assert is_known(peers)
    assert is_known(volumes)
    assert len(peers) == 3
    assert set(volumes) == {"arb", "disp", "dist", "drep", "rep3"}
    assert one.gluster.started == 1


def touch_info(folder: Path) -> None:
    info = folder / "vols/rep3/info"
    info.with_suffix(".tmp").write_text("2")
    info.with_suffix(".tmp").replace(info)


def new_volume(folder: Path) -> None:
    (folder / "vols/new").mkdir()


def new_peer(folder: Path) -> None:
    (folder / "peers/u3").write_text("state=3")


def same_size_in_place(folder: Path) -> None:
    cksum = folder / "vols/rep3/cksum"
    cksum.write_text("3")
    os.utime(cksum, ns=(1, time.time_ns() + 10**9))


@pytest.mark.parametrize("change", [touch_info, new_volume, new_peer, same_size_in_place])
def test_whatever_glusterd_stores_makes_the_pool_read_again(
    glusterd_dir: Path, change: object
) -> None:
    one = reader(Pool(), glusterd_dir)
    one.pool()
    assert callable(change)
    change(glusterd_dir)
    one.pool()
    assert one.gluster.started == 2


def test_a_drop_a_restart_of_glusterd_and_age_make_the_pool_read_again(glusterd_dir: Path) -> None:
    clock = Clock()
    one = reader(Pool(), glusterd_dir, clock)
    one.pool()
    one.drop()
    one.pool()
    assert one.gluster.started == 2
    one.started = 5.0
    one.pool()
    assert one.gluster.started == 3
    clock.now += MAX_AGE_S
    one.pool()
    assert one.gluster.started == 4
    clock.now -= 3600  # the clock was set back
    one.pool()
    assert one.gluster.started == 5


def test_what_was_read_just_now_is_read_again_when_a_file_has_moved(
    glusterd_dir: Path,
) -> None:
    clock = Clock()
    one = reader(Pool(), glusterd_dir, clock)
    one.pool(fresh=True)
    clock.now += 0.9
    one.pool(fresh=True)
    assert one.gluster.started == 1
    touch_info(glusterd_dir)
    one.pool(fresh=True)
    assert one.gluster.started == 2
    clock.now += 1.0  # the files here tell nothing, so nobody else says who is connected
    one.pool(fresh=True)
    assert one.gluster.started == 3


def test_nothing_is_kept_where_the_files_cannot_be_looked_at(tmp_path: Path) -> None:
    assert stamp(tmp_path / "nothing") is None
    one = reader(Pool(), tmp_path / "nothing")
    one.pool()
    one.pool()
    assert one.gluster.started == 2


def test_nothing_is_kept_while_it_is_unknown_when_glusterd_started(glusterd_dir: Path) -> None:
    one = reader(Pool(), glusterd_dir)
    for _ in range(2):
        one.started = Unknown("no /proc")
        one.pool()
    assert one.gluster.started == 2


def test_what_changed_while_it_was_read_is_not_kept(glusterd_dir: Path) -> None:
    pool = Pool()

    def busy(argv: Sequence[str], given: str | None, deadline_s: float) -> CliResult:
        touch_info(glusterd_dir)
        return pool(argv, given, deadline_s)

    one = Reader(GlusterCli(run=busy), Clock(), glusterd_dir)
    one.pool()
    one.pool()
    assert one.gluster.started == 2


def test_a_dead_glusterd_makes_unknown_with_the_reason_and_is_not_kept(glusterd_dir: Path) -> None:
    pool = Pool()
    pool.down.add("")
    one = reader(pool, glusterd_dir)
    for value in (*one.pool(), one.status("rep3"), one.heal("rep3")):
        assert isinstance(value, Unknown)
        assert "Connection failed" in value.why
    assert one.last_error is not None
    assert one.last_error.kind == "daemon_down"
    pool.down.clear()
    assert is_known(one.peers())


def test_status_and_heal_are_asked_every_time(glusterd_dir: Path) -> None:
    one = reader(Pool(), glusterd_dir)
    for _ in range(2):
        status, heal = one.status("rep3"), one.heal("rep3")
        assert is_known(status)
        assert is_known(heal)
        assert len(status.bricks) == len(heal) == 3
    assert one.gluster.started == 4


def test_an_answer_for_another_volume_is_unknown(glusterd_dir: Path) -> None:
    pool = Pool()
    pool.files["volume status rep3"] = "volume-status-arb.xml"
    status = reader(pool, glusterd_dir).status("rep3")
    assert isinstance(status, Unknown)
    assert "leaves volume rep3 out" in status.why


def test_every_members_definitions_are_asked_of_that_member(glusterd_dir: Path) -> None:
    pool = Pool()
    pool.down.add("gfn4")
    peers = (*PEERS, Peer("u4", ("gfn4",), True, 3), Peer("u5", ("gone",), False, 3))
    found = reader(pool, glusterd_dir).definitions(peers)
    assert found[OWN] == found["u2"]
    assert "rep3" in found["u2"]
    assert isinstance(found["u4"], Unknown)
    assert isinstance(found["u5"], Unknown)
    asked = sorted(argv[4] for argv, _ in pool.asked)
    assert asked == ["--remote-host=gfn2", "--remote-host=gfn4", "volume"]


def test_a_member_that_has_just_told_its_definitions_is_not_asked_again(glusterd_dir: Path) -> None:
    clock = Clock()
    pool = Pool()
    pool.down.add("gfn4")
    peers = (*PEERS, Peer("u4", ("gfn4",), True, 3))
    one = reader(pool, glusterd_dir, clock)

    def asked() -> list[str]:
        pool.asked.clear()
        assert set(one.definitions(peers)) == {p.uuid for p in peers}
        return sorted(argv[4] for argv, _ in pool.asked)

    both = ["--remote-host=gfn2", "--remote-host=gfn4", "volume"]
    assert asked() == both
    clock.now += 0.3
    assert asked() == ["--remote-host=gfn4"]  # who did not answer is no answer
    with one.changing():  # what was told before our own change counts for nothing
        pass
    assert asked() == both
    touch_info(glusterd_dir)  # somebody's change
    assert asked() == both
    clock.now += 2.0
    assert asked() == both


def test_a_candidate_is_one_process_and_no_answer_is_unknown(glusterd_dir: Path) -> None:
    pool = Pool()
    one = reader(pool, glusterd_dir)
    found = one.candidates(["gfn9", "gone", "nowhere"])
    assert found["nowhere"].unresolved == "no such name"
    assert found["gone"].unresolved == ""
    assert one.gluster.started == 1
    assert found["gfn9"].uuid == OWN
    assert found["gfn9"].volumes == ("arb", "disp", "dist", "drep", "rep3")
    assert isinstance(found["gone"].uuid, Unknown)
    assert isinstance(found["gone"].peers, Unknown)


def test_our_own_glusterd_is_asked_in_the_name_of_another_member(glusterd_dir: Path) -> None:
    asked: dict[str, str] = {}

    def reach(name: str, uuid: str) -> Reach:
        asked[name] = uuid
        return Reach(True, 100000)

    one = Reader(GlusterCli(run=Pool()), Clock(), glusterd_dir, reach=reach)
    assert set(one.reach(PEERS)) == {"u2", OWN}
    assert asked == {"gfn2": OWN, "localhost": "u2"}


def test_a_name_that_does_not_resolve_holds_up_nobody(glusterd_dir: Path) -> None:
    release = threading.Event()

    def reach(name: str, uuid: str) -> Reach:
        if name == "slow":
            release.wait(30)
        return Reach(True, 100000)

    one = Reader(GlusterCli(run=Pool()), Clock(), glusterd_dir, reach=reach)
    start = time.monotonic()
    found = one.reach((*PEERS, Peer("u3", ("slow",), True, 3)))
    release.set()
    assert time.monotonic() - start < 10
    assert (found["u2"].accepts, found["u3"].accepts) == (True, False)


def test_a_look_about_one_volume_is_vouched_for_by_its_own_files(glusterd_dir: Path) -> None:
    (glusterd_dir / "vols/arb").mkdir()
    one = reader(Pool(), glusterd_dir)
    one.pool()
    (glusterd_dir / "vols/arb/info").write_text("2")
    one.pool(["rep3"])
    assert one.gluster.started == 1
    one.pool(["rep3", "arb"])
    assert one.gluster.started == 2


@pytest.mark.parametrize("change", [touch_info, new_volume, new_peer, same_size_in_place])
def test_a_look_about_one_volume_sees_whatever_concerns_it(
    glusterd_dir: Path, change: object
) -> None:
    one = reader(Pool(), glusterd_dir)
    one.pool()
    assert callable(change)
    change(glusterd_dir)
    one.pool(["rep3"])
    assert one.gluster.started == 2
