"""Compare this node with the one that the pool knows under its name (facts.md#C-A.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from salt_gluster.model import Candidate, Peer, Refusal, is_known


@dataclass(frozen=True)
class NodeIdentity:
    """``word`` is ``fresh``, ``same`` or ``refused``; ``asked`` are the nodes that answered."""

    word: str
    why: str
    asked: tuple[str, ...]
    refusal: Refusal | None = None


def identify(
    names: Iterable[str], uuid: str | None, others: Mapping[str, Candidate], peers: Iterable[Peer]
) -> NodeIdentity:
    """Compare what the other nodes say of us with what is in ``glusterd.info`` here.

    ``names`` are all our names, ``uuid`` ours or None, ``others`` the answers by host, ``peers``
    what our own disk knows of the pool. No answer from anybody decides nothing: fresh if we have
    no peers either, same if we have.
    """
    own = {n.lower() for n in names}
    answered = tuple(sorted(h for h, c in others.items() if is_known(c.peers)))
    known_here = [
        (host, peer)
        for host in answered
        for peer in _peers(others[host])
        if not peer.is_self and own & {n.lower() for n in peer.names}
    ]
    for host, peer in known_here:
        if peer.uuid != uuid:  # one such answer is enough, whatever others say
            return _refused(host, peer, uuid, answered)
    if known_here:
        return NodeIdentity(
            "same", f"{known_here[0][0]} knows this node under its own uuid", answered
        )
    if any(not p.is_self for p in peers):
        return NodeIdentity("same", "nobody contradicts the pool that is on this disk", answered)
    return NodeIdentity("fresh", "no pool knows this node", answered)


def _peers(candidate: Candidate) -> tuple[Peer, ...]:
    return candidate.peers if is_known(candidate.peers) else ()


def _refused(host: str, peer: Peer, uuid: str | None, answered: tuple[str, ...]) -> NodeIdentity:
    here = f"here it is {uuid}" if uuid else "here there is none"
    why = (
        f"{host} knows this node under uuid {peer.uuid}; {here}. It was installed again: started "
        "like this, the pool rejects it."
    )
    ways = (
        f"give it back its uuid  salt-run gluster_operation.restore_config {peer.name}",
        "not built yet  salt-run gluster_operation.replace_node",
    )
    return NodeIdentity("refused", why, answered, Refusal("identified", why, ways))
