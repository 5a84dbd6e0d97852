"""Plan the members: probe the declared nodes, never twice, never one of another pool."""

from __future__ import annotations

from collections.abc import Sequence

from salt_gluster.model import (
    Candidate,
    Facet,
    Observation,
    Peer,
    Plan,
    Step,
    Unknown,
    Wait,
    is_known,
    known,
    some,
)
from salt_gluster.plan.builder import Draft, refuse_unknown_pool

#: How long a declared node may take to start its glusterd while the others are being applied.
SILENCE_S = 45
#: From a probe by another member until this node sees the new one too: 1-5 s (facts.md#C-A.1).
JOINING_S = 30


def plan_peer(
    node: str, host: str, obs: Observation, *, nodes: Sequence[str], hosts: Sequence[str]
) -> Plan:
    """Plan that ``node``, which gluster calls ``host``, is a member.

    ``nodes`` and ``hosts`` are all declared nodes and their host names, in the order written: the
    first one alone begins a pool: two halves would form two pools.
    """
    refused = refuse_unknown_pool(node, obs)
    if refused:
        return refused
    draft = Draft(node, obs)
    called, meant = obs.peer_called(host), obs.peer_named(host)
    if called is not None:
        _known_member(draft, called, obs)
    elif meant is not None and not meant.is_self:
        _give_name(draft, node, host, meant)
    elif _is_founder(obs, nodes) or _is_established(obs):
        _invite(draft, node, host, obs, hosts)
    else:
        _await_invitation(draft, nodes[0], hosts[0], obs)
    return draft.finish()


def plan_own_membership(obs: Observation, *, nodes: Sequence[str], hosts: Sequence[str]) -> Plan:
    """Plan that this node itself is in the pool with the others; it can only wait for that.

    The first declared node begins a pool, unless others of the declaration have one without it.
    """
    node = obs.node.name
    refused = refuse_unknown_pool(node, obs)
    if refused:
        return refused
    draft = Draft(node, obs)
    if len(nodes) == 1 or _is_established(obs):
        return draft.finish()
    _refuse_strange_name(draft, obs)
    if not _is_founder(obs, nodes):
        _await_invitation(draft, nodes[0], hosts[0], obs)
    else:
        draft.needs |= {Facet("candidate", h) for h in hosts if obs.peer_named(h) is None}
        _await_declared_pool(draft, obs, hosts)
    return draft.finish()


def _refuse_strange_name(draft: Draft, obs: Observation) -> None:
    """Bricks of this node would be somebody else's: glusterd takes the name for another node."""
    node = obs.node
    if not node.strange:
        return
    name = (*node.aliases, node.name)[0]
    draft.refuse(
        "strange_name",
        f"{name} is this node, and here the name has the address {node.strange}, which this node "
        "does not have",
        f"look           salt {node.name} cmd.run 'getent hosts {name}'",
        f"mend it        the line of {name} in /etc/hosts of {node.name}, or its DNS",
        f"then           salt {node.name} service.restart glusterd",
    )


def _await_declared_pool(draft: Draft, obs: Observation, hosts: Sequence[str]) -> bool:
    """Wait for the declared nodes' pool where it is there without this one; return whether."""
    invited = _declared_pool(obs, hosts)
    if invited is None:
        return False
    what = "is in the declared pool already and has to invite this node"
    way = f"invite it      salt {invited} state.apply gluster"
    draft.waits.append(Wait(what, invited, ways=(way,)))
    return True


def plan_peer_absent(host: str, obs: Observation) -> Plan:
    """Plan that ``host`` is no member. Bricks are never moved or removed for that."""
    refused = refuse_unknown_pool(host, obs)
    if refused:
        return refused
    draft = Draft(host, obs)
    peer = obs.peer_named(host)
    if peer is None:
        return draft.finish()
    holding = [
        v.name
        for v in known(obs.volumes).values()
        if any(b.host_uuid == peer.uuid for b in v.bricks)
    ]
    draft.do(Step("peer_detach", host, {"host": peer.name}, f"detach {host} from the pool"))
    if peer.is_self:
        draft.refuse("own_node", "a node cannot detach itself; run this on another member")
    if holding:
        draft.refuse(
            "holds_bricks",
            f"{host} holds bricks of {', '.join(sorted(holding))}",
            "move its bricks to another node first; gluster refuses too",
        )
    if not peer.is_self and not peer.usable:
        draft.refuse(
            "peer_away",
            f"{host} is away ({peer.state_text or 'Disconnected'}). A peer detached while dead is "
            "not told: it returns with its old pool and can overwrite this one.",
            f"wait           until {host} is back",
        )
    return draft.finish()


