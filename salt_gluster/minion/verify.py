"""Verify that a step has done what its row of ``plan/actions/`` says: the only read back there is.

A clean reply proves nothing (facts.md#G-0.6, #G-0.7, #G-0.10). A change of a volume is there when
the members agree on it, a brick's process when it also accepts a connection from here.
"""

from __future__ import annotations

from salt_gluster import node
from salt_gluster.minion.driver import Driver
from salt_gluster.model import Facet, Observation, Refusal, Step, Unknown, brick_at, is_known, known
from salt_gluster.plan import guards
from salt_gluster.plan.actions import ACTIONS, is_done

#: Seconds to wait for a step's post-condition: a brick is up 0.1-16 s after its start
#: (facts.md#C-B.3).
READ_BACK_S = 20.0
POLL_S = 0.5
#: How long a brick may take to accept a connection.
CONNECT_S = 3.0


def read_back(
    driver: Driver, step: Step, *, wait_s: float = READ_BACK_S
) -> tuple[Observation, tuple[Refusal, ...]]:
    """Return the last observation and what is unmet in it, at the latest after ``wait_s``."""
    until = driver.now() + wait_s
    while True:
        obs = driver.observe(facets(step), fresh=True)
        missing = unmet(obs, step)
        if not missing or driver.now() >= until:
            return obs, missing
        driver.sleep(POLL_S)


def facets(step: Step, *, agreed: bool = False) -> frozenset[Facet]:
    """Return what has to be observed to verify a step; ``agreed`` as in ``unmet``."""
    wanted = set(guards.definition_facets(step)) if is_on_volume(step) and not agreed else set()
    if step.action in ("volume_start", "brick_restart"):
        wanted.add(Facet("status", step.subject))
    if step.action == "brick_restart":
        wanted.add(Facet("reach"))
    if step.place == "node":
        wanted.add(Facet("path", step.subject))
    return frozenset(wanted)


def unmet(obs: Observation, step: Step, *, agreed: bool = False) -> tuple[Refusal, ...]:
    """Return what of a step's post-condition does not hold; () = the step is verified.

    With ``agreed`` the members have told the same definition since the step: they were not asked
    again.
    """
    if not is_seen(obs, step):
        return (Refusal("seen", "glusterd here does not answer"),)
    if step.action == "brick_restart":
        return _unmet_of_brick(obs, step)
    if not is_done(obs, step):
        return (Refusal("done", f"'{step.text}' does not show"),)
    differs = None if agreed or not is_on_volume(step) else guards.definitions_equal(obs, step, ())
    return (differs,) if differs is not None else ()


def is_agreed(obs: Observation, step: Step) -> bool:
    """Return whether the members tell the same of a volume that was started."""
    if step.action != "volume_start" or not is_seen(obs, step):
        return False
    volume = known(obs.volumes).get(step.subject)
    is_started = volume is not None and volume.is_started
    return is_started and guards.definitions_equal(obs, step, ()) is None


def is_seen(obs: Observation, step: Step) -> bool:
    """Return whether the observation can show the step at all."""
    return step.place == "node" or (is_known(obs.peers) and is_known(obs.volumes))


def is_on_volume(step: Step) -> bool:
    """Return whether the step changes a volume."""
    return ACTIONS[step.action].command.startswith("volume_")


def _unmet_of_brick(obs: Observation, step: Step) -> tuple[Refusal, ...]:
    """Check a brick's row with pid and port, a connection to it, and another member's word."""
    brick, volume = str(step.args["brick"]), step.subject
    if not is_done(obs, step):
        return (Refusal("row_up", f"{brick} has no row with a pid and a numeric port"),)
    missing = []
    rows = known(obs.status[volume]).bricks
    wanted = (step.args["node"], step.args["path"])
    ports = [r.port for r in rows if (r.host_uuid, r.path) == wanted]
    host = brick_at(brick)[0]
    if not any(port and node.accepts(host, port, CONNECT_S) for port in ports):
        missing.append(Refusal("connects", f"{brick} does not accept a connection"))
    own = known(obs.volumes)[volume].digest()
    others = [d for d in obs.definitions.values() if not isinstance(d, Unknown)]
    if len(known(obs.peers)) > 1 and not any(d.get(volume) == own for d in others):
        why = f"no other member tells the definition of {volume} that is here"
        missing.append(Refusal("told_elsewhere", why))
    return tuple(missing)
