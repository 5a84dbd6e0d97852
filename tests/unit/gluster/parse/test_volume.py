from __future__ import annotations

import re
from dataclasses import replace

import pytest
import samples

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import parse_answer
from salt_gluster.gluster.parse.task import TaskState, parse_task_id, parse_task_progress
from salt_gluster.gluster.parse.volume import (
    parse_volume_clients,
    parse_volume_detail,
    parse_volume_info,
    parse_volume_status,
    parse_volume_tasks,
)
from salt_gluster.model import Unknown


def test_every_type_of_volume_is_told_apart() -> None:
    volumes = parse_volume_info(samples.answer("volume-info-all.xml"))
    shapes = {
        v.name: (v.kind, v.replica, v.arbiter, v.disperse, v.redundancy, len(v.sets))
        for v in volumes.values()
    }
    assert shapes == {
        "arb": ("replicate", 3, 1, 0, 0, 1),
        "disp": ("disperse", 1, 0, 6, 2, 1),
        "dist": ("distribute", 1, 0, 0, 0, 3),
        "drep": ("replicate", 3, 0, 0, 0, 2),
        "rep3": ("replicate", 3, 0, 0, 0, 1),
    }
    assert [b.is_arbiter for b in volumes["arb"].bricks] == [False, False, True]
    assert not any(v.is_broken for v in volumes.values())


def test_a_brick_keeps_its_spelling_and_its_nodes_uuid() -> None:
    (volume,) = parse_volume_info(samples.answer("volume-info-bricks-by-ip-and-alias.xml")).values()
    assert [b.name for b in volume.bricks] == ["198.18.8.4:/bricks/ip/b1", "gfn5-alt:/bricks/ip/b1"]
    assert all(len(b.host_uuid) == 36 for b in volume.bricks)


def test_the_digest_of_a_definition_ignores_the_order_of_options() -> None:
    text = samples.text("volume-info-arb.xml")
    options = text[text.index("<option>") : text.rindex("</option>") + len("</option>")]
    parts = [p for p in options.split("</option>") if p.strip()]
    turned = text.replace(options, "".join(f"{p}</option>" for p in reversed(parts)))
    other = text.replace("<value>off</value>", "<value>on</value>")
    digests = [parse_volume_info(parse_answer(t))["arb"].digest() for t in (text, turned, other)]
    assert turned != text
    assert digests[0] == digests[1] != digests[2]


def test_a_member_that_has_forgotten_what_it_does_not_know_tells_the_same_definition() -> None:
    """GlusterFS 11 forgets ``nfs.disable`` at its next start; another value is a person's."""
    (whole,) = parse_volume_info(samples.answer("volume-info-arb.xml")).values()
    assert whole.options["nfs.disable"] == "on"
    left = {name: value for name, value in whole.options.items() if name != "nfs.disable"}
    off = whole.options | {"nfs.disable": "off"}
    digests = [replace(whole, options=told).digest() for told in (whole.options, left, off)]
    assert digests[0] == digests[1] != digests[2]


def test_an_empty_pool_has_no_volumes() -> None:
    assert parse_volume_info(samples.answer("volume-info-empty.xml")) == {}


@pytest.mark.parametrize("element", ["distCount", "replicaCount", "id", "disperseCount"])
def test_a_definition_without_a_mandatory_element_is_unreadable(element: str) -> None:
    cut = samples.text("volume-info-arb.xml").replace(element, "gone")
    with pytest.raises(Unreadable, match=element):
        parse_volume_info(parse_answer(cut))


def test_a_dead_brick_is_down_and_daemons_stand_apart() -> None:
    status = parse_volume_status(samples.answer("volume-status-rep3-brick-killed.xml"), "rep3")
    assert [(b.host, b.up, b.port, b.pid) for b in status.bricks] == [
        ("gfn1", True, 58485, 23814),
        ("gfn2", False, None, None),
        ("gfn3", True, 52917, 23964),
    ]
    assert [(d.kind, d.host, d.online) for d in status.daemons] == [
        ("self-heal", "localhost", True),
        ("self-heal", "gfn2", True),
        ("self-heal", "gfn3", True),
    ]


def test_a_brick_whose_glusterd_is_away_has_no_row() -> None:
    status = parse_volume_status(samples.answer("volume-status-rep3-glusterd-killed.xml"), "rep3")
    assert {b.host for b in status.bricks} == {"gfn1", "gfn2"}