def undeclared(obs: Observation, hosts: Sequence[str]) -> tuple[Peer, ...]:
    """Return the members that the declaration does not name: told, never detached."""
    wanted = {peer.uuid for peer in map(obs.peer_named, hosts) if peer is not None}
    return tuple(p for p in known(obs.peers) if not p.is_self and p.uuid not in wanted)


# --- the right to invite -------------------------------------------------------------------------


def _is_founder(obs: Observation, nodes: Sequence[str]) -> bool:
    own = {n.lower() for n in (obs.node.name, *obs.node.aliases)}
    return bool(nodes) and nodes[0].lower() in own


def _is_established(obs: Observation) -> bool:
    return any(not p.is_self for p in known(obs.peers))


def _await_invitation(draft: Draft, first: str, host: str, obs: Observation) -> None:
    """Wait for the first declared node, or refuse at once what it will never invite."""
    volumes = sorted(known(obs.volumes))
    if volumes:
        draft.refuse(
            "has_volumes",
            f"this node has volumes of its own ({some(volumes, 3)}), so {first} never invites it",
            "if they are not needed: stop glusterd here, empty /var/lib/glusterd/vols, start it",
            everywhere=True,
        )
        return
    wait = Wait(
        "has to invite this node into the pool",
        first,
        _silence(obs.candidates.get(host)),
        (f"invite it      salt {first} state.apply gluster",),
        Facet("candidate", host),
    )
    draft.waits.append(wait)


def _silence(candidate: Candidate | None) -> str:
    """Return why a node that was asked does not invite this one, as far as it can be seen."""
    if candidate is None or candidate.is_forecast:
        return ""
    for facet in (candidate.uuid, candidate.peers, candidate.volumes):
        if isinstance(facet, Unknown):
            return f"it does not answer: {facet.why}"
    others = [p.name for p in known(candidate.peers) if not p.is_self]
    pool = f"is in a pool with {some(others, 3)}" if others else "is in no pool yet"
    return f"it answers, {pool}, and has not begun"


# --- one member ----------------------------------------------------------------------------------


def _known_member(draft: Draft, peer: Peer, obs: Observation) -> None:
    if peer.usable:
        return
    if peer.state == 6:
        draft.refuse(
            "rejected",
            f"{peer.name} is rejected: its volume files differ from the pool's, or it was "
            "installed again under its old name. A probe would answer 'ok' and mend nothing.",
            f"look           salt {peer.name} gluster.status",
            "mend it        see docs/rejected-peer.md",
        )
    elif peer.state == 3:
        draft.notes.append(f"{peer.name} is a member, but down or cut off")
    else:
        draft.waits.append(Wait(f"is still joining ({peer.state_text or peer.state})", peer.name))


def _invite(draft: Draft, node: str, host: str, obs: Observation, hosts: Sequence[str]) -> None:
    """Add the probe, and every reason against it that the candidate itself gives."""
    draft.needs.add(Facet("candidate", host))
    _refuse_strange_name(draft, obs)
    if not _is_established(obs):
        # Two halves must not form two pools: before the first probe every node is asked.
        draft.needs |= {Facet("candidate", h) for h in hosts if obs.peer_named(h) is None}
        if _await_declared_pool(draft, obs, hosts):
            return
    candidate = obs.candidates.get(host)
    text = f"invite {host} into the pool"
    draft.do(Step("peer_probe", node, {"host": host, "node": host}, text))
    if candidate is None:
        draft.refuse("candidate_silent", f"{host} was not asked", waits_s=SILENCE_S)
    else:
        _judge_candidate(draft, candidate, obs, hosts)


def _give_name(draft: Draft, node: str, host: str, peer: Peer) -> None:
    """Let gluster know a member by its declared name, once the node there proves to be it.

    A wrong name is no reason to stop anything: one that does not answer keeps the name it has.
    """
    draft.needs.add(Facet("candidate", host))
    candidate = draft.state.candidates.get(host)
    if candidate is None or not is_known(candidate.uuid):
        draft.notes.append(f"gluster calls {host} by another name: {peer.name}")
    elif candidate.uuid == peer.uuid:
        text = f"give {peer.name} its name {host}"
        draft.do(Step("peer_probe", node, {"host": host, "node": host}, text))
        return
    else:
        draft.refuse(
            "another_node",
            f"{host} stands for the member {peer.name}, whose uuid is {peer.uuid}; the node that "
            f"answers there has {candidate.uuid}",
            f"look           getent hosts {host} {peer.name}",
            "mend it        in `addresses` of the pillar, /etc/hosts or the DNS",
        )
    _known_member(draft, peer, draft.state)


