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
from salt_gluster.master.config_file import REACTIONS
from salt_gluster.remediation.salt_events import admission, tag

FOLDER = Path(salt_gluster.__file__).parent / "formula" / "reactor"
ADMIT = FOLDER / "admit.sls"
UUID = "00000001-0000-4000-8000-000000000000"
TAG = tag("main", "node", "g9", "admit")
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

    def calls(data: dict[str, Any], sls: Path = ADMIT) -> list[dict[str, Any]]:
        with caplog.at_level(logging.ERROR):
            found = reactor.reactions(TAG, copy.deepcopy(data), [str(sls)])
        assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
        return list(found)

    return calls


def test_no_event_makes_a_minion_carry_anything_out() -> None:
    """Whatever is on the bus may be forged: the engine sends its requests as jobs of its own."""
    assert set(REACTIONS.values()) == {"admit.sls"}
    assert [sls.name for sls in FOLDER.iterdir() if "local." in sls.read_text()] == []


def test_a_line_separator_that_yaml_folds_still_ends_nothing(rendered: Rendered) -> None:
    """Salt's `json` leaves U+2028 and U+0085 as they are, and YAML takes them for line ends."""
    text = "g1\u2028\u2028evil:\u0085  local.cmd.run:\u2028  - tgt: '*'"
    (call,) = rendered(_asked(text, text))
    assert call["fun"] == "gluster_consul.admit"
    assert [set(a) for a in call["args"]] == [{"minion"}]


def test_the_file_splices_nothing_that_json_has_not_made_safe() -> None:
    text = ADMIT.read_text(encoding="utf-8")
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
    assert call["args"] == [{"minion": "g1"}]
    wrap.run(call)
    ((fun, low),) = said
    assert fun == "gluster_consul.admit"
    assert (low["arg"], low["kwarg"]) == ((), {"minion": "g1"})


class _AtOnce:
    """Salt's pool of threads, without threads."""

    def fire_async(self, func: Any, args: Any = (), kwargs: Any = None) -> None:
        func(*args, **(kwargs or {}))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_stays_one_text_and_nothing_else_of_the_event_goes_on(
    text: str, rendered: Rendered
) -> None:
    (call,) = rendered(_asked(text, text), ADMIT)
    assert call["args"] == [{"minion": text}]
    assert call["fun"] == "gluster_consul.admit"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"uuid": UUID, "id": "g1"},
        {"data": UUID, "id": "g1"},
        {"data": {"uuid": UUID}},
        {"data": {"uuid": UUID}, "id": ["g1"]},
    ],
    ids=str,
)
def test_an_event_that_no_minion_sent_admits_nobody(
    data: dict[str, Any], rendered: Rendered
) -> None:
    assert rendered(data, ADMIT) == []
