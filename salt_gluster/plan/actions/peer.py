"""Probe and detach a peer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from salt_gluster.model import Observation, Peer, is_known, known
from salt_gluster.plan.actions.row import WHOLE_POOL, Action, Args, pass_on


def _probe(obs: Observation, _: str, args: Args) -> Observation:
    candidate = obs.candidates.get(args["node"])
    uuid = candidate.uuid if candidate and is_known(candidate.uuid) else f"new-{args['host']}"
    peers = known(obs.peers)
    if any(p.uuid == uuid for p in peers):
        named = tuple(
            replace(p, names=(*p.names, args["host"])) if p.uuid == uuid else p for p in peers
        )
        return replace(obs, peers=named)
    return replace(obs, peers=(*peers, Peer(str(uuid), (args["host"],), True, 3)))


def _detach(obs: Observation, _: str, args: Args) -> Observation:
    gone = obs.peer_named(args["host"])
    return replace(obs, peers=tuple(p for p in known(obs.peers) if p is not gone))


def _is_member(obs: Observation, _: str, args: Args) -> bool:
    peer = obs.peer_called(args["host"])
    return peer is not None and peer.usable


def _is_no_member(obs: Observation, _: str, args: Args) -> bool:
    return obs.peer_named(args["host"]) is None


def _seen_peer(before: Observation, after: Observation, _: str, args: Args) -> dict[str, Any]:
    old, new = (_membership(o, args["host"]) for o in (before, after))
    return {args["host"]: {"old": old, "new": new}} if old != new else {}


def _membership(obs: Observation, host: str) -> str | None:
    if obs.peer_called(host) is not None:
        return "member"
    peer = obs.peer_named(host)
    return None if peer is None else f"known as {peer.name}"


ROWS = (
    Action(
        "peer_probe", ("not_held", "right_pool", "majority", "single_version"),
        "peer_probe", pass_on("host"), _probe, _is_member, _seen_peer,
        "a member is answered 'already in peer list'",
    ),
    Action(
        "peer_detach", WHOLE_POOL,
        "peer_detach", pass_on("host"), _detach, _is_no_member, _seen_peer,
        "an unknown host is answered 'not part of cluster'; one with bricks is refused",
    ),
)  # fmt: skip
