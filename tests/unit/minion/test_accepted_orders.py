"""What an order's refusal offers is the order itself, and it carries out that very plan."""

from __future__ import annotations

import json
import logging
import shlex
from dataclasses import replace
from typing import Any

import pytest
from simulated import Pool

from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.minion import adhoc, peer, volume
from salt_gluster.minion import option as minion_option
from salt_gluster.minion.context import Minion
from salt_gluster.minion.order import ordered
from salt_gluster.model import Brick, BrickPath, Hold, Volume
from salt_gluster.render.text import ways

THREE = ["g1", "g2", "g3"]
TIMEOUT = "network.ping-timeout"
#: Function -> how a loader module carries it out.
FUNCTIONS = {
    "gluster_option.set": lambda m, name, **more: minion_option.set_options(m, name, more),
    "gluster_option.reset": lambda m, name, option: minion_option.reset_option(m, name, option),
    "gluster_volume.create": lambda m, name, **more: volume.create(m, name, more, start=False),
    "gluster_volume.start": lambda m, name: volume.start(m, name),
    "gluster_volume.stop": lambda m, name, confirm: volume.stop(m, name, confirm),
    "gluster_volume.profile_start": lambda m, name: volume.profile(m, name, on=True),
    "gluster_peer.probe": lambda m, host: peer.probe(m, host),
    "gluster_heal.start": lambda m, name: adhoc.run_once(m, "volume_heal", name),
}
#: What is ordered of each, and the status of the volume before.
ORDERS = [
    ("gluster_option.set", {"name": "data", TIMEOUT: 9}, "Started"),
    ("gluster_option.reset", {"name": "data", "option": "performance.cache-size"}, "Started"),
    ("gluster_volume.start", {"name": "data"}, "Stopped"),
    ("gluster_volume.stop", {"name": "data", "confirm": "id-0"}, "Started"),
    ("gluster_volume.profile_start", {"name": "data"}, "Started"),
    ("gluster_peer.probe", {"host": "x"}, "Started"),
    ("gluster_heal.start", {"name": "data"}, "Started"),
]


@pytest.fixture
def pool() -> Pool:
    """A pool of three that is held, and a node x beside it."""
    made = Pool([*THREE, "x"])
    made.home.update(dict.fromkeys(THREE, 0))
    bricks = tuple(Brick(n, "/b", made.machines[n].uuid) for n in ("g1", "g2"))
    options = {"performance.cache-size": "64MB"}
    made.volumes[0]["data"] = Volume("data", "id-0", "Started", "replicate", bricks, 1, 2,
                                     options=options)  # fmt: skip
    for machine in made.machines.values():
        machine.hold = Hold("moving the rack", by="ann")
    return made


def give(pool: Pool, function: str, given: dict[str, Any], *, test: bool = False) -> dict[str, Any]:
    """Give an order as a loader module does."""
    order = ordered(function, given)

    class Simulated(Minion):
        def driver(self, *_: Any, **__: Any) -> Any:
            return pool.world("g1")

    arguments = {k: v for k, v in given.items() if k not in ("accept", "reason")}
    minion = Simulated({"id": "g1", "test": test}, {}, {}, order=order)
    return FUNCTIONS[function](minion, **arguments)  # type: ignore[no-untyped-call, no-any-return]


def offered(text: str) -> list[str]:
    """Return the words of the command that a refusal offers, its lines joined as a shell does."""
    (_, _, end) = text.replace("\\\n", "").partition("do it anyway")
    return shlex.split(end.strip().splitlines()[0])