def test_status_1_without_a_port_is_not_up() -> None:
    file = "peer-repaired-volume-status-brick-port-na.xml"
    (brick,) = (
        b for b in parse_volume_status(samples.answer(file), "v1").bricks if b.host == "gfn3"
    )
    assert (brick.online, brick.port, brick.up) == (True, None, False)


def test_an_answer_that_leaves_the_volume_out_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="leaves volume other out"):
        parse_volume_status(samples.answer("volume-status-rep3.xml"), "other")


def test_quota_and_bitrot_daemons_are_named() -> None:
    kinds = {
        row.kind
        for file in ("status-rep3-quota.xml", "status-rep3-bitrot.xml")
        for row in parse_volume_status(samples.answer(file), "rep3").daemons
    }
    assert kinds == {"self-heal", "quota", "bitrot", "scrub"}


def test_space_is_in_bytes_and_missing_numbers_are_not_zero() -> None:
    text = samples.text("volume-status-rep3-detail.xml")
    spaces = parse_volume_detail(parse_answer(text))
    assert spaces[0].brick == "gfn1:/bricks/rep3/b1"
    assert (spaces[0].total, spaces[0].free) == (21407727616, 21213663232)
    cut = text.replace("<sizeFree>21213663232</sizeFree>", "<sizeFree>N/A</sizeFree>")
    assert [s.brick for s in parse_volume_detail(parse_answer(cut))] == [
        s.brick for s in spaces[1:]
    ]


def test_clients_are_listed_per_brick() -> None:
    clients = parse_volume_clients(samples.answer("volume-status-rep3-clients.xml"))
    first = [c for c in clients if c.brick == "gfn1:/bricks/rep3/b1"]
    assert [c.address for c in first][:2] == ["198.18.8.1:49145", "198.18.8.2:49142"]
    assert {c.op_version for c in clients} == {100000}


def test_tasks_have_glusterds_numbers() -> None:
    (task,) = parse_volume_tasks(
        samples.answer("volume-status-tasks-remove-brick-running.xml"), "ex"
    )
    assert (task.kind, task.state) == ("Remove brick", TaskState.IN_PROGRESS)
    assert parse_volume_tasks(samples.answer("volume-status-tasks-after-commit.xml"), "ex") == ()


@pytest.mark.parametrize(
    ("file", "state", "files", "completed"),
    [
        ("rebalance-status-running.xml", TaskState.IN_PROGRESS, 10, False),
        ("rebalance-stop.xml", TaskState.STOPPED, 22, False),
        ("rebalance-status-fix-layout2.xml", TaskState.FIX_LAYOUT_COMPLETED, 0, False),
        ("remove-brick-status-completed.xml", TaskState.COMPLETED, 677, True),
    ],
)
def test_a_task_is_completed_only_where_every_node_is(
    file: str, state: int, files: int, completed: bool
) -> None:
    progress = parse_task_progress(samples.answer(file))
    assert (progress.total.state, progress.total.files) == (state, files)
    assert progress.is_completed is completed


def test_failed_files_and_unknown_failures_forbid_a_commit() -> None:
    text = samples.text("remove-brick-status-completed.xml")
    for number in ("3", "N/A"):
        bad = text.replace("<failures>0</failures>", f"<failures>{number}</failures>")
        assert not parse_task_progress(parse_answer(bad)).is_completed


def test_the_start_of_a_task_gives_its_id() -> None:
    started = parse_task_id(samples.answer("remove-brick-start.xml"))
    assert started == "4c3fcd24-bee9-4884-917e-c261e48f2bcf"
    with pytest.raises(Unreadable):
        parse_task_progress(samples.answer("rebalance-start.xml"))


def test_a_file_system_that_counts_no_inodes_has_its_bytes() -> None:
    """tmpfs with nr_inodes=0, btrfs: no inode elements at all (facts.md#G-5.3)."""
    text = samples.text("volume-status-rep3-detail.xml")
    without = re.sub(r"<inodes(Total|Free)>[^<]*</inodes(Total|Free)>", "", text)
    assert without != text
    seen = parse_volume_detail(parse_answer(without))
    sized = parse_volume_detail(parse_answer(text))
    assert [(s.brick, s.total, s.free) for s in seen] == [(s.brick, s.total, s.free) for s in sized]
    assert all(isinstance(s.inodes_total, Unknown) for s in seen)
