"""What was changed since gluster was asked is read from glusterd's files, where they tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import samples

from salt_gluster.errors import CommandFailed
from salt_gluster.gluster.cli import CliResult, GlusterCli
from salt_gluster.gluster.parse.volume import parse_volume_info
from salt_gluster.gluster.reader import CONNECTED_S, FILES_S, JUST_NOW_S, Reader
from salt_gluster.model import Volume, is_known, known
from salt_gluster.node import read_definitions

TYPES = {"distribute": 0, "replicate": 2, "disperse": 4}
STATUS = {"Created": 0, "Started": 1, "Stopped": 2}
SECRET = "31dc1f16-39aa-46cf-b997-c194ee381b2f"


def in_sample() -> dict[str, Volume]:
    return parse_volume_info(samples.answer("volume-info-all.xml"))


def store(folder: Path, volume: Volume) -> None:
    """Write a volume's files as glusterd 10.3 does."""
    size = volume.disperse or volume.replica
    lines = {
        "type": TYPES[volume.kind], "count": len(volume.bricks), "status": STATUS[volume.status],
        "sub_count": size, "replica_count": volume.replica,
        **({"arbiter_count": volume.arbiter} if volume.arbiter else {}),
        "disperse_count": volume.disperse, "redundancy_count": volume.redundancy, "version": 5,
        "transport-type": 0, "volume-id": volume.id, "username": "9a46fc3e", "password": SECRET,
        "op-version": 40000, "client-op-version": 30800, "quota-version": 0, "tier-enabled": 0,
        "parent_volname": "N/A", "restored_from_snap": "00000000-0000-0000-0000-000000000000",
        "snap-max-hard-limit": 256, **volume.options,
    }  # fmt: skip
    at = folder / "vols" / volume.name
    (at / "bricks").mkdir(parents=True, exist_ok=True)
    for n, brick in enumerate(volume.bricks):
        lines[f"brick-{n}"] = name = f"{brick.host}:{brick.path.replace('/', '-')}"
        row = {
            "uuid": brick.host_uuid,
            "hostname": brick.host,
            "path": brick.path,
            "real_path": brick.path,
            "listen-port": 49152,
            "brick-id": f"{volume.name}-{n}",
        }
        (at / "bricks" / name).write_text("".join(f"{k}={v}\n" for k, v in row.items()))
    for file, text in (("info", lines), ("cksum", {"info": len(str(lines))})):
        new = at / f"{file}.tmp"
        new.write_text("".join(f"{k}={v}\n" for k, v in text.items()))
        new.replace(at / file)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Gluster:
    """Answers as three members do; ``told`` is what other members tell instead."""

    def __init__(self) -> None:
        self.peers, self.told = "pool-list-3.xml", "volume-info-all.xml"

    def __call__(self, argv: Sequence[str], given: str | None, deadline_s: float) -> CliResult:
        if given is None:
            return CliResult(samples.text(self.told), "", 0)
        answers = {"pool list": self.peers, "volume info": "volume-info-all.xml"}
        return CliResult("".join(samples.text(answers[line]) for line in given.splitlines()), "", 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "peers").mkdir()
    (tmp_path / "options").write_text("global-option-version=0\n")
    for volume in in_sample().values():
        store(tmp_path, volume)
    return tmp_path


def reader(folder: Path, clock: Clock, gluster: Gluster | None = None) -> Reader:
    run = gluster or Gluster()
    return Reader(GlusterCli(run=run), clock, folder, accepts=lambda name: True)


def changed(folder: Path, name: str = "rep3") -> Volume:
    """Let glusterd store another definition of a volume, as after a ``set``."""
    volume = in_sample()[name]
    volume = replace(volume, options={**volume.options, "network.ping-timeout": "20"})
    store(folder, volume)
    return volume


def volumes(one: Reader, **how: float) -> Mapping[str, Volume]:
    told = one.pool(fresh=True, **how)[1]
    return known(told)


def test_files_tell_every_kind_of_volume_as_gluster_does(folder: Path) -> None:
    assert read_definitions(folder, in_sample()) == in_sample()


def test_options_of_the_whole_pool_are_every_volumes(folder: Path) -> None:
    text = "cluster.server-quorum-ratio=51%\nglobal-option-version=3\n"
    (folder / "options").write_text(text)
    read = read_definitions(folder, ["rep3"])
    assert read is not None
    added = read["rep3"].options.items() - in_sample()["rep3"].options.items()
    assert added == {("cluster.server-quorum-ratio", "51%")}


class TwoCopies(Gluster):
    """Tells every volume of three copies as one of two, as the XML does with a thin arbiter."""

    def __call__(self, argv: Sequence[str], given: str | None, deadline_s: float) -> CliResult:
        told = super().__call__(argv, given, deadline_s)
        few = told.stdout.replace("<replicaCount>3<", "<replicaCount>2<")
        return replace(told, stdout=few)


