"""Every recorded answer goes through the parser of its command, not only the few looked at.

A parser may find nothing in an answer; what it must not do is to fail on one, or to give a number
where gluster gave none.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import samples

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import CliAnswer, parse_answer
from salt_gluster.gluster.parse.get_state import state_file
from salt_gluster.gluster.parse.heal import parse_heal_entries, parse_heal_info, parse_heal_summary
from salt_gluster.gluster.parse.option import parse_volume_get
from salt_gluster.gluster.parse.peer import parse_pool_list, parse_uuid
from salt_gluster.gluster.parse.profile import parse_profile
from salt_gluster.gluster.parse.task import parse_task_id, parse_task_progress
from salt_gluster.gluster.parse.volume import (
    parse_volume_clients,
    parse_volume_detail,
    parse_volume_info,
    parse_volume_status,
    parse_volume_tasks,
)

#: What the command line looks like -> what reads it. The first that fits.
READERS: list[tuple[str, Callable[[CliAnswer, str], object]]] = [
    (r"(pool list|peer status)", lambda a, _: parse_pool_list(a)),
    (r"system:: uuid get", lambda a, _: parse_uuid(a)),
    (r"volume info\b", lambda a, _: parse_volume_info(a)),
    (r"volume status (?!all)(\S+) detail", lambda a, _: parse_volume_detail(a)),
    (r"volume status (?!all)(\S+) clients", lambda a, _: parse_volume_clients(a)),
    (r"volume status (?!all)(\S+) tasks", parse_volume_tasks),
    (r"volume status (?!all)(\S+)( \S+:\S+)?$", parse_volume_status),
    (r"volume heal \S+ info summary", lambda a, _: parse_heal_summary(a)),
    (r"volume heal \S+ info split-brain", lambda a, _: parse_heal_entries(a)),
    (r"volume heal \S+ info", lambda a, _: (parse_heal_info(a), parse_heal_entries(a))),
    (r"volume get \S+ ", lambda a, _: parse_volume_get(a)),
    (r"volume profile \S+ info( cumulative| peek)?$", lambda a, _: parse_profile(a)),
    (r"volume (rebalance|remove-brick) .* ?status$", lambda a, _: parse_task_progress(a)),
    (r"volume rebalance \S+ (fix-layout )?start", lambda a, _: parse_task_id(a)),
]


def reader(command: str) -> tuple[Callable[[CliAnswer, str], object], str] | None:
    words = re.sub(r"^gluster( --\S+)* ", "", re.sub(r" \(.*\)$", "", command))
    for pattern, read in READERS:
        if found := re.match(pattern, words):
            return read, str((found.groups() or ("",))[0])
    return None


READ = [
    (sample, found)
    for sample in samples.all_samples()
    if sample.expected == "ok" and (found := reader(sample.command))
]


def test_many_answers_are_read() -> None:
    """A pattern that matches nothing any more would leave its parser untested in silence."""
    for pattern, _ in READERS:
        fitting = [s for s, (_, _) in READ if re.search(pattern, s.command)]
        assert fitting, pattern
    assert len(READ) > 100


@pytest.mark.parametrize(("sample", "found"), READ, ids=lambda x: getattr(x, "file", ""))
def test_a_recorded_answer_is_read_by_the_parser_of_its_command(
    sample: samples.Sample, found: tuple[Callable[[CliAnswer, str], object], str]
) -> None:
    read, volume = found
    result = read(parse_answer(sample.stdout), volume)
    assert result is not None
    tasks = read is parse_volume_tasks
    if re.search(r"<task>|<id>" if tasks else r"<(hostname|volName|brickName)>", sample.stdout):
        assert result, "rows in the answer, and none were read"


@pytest.mark.parametrize(
    "sample", [s for s in samples.all_samples() if s.expected == "nothing"], ids=lambda s: s.file
)
def test_no_answer_at_all_is_unreadable(sample: samples.Sample) -> None:
    with pytest.raises(Unreadable):
        parse_answer(sample.stdout, sample.stderr, sample.rc)


@pytest.mark.parametrize("file", ["get-state.txt", "get-state-11.txt"])
def test_the_file_of_a_state_is_found_in_the_answer(file: str) -> None:
    assert state_file(samples.text(file)).startswith("/var/run/gluster/glusterd_state_")