@pytest.mark.parametrize(("function", "given", "status"), ORDERS)
def test_the_way_that_a_refused_order_offers_is_complete_and_carries_it_out(
    pool: Pool, function: str, given: dict[str, Any], status: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool.volumes[0]["data"] = replace(pool.volume("data"), status=status)
    for test in (True, False):
        with pytest.raises(GlusterError) as refused:
            give(pool, function, given, test=test)
        words = offered(refused.value.message)
        assert words[:3] == ["salt", "g1", function] and words[3] == str(next(iter(given.values())))
        assert words[-2:] == ["accept=not_held", "reason=..."]
    assert pool.log == []
    more = dict(word.split("=", 1) for word in words[4:-2])
    assert more == {k: str(v) for k, v in list(given.items())[1:]}
    accepted = {**given, "accept": "not_held", "reason": "ann said so"}
    foreseen = give(pool, function, accepted, test=True)
    assert pool.log == [] and foreseen["changes"]
    with caplog.at_level(logging.WARNING):
        assert give(pool, function, accepted)["changes"] == foreseen["changes"]
    assert len(pool.asked) == 1, "one step, sent once"
    assert "accepted ['not_held'] because 'ann said so'" in caplog.text


def test_what_was_not_accepted_still_refuses_and_the_way_names_all(pool: Pool) -> None:
    pool.machines["g2"].answers = False
    given = {"name": "data", TIMEOUT: 9, "accept": ["not_held"], "reason": "ann said so"}
    with pytest.raises(GlusterError) as refused:
        give(pool, "gluster_option.set", given)
    assert offered(refused.value.message)[-2].startswith("accept=not_held,pool_whole")
    assert pool.log == []


def test_what_no_operator_can_accept_is_an_error_and_so_is_a_missing_reason(pool: Pool) -> None:
    given = {"name": "data", "confirm": "another"}
    for names in ("confirm", "not_held,confirm", ["no_such_guard"]):
        with pytest.raises(SpecError, match="cannot be accepted"):
            give(pool, "gluster_volume.stop", {**given, "accept": names, "reason": "why not"})
    with pytest.raises(SpecError, match="reason"):
        give(pool, "gluster_option.set", {"name": "data", TIMEOUT: 9, "accept": "not_held"})
    with pytest.raises(GlusterError) as refused:
        give(pool, "gluster_volume.stop", {**given, "accept": "not_held", "reason": "x"})
    assert "do it anyway" not in refused.value.message, "the id was wrong: that is no risk to take"
    assert pool.asked == []


def test_an_order_that_would_wait_says_so_in_test_mode_and_fails_in_earnest(pool: Pool) -> None:
    """g3 has not prepared its directory: an operator has to know that nothing was made."""
    pool.prepared_all = False
    for name, machine in pool.machines.items():
        machine.hold = None
        if name in ("g1", "g2"):
            machine.paths["/n/new"] = BrickPath("/n/new", True, True, "/n")
    bricks = [f"{name}:/n/new" for name in THREE]
    given = {"name": "new", "bricks": bricks, "replica": 3}
    foreseen = give(pool, "gluster_volume.create", given, test=True)
    assert "waiting: g3 has not" in foreseen["comment"]
    with pytest.raises(GlusterError) as failed:
        give(pool, "gluster_volume.create", given)
    assert failed.value.kind == "not_done" and "g3 has not prepared" in failed.value.message
    assert pool.log == []


def test_a_long_order_is_broken_between_its_words_and_never_inside_quotes() -> None:
    bricks = [f"g{n}:/srv/gluster/data/{n}" for n in range(1, 9)]
    given = {"name": "data", "bricks": bricks, "note": "two  blanks", "options": {"a.b": "it's"}}
    command = ordered("gluster_volume.create", given).command("g1")
    (line, *rest) = ways([f"do it anyway   {command} accept=paths_fit reason='...'"], 66)
    joined = "\n".join([line, *rest]).replace("\\\n", "")
    words = shlex.split(joined.strip())[3:]
    assert words[:4] == ["salt", "g1", "gluster_volume.create", "data"]
    read = {k: json.loads(v) for k, v in (w.split("=", 1) for w in words[4:-2])}
    assert read == {k: given[k] for k in ("bricks", "note", "options")}
