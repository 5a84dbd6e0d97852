"""A node's webhooks: ours once, everybody else's kept, the file closed to others."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import GlusterError, Unreadable
from salt_gluster.minion.automation.event_webhook import with_webhook
from salt_gluster.node.events_daemon import close_events_folder, eventsd, write_webhooks

URL = "http://198.18.0.9:24017/gluster"
TOKEN = "4f1c9a7be1f24c30"
ENTRIES = st.one_of(
    st.just("an-old-token"),
    st.fixed_dictionaries({"token": st.sampled_from(["", "x", TOKEN]), "secret": st.just("")}),
    st.fixed_dictionaries({"token": st.just("x"), "secret": st.just("s"), "more": st.integers()}),
)
URLS = st.sampled_from([URL, "http://old:1/gluster", "http://b/", "https://c/x", URL + "/"])


@given(st.dictionaries(URLS, ENTRIES))
def test_ours_stands_there_once_and_the_others_as_they_were(there: dict[str, Any]) -> None:
    wanted = with_webhook(there, URL, TOKEN)
    assert wanted[URL] == {"token": TOKEN, "secret": ""}
    assert [k for k, v in wanted.items() if isinstance(v, dict) and v["token"] == TOKEN] == [URL]
    others = {
        k: v for k, v in there.items()
        if k != URL and not (isinstance(v, dict) and v["token"] == TOKEN)
    }  # fmt: skip
    assert {k: v for k, v in wanted.items() if k != URL} == others
    assert with_webhook(wanted, URL, TOKEN) == wanted


def test_an_entry_of_ours_that_has_more_is_left_alone() -> None:
    there = {URL: {"token": TOKEN, "secret": "", "since": 3}}
    assert with_webhook(there, URL, TOKEN) == there


def test_a_secret_which_the_daemon_cannot_use_is_taken_out() -> None:
    there = {URL: {"token": TOKEN, "secret": "s"}}
    assert with_webhook(there, URL, TOKEN)[URL]["secret"] == ""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "var/lib/glusterd").mkdir(parents=True)
    (tmp_path / "etc/glusterfs").mkdir(parents=True)
    (tmp_path / "etc/glusterfs/eventsconfig.json").write_text('{"port": 24009}')
    return tmp_path


def test_a_node_without_anything_is_seen_as_such(root: Path) -> None:
    seen = eventsd(root)
    assert (seen.webhooks, seen.mode, seen.since, seen.changed_at) == ({}, None, None, None)
    assert (seen.port, seen.listens) == (24009, 24009)
    assert not seen.is_current


def test_the_folder_is_closed_and_the_file_too(root: Path) -> None:
    folder = root / "var/lib/glusterd/events"
    folder.mkdir(mode=0o755)
    close_events_folder(root)
    write_webhooks(lambda now: now | {URL: {"token": TOKEN, "secret": ""}}, root)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "webhooks.json").stat().st_mode & 0o777 == 0o600
    assert eventsd(root).webhooks == {URL: {"token": TOKEN, "secret": ""}}


def test_a_port_that_was_moved_away_from_glusterds_is_seen(root: Path) -> None:
    close_events_folder(root)
    (root / "var/lib/glusterd/events/config.json").write_text('{"port": 5}')
    seen = eventsd(root)
    assert (seen.port, seen.listens) == (24009, 5)


@pytest.mark.parametrize("told", ["[]", "{", "7"])
def test_a_file_that_is_not_gluster_s_is_not_written_over(root: Path, told: str) -> None:
    close_events_folder(root)
    file = root / "var/lib/glusterd/events/webhooks.json"
    file.write_text(told)
    with pytest.raises(Unreadable):
        eventsd(root)
    with pytest.raises(Unreadable):
        write_webhooks(lambda now: now, root)
    assert file.read_text() == told


def test_many_writers_at_once_lose_nothing(root: Path) -> None:
    close_events_folder(root)
    failed: list[GlusterError] = []

    def add(number: int) -> None:
        try:
            write_webhooks(lambda now: now | {f"http://h/{number}": "x"}, root)
        except GlusterError as err:
            failed.append(err)

    writers = [threading.Thread(target=add, args=(n,)) for n in range(12)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    file = root / "var/lib/glusterd/events/webhooks.json"
    assert len(json.loads(file.read_text())) == 12
    assert [p.name for p in file.parent.iterdir()] == ["webhooks.json"]
