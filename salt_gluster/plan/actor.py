"""Which node carries a step out when many run the same declaration.

Order only saves collisions: each step is its own compare-and-swap. Nobody is asked who acts; each
node computes the same answer from what it sees.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256

from salt_gluster.model import Observation, Step, brick_at, is_known, known

#: The steps of one kind are one phase of a run: none of them waits for another.
_PHASES = ("brick_prepare", "peer_probe", "peer_detach", "volume_create", "bricks_add")
_OPTIONS = ("options_set", "option_reset")


def phase(step: Step) -> int:
    """Return when a step's turn is: lower phases are carried out before higher ones."""
    if step.action in _PHASES:
        return _PHASES.index(step.action)
    return len(_PHASES) + (step.action not in _OPTIONS)


def is_actor(obs: Observation, step: Step, hosts: Collection[str]) -> bool:
    """Return whether this node is the one that carries the step out.

    A node's own step is its own. A peer is invited by the first of ``hosts``, the declared host
    names, that is a member. A volume is changed by one of its brick hosts, chosen by the volume's
    name, so that many volumes are changed by many nodes: gluster's lock is by volume
    (facts.md#C-C.2).
    """
    if step.place == "node" or not is_known(obs.peers):
        return True
    usable, own = obs.usable, obs.own_uuid
    if own is None:
        return True
    if len(usable) == 1 < len(hosts) and not _is_on_peer(step):
        return False  # who is alone yet has to be invited first
    return own == _actor(obs, step, hosts, usable)


def _is_on_peer(step: Step) -> bool:
    return step.action.startswith("peer_")


def _actor(obs: Observation, step: Step, hosts: Collection[str], usable: frozenset[str]) -> str:
    if _is_on_peer(step):
        members = (obs.peer_named(host) for host in hosts)
        first = next((p.uuid for p in members if p is not None and p.uuid in usable), "")
        return first or min(usable)
    holding = usable & _holders(obs, step)
    return max(sorted(holding or usable), key=lambda uuid: rank(step.subject, uuid))


def _holders(obs: Observation, step: Step) -> set[str]:
    volume = known(obs.volumes).get(step.subject)
    if volume is not None:
        return {brick.host_uuid for brick in volume.bricks}
    hosts = (brick_at(str(brick))[0] for brick in step.args.get("bricks", ()))
    return {peer.uuid for peer in map(obs.peer_named, hosts) if peer is not None}


def rank(volume: str, uuid: str) -> str:
    """Return a number that orders the members for a volume, for each volume another way."""
    return sha256(f"{volume} {uuid}".encode()).hexdigest()