def test_a_thin_arbiter_that_the_xml_hides_is_read_from_the_files(folder: Path) -> None:
    without = volumes(reader(folder, Clock(), TwoCopies()))
    assert not any(volume.thin_arbiter for volume in without.values())
    info = folder / "vols/rep3/info"
    info.write_text(info.read_text() + "thin_arbiter_count=1\n")
    seen = volumes(reader(folder, Clock(), TwoCopies()))
    assert [name for name, volume in seen.items() if volume.thin_arbiter] == ["rep3"]
    assert seen["rep3"].digest() == without["rep3"].digest(), "other members' XML hides it, too"
    read = read_definitions(folder, ["rep3"])
    assert read is not None and read["rep3"].thin_arbiter


def test_no_secret_leaves_the_files(folder: Path) -> None:
    assert SECRET in (folder / "vols/rep3/info").read_text()
    assert SECRET not in repr(read_definitions(folder, in_sample()))


def test_what_is_half_written_or_unheard_of_is_told_by_gluster(folder: Path) -> None:
    brick = next((folder / "vols/rep3/bricks").iterdir())
    text = brick.read_text()
    brick.unlink()
    assert read_definitions(folder, ["rep3"]) is None
    brick.write_text(text)
    info = folder / "vols/rep3/info"
    info.write_text(info.read_text().replace("type=2", "type=5"))
    assert read_definitions(folder, ["rep3"]) is None
    info.unlink()  # an import has begun
    assert read_definitions(folder, ["rep3"]) is None


def test_a_change_is_read_from_files_and_gluster_is_asked_for_who_is_connected(
    folder: Path,
) -> None:
    clock = Clock()
    one = reader(folder, clock)
    volumes(one)
    with one.changing():
        wanted = changed(folder)
    clock.now += JUST_NOW_S
    assert volumes(one)["rep3"] == wanted
    assert volumes(one)["arb"] == in_sample()["arb"]
    assert one.gluster.started == 1
    clock.now += CONNECTED_S
    volumes(one)
    assert one.gluster.started == 1
    volumes(one, connected_s=CONNECTED_S)  # a change is about to be sent
    assert one.gluster.started == 2
    clock.now += FILES_S
    volumes(one)
    assert one.gluster.started == 3


def test_a_volume_that_came_and_one_that_went_are_seen_in_the_files(folder: Path) -> None:
    one = reader(folder, Clock())
    volumes(one)
    new = replace(in_sample()["rep3"], name="new", id="n")
    store(folder, new)
    assert volumes(one)["new"] == new
    (folder / "vols/arb").rename(folder / "gone")
    assert set(volumes(one)) == {"disp", "dist", "drep", "rep3", "new"}
    assert one.gluster.started == 1


def test_files_that_tell_another_thing_than_gluster_are_not_read(folder: Path) -> None:
    one = reader(folder, Clock())
    info = folder / "vols/dist/info"  # edited by hand while glusterd runs
    info.write_text(info.read_text() + "network.ping-timeout=7\n")
    volumes(one)
    changed(folder)
    assert "network.ping-timeout" not in volumes(one)["rep3"].options
    assert one.gluster.started == 2


def new_peer(folder: Path) -> None:
    (folder / "peers/u4").write_text("state=3")


def pool_option(folder: Path) -> None:
    (folder / "options").write_text("cluster.server-quorum-ratio=51%\n")


@pytest.mark.parametrize("change", [new_peer, pool_option])
def test_what_is_not_a_volumes_makes_gluster_tell(
    folder: Path, change: Callable[[Path], None]
) -> None:
    one = reader(folder, Clock())
    volumes(one)
    change(folder)
    volumes(one)
    assert one.gluster.started == 2


def test_while_a_member_is_away_gluster_tells_when_it_is_back(folder: Path) -> None:
    clock, gluster = Clock(), Gluster()
    gluster.peers = "pool-list-glusterd-killed.xml"
    one = reader(folder, clock, gluster)
    peers, _ = one.pool(fresh=True)
    assert is_known(peers) and not all(peer.usable for peer in peers)
    changed(folder)
    clock.now += JUST_NOW_S
    volumes(one)
    assert one.gluster.started == 2


def test_after_an_error_gluster_is_asked(folder: Path) -> None:
    one = reader(folder, Clock())
    volumes(one)
    with pytest.raises(CommandFailed), one.changing():
        changed(folder)
        raise CommandFailed("Commit failed on g2", kind="partial")
    volumes(one)
    assert one.gluster.started == 2


def test_where_a_member_tells_another_definition_than_our_files_gluster_is_asked(
    folder: Path,
) -> None:
    one = reader(folder, Clock())
    peers = known(one.pool(fresh=True)[0])
    others = [peer for peer in peers if not peer.is_self]
    one.definitions(others)
    volumes(one)
    assert one.gluster.started == 3  # both tell the same: nothing to ask
    changed(folder)
    volumes(one)
    one.definitions(others, ["arb"])  # of another volume: that may be changed just now
    volumes(one)
    assert one.gluster.started == 5
    changed(folder)
    volumes(one)
    one.definitions(others, ["rep3"])
    volumes(one)
    assert one.gluster.started == 8
