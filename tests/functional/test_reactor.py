"""The shipped reactor: one event, one call; what stands in the event never becomes SLS."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from salt.utils.reactor import Reactor, ReactWrap

import salt_gluster
from salt_gluster.remediation.salt_events import admission, request, tag

FOLDER = Path(salt_gluster.__file__).parent / "formula" / "reactor"
SLS, ADMIT = FOLDER / "execute.sls", FOLDER / "admit.sls"
UUID = "00000001-0000-4000-8000-000000000000"
ID = "0123456789012345"  # all digits: it must stay a text
TAG = tag("main", "remediation", ID, "execute")
Rendered = Callable[..., list[dict[str, Any]]]

HOSTILE = (
    'g1"]\nevil:\n  local.cmd.run:\n    - tgt: "*"\n    - arg: [touch /tmp/pwned]',
    "g1\n    - tgt: '*'",
    "{{ salt['cmd.run']('touch /tmp/pwned') }}",
    "{% set x = 1 %}{{ data | json }}",
    "!!python/object/apply:os.system ['touch /tmp/pwned']",
    "G@os:Debian",
    "' # \\ \t \u00e4 &x *x [a, b] {a: b}",
    "*",
    "g1,g2",
    "null",
    "",
)


@pytest.fixture(scope="module")
def reactor(master: Any) -> Iterator[Reactor]:
    """Salt's own reactor, not running."""
    made = Reactor(copy.deepcopy(dict(master.config)))
    yield made
    made.minion.destroy()


@pytest.fixture
def rendered(reactor: Reactor, caplog: pytest.LogCaptureFixture) -> Rendered:
    """Give the calls that the file makes of an event; Salt only logs what goes wrong."""

    def calls(data: dict[str, Any], sls: Path = SLS) -> list[dict[str, Any]]:
        with caplog.at_level(logging.ERROR):
            found = reactor.reactions(TAG, copy.deepcopy(data), [str(sls)])
        assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
        return list(found)

    return calls


def _shapes(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """As an engine of the master sends it, and as a minion does."""
    yield {**data, "_stamp": "2026-11-22T03:14:09"}
    yield {"data": data, "tag": TAG, "id": "g7", "cmd": "_minion_event", "_stamp": "2026-11-22"}


def test_a_request_becomes_one_call_on_the_one_minion(rendered: Rendered) -> None:
    for data in _shapes(request("main", ID, "g1", 1.0)["data"]):
        (call,) = rendered(data)
        assert (call["state"], call["fun"]) == ("local", "gluster_remediation.execute")
        assert (call["tgt"], call["tgt_type"]) == (["g1"], "list")
        assert call["args"] == [{"operation": ID}]


def test_nothing_but_the_id_reaches_the_minion(reactor: Reactor, rendered: Rendered) -> None:
    """What Salt's reactor hands to its client in the end, with other things in the event."""
    said: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    class Client:
        def cmd_async(self, *args: Any, **kwargs: Any) -> None:
            said.append((args, kwargs))

    data = {**request("main", ID, "g1", 1.0)["data"], "fun": "cmd.run", "tgt": "*", "arg": ["x"]}
    wrap = ReactWrap(reactor.opts)
    wrap.client_cache["local"] = Client()
    for call in rendered(data):
        wrap.run(call)
    ((args, kwargs),) = said
    assert args == (["g1"], "gluster_remediation.execute")
    assert (kwargs["arg"], kwargs["kwarg"]) == ((), {"operation": ID})


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_one_text(text: str, rendered: Rendered) -> None:
    for data in _shapes({**request("main", text, text, 1.0)["data"], text or "x": text}):
        (call,) = rendered(data)
        assert call["tgt"] == [text]
        assert call["args"] == [{"operation": text}]
        assert (call["fun"], call["tgt_type"]) == ("gluster_remediation.execute", "list")


def test_a_line_separator_that_yaml_folds_still_ends_nothing(rendered: Rendered) -> None:
    """Salt's `json` leaves U+2028 and U+0085 as they are, and YAML takes them for line ends."""
    text = "g1\u2028\u2028evil:\u0085  local.cmd.run:\u2028  - tgt: '*'"
    (call,) = rendered(request("main", text, text, 1.0)["data"])
    assert call["fun"] == "gluster_remediation.execute"
    assert len(call["tgt"]) == 1 and call["tgt"][0].startswith("g1")
    assert [set(a) for a in call["args"]] == [{"operation"}]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"operation": ID},
        {"minion": "g1"},
        {"operation": None, "minion": "g1"},
        {"operation": ID, "minion": ["g1", "g2"]},
        {"operation": {"a": 1}, "minion": "g1"},
        {"operation": 12, "minion": "g1"},
        {"data": "operation", "minion": 7},
    ],
    ids=str,
)
def test_an_event_without_the_needed_texts_makes_no_call(
    data: dict[str, Any], rendered: Rendered
) -> None:
    for shape in _shapes(data):
        assert rendered(shape) == []


@pytest.mark.parametrize("sls", [SLS, ADMIT], ids=lambda sls: sls.stem)
def test_the_file_splices_nothing_that_json_has_not_made_safe(sls: Path) -> None:
    text = sls.read_text(encoding="utf-8")
    spliced = [part.split("}}")[0].strip() for part in text.split("{{")[1:]]
    assert spliced
    assert [s for s in spliced if not s.endswith("| json")] == []


# --- a node asks to be let into Consul -----------------------------------------------------------


def _asked(minion: Any, uuid: Any) -> dict[str, Any]:
    """As the master puts a minion's event on its bus."""
    data = {**admission("main", "g9", UUID, 1.0)["data"], "uuid": uuid}
    return {"data": data, "tag": TAG, "id": minion, "cmd": "_minion_event", "_stamp": "2026-11-22"}


def test_a_node_that_asks_becomes_one_call_with_the_name_that_salt_knows(
    reactor: Reactor, rendered: Rendered
) -> None:
    said: list[tuple[Any, Any]] = []

    class Client:
        def low(self, fun: Any, low: Any) -> None:
            said.append((fun, low))

    wrap = ReactWrap(reactor.opts)
    wrap.client_cache["runner"] = Client()
    wrap.pool = _AtOnce()
    (call,) = rendered(_asked("g1", UUID), ADMIT)
    assert (call["state"], call["fun"]) == ("runner", "gluster_consul.admit")
    assert call["args"] == [{"minion": "g1"}, {"uuid": UUID}]
    wrap.run(call)
    ((fun, low),) = said
    assert fun == "gluster_consul.admit"
    assert (low["arg"], low["kwarg"]) == ((), {"minion": "g1", "uuid": UUID})


class _AtOnce:
    """Salt's pool of threads, without threads."""

    def fire_async(self, func: Any, args: Any = (), kwargs: Any = None) -> None:
        func(*args, **(kwargs or {}))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_or_uuid_stays_one_text(text: str, rendered: Rendered) -> None:
    (call,) = rendered(_asked(text, text), ADMIT)
    assert call["args"] == [{"minion": text}, {"uuid": text}]
    assert call["fun"] == "gluster_consul.admit"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"uuid": UUID, "id": "g1"},
        {"data": UUID, "id": "g1"},
        {"data": {"uuid": UUID}},
        {"data": {"uuid": UUID}, "id": ["g1"]},
        {"data": {"uuid": 7}, "id": "g1"},
        {"data": {"id": "g1"}, "id": "g1"},
    ],
    ids=str,
)
def test_an_event_that_no_minion_sent_admits_nobody(
    data: dict[str, Any], rendered: Rendered
) -> None:
    assert rendered(data, ADMIT) == []
