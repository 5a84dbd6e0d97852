"""Evidence: facts to plain data and back, whose command it was, what disks and logs tell."""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from salt_gluster.model import Brick, BrickFacts, Change, Hold, NodeFacts, Unknown, Volume
from salt_gluster.node import cmd_history, filesystems, timeouts
from salt_gluster.node.mounts import Mount
from salt_gluster.status.checks import signs
from salt_gluster.status.facts import facts_data, facts_from, identity_after

DATA = Volume("data", "id-1", "Started", "replicate", (Brick("g1", "/b/1", "u1"),), 1, 3,
              options={"a.b": "on"})  # fmt: skip
WELL = BrickFacts(True, 49152, True, False, "fs-1", "id-1", True, 0, False)
FACTS = NodeFacts(
    1000.5, 900.25, True, 100000, ("data",), {"data": DATA}, {"u2": True, "u3": False},
    {"/b/1": WELL, "/b/2": replace(WELL, alive=False, port=None, volume_id=None)},
    (Change(990.0, "volume set data x y", False),), Hold("moving", "ann", 5.0),
)  # fmt: skip


def there_and_back(facts: NodeFacts, **report: Any) -> NodeFacts | Unknown:
    return facts_from(json.loads(json.dumps({"facts": facts_data(facts), **report})))


def test_facts_survive_the_journey() -> None:
    assert there_and_back(FACTS) == FACTS
    bare = replace(FACTS, glusterd_started=None, hold=None, changes=(), bricks={})
    assert there_and_back(bare) == bare


def test_the_unknown_stays_unknown_with_its_reason() -> None:
    all_unknown = NodeFacts(1.0, bricks={"/b": BrickFacts()})
    found = there_and_back(all_unknown)
    assert isinstance(found, NodeFacts)
    for name in ("glusterd_started", "glusterd_answers", "version", "volumes_without_info",
                 "volumes", "connected", "changes", "hold"):  # fmt: skip
        value = getattr(found, name)
        assert isinstance(value, Unknown), name
        assert value.why == "not asked"
    assert all(isinstance(v, Unknown) for v in vars(found.bricks["/b"]).values())


def test_a_volume_called_unknown_is_a_volume() -> None:
    odd = replace(FACTS, volumes={"unknown": replace(DATA, name="unknown")})
    assert there_and_back(odd) == odd


def test_definitions_may_stand_in_the_report_alone() -> None:
    data = facts_data(FACTS)
    volumes = data.pop("volumes")
    assert facts_from({"facts": data, "volumes": volumes}) == FACTS
    told = facts_from({"facts": data, "volumes": {"unknown": "no answer"}})
    assert isinstance(told, NodeFacts)
    assert isinstance(told.volumes, Unknown)


@pytest.mark.parametrize(
    "facts",
    [
        None,
        {},
        {**facts_data(FACTS), "schema": 2},
        {k: v for k, v in facts_data(FACTS).items() if k != "changes"},
        {**facts_data(FACTS), "glusterd_answers": "yes"},
        {**facts_data(FACTS), "bricks": {"/b": {"alive": 1}}},
        {**facts_data(FACTS), "changes": [{"at": 1, "command": "x", "ours": "no"}]},
    ],
)
def test_what_cannot_be_read_is_unknown_as_a_whole(facts: Any) -> None:
    assert isinstance(facts_from({"facts": facts}), Unknown)


# --- whose command -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        ("volume status data", False),
        ("volume info", False),
        ("volume get data all", False),
        ("volume list", False),
        ("vol status data", False),
        ("v set data a b", True),
        ("pool list", False),
        ("peer status", False),
        ("get-state glusterd odir /tmp file x detail", False),
        ("volume profile data info peek", False),
        ("volume profile data start", True),
        ("volume heal data info summary", False),
        ("volume heal data", True),
        ("volume heal data full", True),
        ("volume heal data split-brain source-brick g1:/b/info", True),
        ("volume heal data info split-brain", False),
        ("volume rebalance data status", False),
        ("volume rebalance data start", True),
        ("volume remove-brick data g1:/b status", False),
        ("volume remove-brick data g1:/b commit", True),
        ("volume top data open", False),
        ("volume start data force", True),
        ("volume stop info", True),
        ("volume delete status", True),
        ("volume set status a b", True),
        ("peer probe g2", True),
        ("peer detach status", True),
        ("system:: uuid get", False),
        ("system:: uuid reset", True),
        ("snapshot list", False),
        ("snapshot delete s1", True),
        ("something new", True),
    ],
)
def test_a_look_is_no_change_and_the_unknown_is_one(command: str, changes: bool) -> None:
    assert cmd_history.is_change(command) is changes


def line(at: float, command: str, end: str = "SUCCESS") -> str:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
    return f"[{stamp}.{int(at % 1 * 1e6):06} +0000]  : {command} : {end}\n"