def _declared_pool(obs: Observation, hosts: Sequence[str]) -> str | None:
    """Return a node that is in a pool of declared nodes only, one that does not know us."""
    wanted = {h.lower() for h in hosts}
    own = {n.lower() for n in (obs.node.name, *obs.node.aliases)}
    for candidate in obs.candidates.values():
        if not is_known(candidate.peers):
            continue
        names = [{n.lower() for n in p.names} for p in candidate.peers if not p.is_self]
        if names and all(n & wanted for n in names) and not any(n & own for n in names):
            return candidate.name
    return None


def _judge_candidate(
    draft: Draft, candidate: Candidate, obs: Observation, hosts: Sequence[str]
) -> None:
    name = candidate.name
    if candidate.unresolved:
        draft.refuse("host_unknown", f"`nodes`: {candidate.unresolved}", *unresolved_ways(name))
        return
    for facet in (candidate.uuid, candidate.peers, candidate.volumes):
        if isinstance(facet, Unknown):
            draft.refuse(
                "candidate_silent",
                f"{name} does not answer ({facet.why}); a node that was not asked is not invited",
                f"look there     salt {name} service.status glusterd; is port 24007 reachable?",
                waits_s=SILENCE_S,
            )
            return
    if candidate.uuid == _uuid(obs):
        draft.refuse(
            "uuid_clash",
            f"{name} has this node's own uuid: the name leads here, or its /var/lib/glusterd was "
            "cloned",
            f"look           getent hosts {name}",
            f"on {name}: stop glusterd, empty /var/lib/glusterd but groups and hooks, start it",
        )
    _judge_past(draft, candidate, obs, hosts)


def unresolved_ways(name: str) -> tuple[str, ...]:
    """Return what to do about a name; glusterd would stand still over it (facts.md#G-0.9)."""
    return (
        f"look           getent hosts {name}",
        "mend it        in /etc/hosts or the DNS of every node, or give `addresses` in the pillar",
    )


def _judge_past(draft: Draft, candidate: Candidate, obs: Observation, hosts: Sequence[str]) -> None:
    """A node with volumes or peers of its own could overwrite this pool's (facts.md#G-0.1)."""
    name, volumes = candidate.name, known(candidate.volumes)
    peers = [p for p in known(candidate.peers) if not p.is_self]
    own = {n.lower() for n in (obs.node.name, *obs.node.aliases)}
    others = [p.uuid for p in peers if own & {n.lower() for n in p.names} and p.uuid != _uuid(obs)]
    # Another member may have invited it a moment ago; then it is seen here soon. Or invited us all:
    # who joins hears of the others one after another, and of the volumes last.
    ours = {p.uuid for p in known(obs.peers)}
    strangers = [p for p in peers if p.uuid not in ours]
    is_joining = any(p.state not in (3, 6) for p in known(obs.peers) if not p.is_self)
    wanted = {h.lower() for h in hosts} if is_joining else set()
    is_told_soon = all({n.lower() for n in p.names} & wanted for p in strangers)
    waits_s = JOINING_S if peers and is_told_soon else 0
    if others:
        draft.refuse(
            "reinstalled",
            f"{name}'s pool knows this node under uuid {others[0]}; here it is {_uuid(obs)}. "
            "This node was installed again.",
            "put the uuid back into /var/lib/glusterd/glusterd.info before glusterd starts",
        )
    elif peers:
        names = ", ".join(p.name for p in peers[:3])
        draft.refuse(
            "foreign_pool",
            f"{name} believes to be in a pool with {names}. Inviting it could overwrite this "
            "pool's volumes with older ones.",
            f"if it is free: on {name} stop glusterd, move its peers and vols away, start it",
            waits_s=waits_s,
        )
    if volumes:
        draft.refuse(
            "has_volumes",
            f"{name} has volumes of its own: {', '.join(sorted(volumes)[:3])}",
            f"if they are not needed: on {name} stop glusterd, empty /var/lib/glusterd/vols, start",
            waits_s=waits_s if is_joining or set(volumes) <= set(known(obs.volumes)) else 0,
        )


def _uuid(obs: Observation) -> str | None:
    return obs.node.uuid if is_known(obs.node.uuid) else None