def logged(root: Path, text: str, name: str = "cmd_history.log") -> None:
    folder = root / "var/log/glusterfs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_ours_is_what_was_noted_once_each_and_failures_count(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    ended = cmd_history.note_sent(["volume", "start", "data", "force"], sent)
    now = time.time()
    ended()
    logged(
        tmp_path,
        line(now - 90000, "volume stop data")
        + line(now - 600, "volume start data force")
        + line(now, "volume start data force")
        + line(now + 0.5, "volume start data force", "FAILED : Locking failed")
        + line(now, "volume status data")
        + line(now, "volume set data a b"),
    )
    found = cmd_history.changes(now + 1, tmp_path, sent)
    assert not isinstance(found, Unknown)
    assert [(c.command, c.ours) for c in found] == [
        ("volume start data force", False),
        ("volume start data force", True),
        ("volume start data force", False),
        ("volume set data a b", False),
    ]
    assert found[1].at == pytest.approx(now, abs=1e-3)


def test_a_command_whose_sender_was_killed_is_still_ours(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    cmd_history.note_sent(["volume", "set", "data", "a", "b"], sent)
    now = time.time()
    logged(tmp_path, line(now + 60, "volume set data a b") + line(now + 900, "volume set data a b"))
    found = cmd_history.changes(now + 901, tmp_path, sent)
    assert not isinstance(found, Unknown)
    assert [c.ours for c in found] == [True, False]


def test_the_history_before_the_rotation_counts_and_a_missing_one_is_unknown(
    tmp_path: Path,
) -> None:
    now = time.time()
    assert isinstance(cmd_history.changes(now, tmp_path, tmp_path / "none"), Unknown)
    logged(tmp_path, line(now - 100, "volume stop data"), "cmd_history.log.1")
    logged(tmp_path, "")
    found = cmd_history.changes(now, tmp_path, tmp_path / "none")
    assert not isinstance(found, Unknown)
    assert [(c.command, c.ours) for c in found] == [("volume stop data", False)]


def test_the_notes_stay_small_and_keep_the_newest(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    for number in range(3000):
        cmd_history.note_sent(["volume", "set", f"v{number}", "user.some-option", "value"], sent)
    assert sent.stat().st_size < 2 * cmd_history._MOST_BYTES
    now = time.time()
    logged(tmp_path, line(now, "volume set v2999 user.some-option value"))
    found = cmd_history.changes(now + 1, tmp_path, sent)
    assert not isinstance(found, Unknown)
    assert found[0].ours


# --- disks and logs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names", "count"),
    [
        ("blk_update_request: I/O error, dev sda, sector 8", {"sda1", "sda"}, 1),
        ("blk_update_request: I/O error, dev sdab, sector 8", {"sda"}, 0),
        ("XFS (dm-0): Log I/O Error (0x6) detected at x.  Shutting down filesystem.", {"dm-0"}, 1),
        ("EXT4-fs error (device sda1): ext4_find_entry: reading directory", {"sda1"}, 1),
        ("critical medium error, dev nvme0n1, sector 8", {"nvme0n1"}, 1),
        ("XFS (loop0): Mounting V5 Filesystem", {"loop0"}, 0),
        ("I/O error, dev loop0\nloop0: detected capacity change from 0 to 4096", {"loop0"}, 0),
        ("loop0: detected capacity change from 0 to 4096\nI/O error, dev loop0", {"loop0"}, 1),
        ("I/O error, dev loop0\nloop1: detected capacity change from 0 to 4096", {"loop0"}, 1),
        ("I/O error, dev sda\nsda: detected capacity change from 0 to 4096", {"sda"}, 1),
    ],
)
def test_errors_of_the_own_disk_are_counted(text: str, names: set[str], count: int) -> None:
    assert filesystems.io_errors(text.splitlines(), frozenset(names)) == count


def test_a_file_system_tells_its_own_uuid(tmp_path: Path) -> None:
    mine = uuid.uuid4()
    disk = tmp_path / "disk"
    disk.write_bytes(b"XFSB" + b"\0" * 28 + mine.bytes + b"\0" * 512)
    superblock = filesystems._SUPERBLOCKS["xfs"]
    with disk.open("rb") as handle:
        handle.seek(superblock.uuid_at)
        assert uuid.UUID(bytes=handle.read(16)) == mine
    told = filesystems.filesystem_uuid(Mount("/", "overlay", "overlay"))
    assert isinstance(told, Unknown)
    assert "overlay" in told.why


def test_what_hangs_is_left_behind_once() -> None:
    asked: list[int] = []
    free = threading.Event()

    def hang() -> int:
        asked.append(1)
        free.wait(60)
        return 7

    for _ in range(3):
        assert isinstance(timeouts.call_with_timeout(0.05, "a disk", hang), Unknown)
    assert len(asked) == 1
    free.set()
    timeouts._hanging["a disk"].join(60)
    assert timeouts.call_with_timeout(20, "a disk", hang) == 7
    with pytest.raises(ZeroDivisionError):
        timeouts.call_with_timeout(2, "another", lambda: 1 // 0)


# --- what is recorded, and what the checks say ---------------------------------------------------


def identity(before: dict[str, Any] | None, facts: NodeFacts) -> dict[str, Any]:
    return dict(identity_after(before, facts, "u1", "g1")["bricks"])


ROW = {"filesystem": "fs-1", "volume_id": "id-1"}
CALM = replace(FACTS, volumes_without_info=(), bricks={"/b/1": WELL})


def test_a_brick_is_recorded_while_it_is_well_only() -> None:
    assert identity(None, CALM) == {"/b/1": ROW}
    why = Unknown("no answer")
    for spoilt in (
        {"alive": False}, {"alive": why}, {"port": None}, {"mounted": False}, {"mounted": why},
        {"read_only": True}, {"filesystem": why}, {"volume_id": "id-2"}, {"volume_id": None},
        {"gluster_root": False}, {"gluster_root": why}, {"read_only": why},
        {"health_check_ended": True},
    ):  # fmt: skip
        ill = replace(CALM, bricks={"/b/1": replace(WELL, **spoilt)})
        assert identity(None, ill) == {}, spoilt
    multiplexed = replace(WELL, health_check_ended=why)
    assert identity(None, replace(CALM, bricks={"/b/1": multiplexed})) == {"/b/1": ROW}


def test_what_was_recorded_is_not_replaced_by_what_is_there_now() -> None:
    other = replace(CALM, bricks={"/b/1": replace(WELL, filesystem="root-disk")})
    assert identity({"bricks": {"/b/1": ROW}}, other) == {"/b/1": ROW}


def test_a_record_goes_with_its_volume_and_not_with_a_silent_or_importing_glusterd() -> None:
    before = {"bricks": {"/b/1": ROW}}
    gone = replace(CALM, volumes={}, bricks={})
    assert identity(before, gone) == {}
    assert identity(before, replace(gone, volumes=Unknown("down"))) == {"/b/1": ROW}
    assert identity(before, replace(gone, volumes_without_info=("data",))) == {"/b/1": ROW}
    assert identity(before, replace(gone, volumes_without_info=Unknown("x"))) == {"/b/1": ROW}
    anew = replace(DATA, id="id-2")
    again = replace(WELL, filesystem="fs-2", volume_id="id-2")
    made = replace(CALM, volumes={"data": anew}, bricks={"/b/1": again})
    assert identity(before, made) == {"/b/1": {"filesystem": "fs-2", "volume_id": "id-2"}}


def sign(name: str, facts: NodeFacts, **rows: Any) -> str:
    return told(name, facts, **rows)[0]


def told(name: str, facts: NodeFacts, **rows: Any) -> tuple[str, str]:
    row = {"name": "g1:/b/1", "pending": 0, "free": 50, "total": 100, **rows}
    report = {"uuid": "u1", "facts": facts_data(facts), "bricks": {"data": [row]}}
    return signs(report)[name]


def test_the_checks_hint_at_what_a_look_is_due_to() -> None:
    def brick(**changed: Any) -> NodeFacts:
        return replace(CALM, bricks={"/b/1": replace(WELL, **changed)})

    assert sign("bricks", CALM) == "passing"
    assert sign("bricks", brick(alive=False, port=None)) == "critical"
    assert sign("bricks", brick(alive=Unknown("x"), port=Unknown("x"))) == "warning"
    assert sign("bricks", brick(port=None)) == "warning"
    assert sign("bricks", replace(CALM, glusterd_answers=False)) == "critical"
    assert sign("bricks", replace(CALM, glusterd_started=None)) == "critical"
    assert sign("bricks", replace(CALM, glusterd_answers=Unknown("x"))) == "warning"
    stopped = {"data": replace(DATA, status="Stopped")}
    assert sign("bricks", replace(brick(alive=False, port=None), volumes=stopped)) == "passing"
    assert sign("heal", CALM) == "passing"
    assert sign("heal", CALM, pending=3) == "warning"
    assert sign("heal", CALM, pending={"unknown": "x"}) == "warning"
    assert sign("space", CALM) == "passing"
    assert sign("space", CALM, free=8) == "warning"
    assert sign("space", CALM, free=3) == "critical"
    assert sign("space", CALM, free={"unknown": "x"}) == "passing"
    assert signs({"facts": None, "bricks": {"unknown": "down"}})["bricks"][0] == "warning"


def test_every_check_says_in_words_what_it_is_green_or_red_for() -> None:
    dead = replace(CALM, bricks={"/b/1": replace(WELL, alive=False, port=None)})
    assert told("bricks", CALM)[1] == "1 brick serves"
    assert told("bricks", replace(CALM, bricks={}))[1] == "no brick has to serve"
    assert told("bricks", dead)[1] == "no process: /b/1"
    assert told("heal", CALM)[1] == "nothing to heal"
    assert told("heal", CALM, pending=3)[1] == "g1:/b/1: 3 to heal"
    assert told("space", CALM)[1] == "10% or more free: g1:/b/1"
    assert told("space", CALM, free=3)[1] == "g1:/b/1: 3% free"


def test_what_was_not_looked_at_is_not_said_to_be_well() -> None:
    blind = signs({"facts": None, "bricks": {"unknown": "glusterd is down"}})
    assert blind["heal"] == blind["space"] == ("warning", "not known: glusterd is down")
    assert signs({"facts": None})["heal"][0] == "warning"
    assert told("space", CALM, free={"unknown": "x"})[1] == ""
