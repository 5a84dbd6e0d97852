"""Check whether this pool may be changed now: the same guards for states, runners, remediation.

Each guard takes an observation and one step and returns a ``Refusal`` or None. They are pure,
all of them are checked, and all reasons are collected. Reads and empty plans never come here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from salt_gluster.model import (
    NOT_ASKED,
    Facet,
    Observation,
    Peer,
    Reach,
    Refusal,
    Step,
    Unknown,
    Volume,
    brick_at,
    is_known,
    known,
)
from salt_gluster.plan import fitness
from salt_gluster.plan.actions import ACTIONS, bricks_down
from salt_gluster.plan.actor import rank
from salt_gluster.plan.new_bricks import paths_fit

#: A glusterd started this recently may still import volumes (facts.md#C-B.3: 2-14 s, once 16 s).
SETTLING_S = 60

#: A brick has its port 2.6-16 s after its glusterd is connected again (facts.md#C-B.3).
PORT_S = 16
#: A peer that was just probed or restarted is not a full member for 1-5 s (facts.md#C-A.1).
JOINING_S = 30
#: Who has no brick of a volume is asked for its definition while no more than these are: everybody
#: in a small pool; in a large one others for each volume.
MOST_ASKED = 4
#: A member that restarts shows as Disconnected for 1-3 s (facts.md#C-A.1).
BLINK_S = 5

Guard = Callable[[Observation, Step, Collection[str]], Refusal | None]

_LOOK = ("wait           salt-run gluster.status",)


@dataclass(frozen=True)
class GuardResult:
    """What one guard returned: ``refusal`` is None for yes; ``note`` says what was checked.

    ``unknown`` names what it could not look at: then it is no yes either.
    """

    guard: str
    refusal: Refusal | None
    note: str = ""
    unknown: str = ""


def facets(steps: Iterable[Step]) -> frozenset[Facet]:
    """Return the facets that the guards of these steps need."""
    wanted: set[Facet] = set()
    for step in steps:
        names = set(ACTIONS[step.action].guards)
        if {"pool_whole", "majority", "single_version"} & names:
            wanted.add(Facet("reach"))
        if "definitions_equal" in names:
            wanted |= {*definition_facets(step), Facet("status", step.subject)}
        if "paths_fit" in names:
            wanted |= {Facet("path", brick_at(b)[1]) for b in step.args.get("bricks", ())}
            wanted.add(Facet("prepared"))
    return frozenset(wanted)


def definition_facets(step: Step) -> frozenset[Facet]:
    """Return what asks the members for the definition of a step's volume."""
    hosts = {brick_at(str(brick))[0] for brick in step.args.get("bricks", ())}
    return frozenset({Facet("definitions", step.subject), *(Facet("holder", h) for h in hosts)})


def asked_for_definitions(
    obs: Observation, volumes: Collection[str], hosts: Collection[str]
) -> tuple[Peer, ...]:
    """Return the other members whose word on these volumes counts; without any volume all.

    Those are who holds bricks of them, the named ``hosts``, and more up to ``MOST_ASKED``.
    """
    others = [p for p in known(obs.peers) if p.usable and not p.is_self]
    if not any(volumes):
        return tuple(others)
    bricks = (known(obs.volumes)[v].bricks for v in volumes if v in known(obs.volumes))
    named = {p.uuid for p in map(obs.peer_named, hosts) if p is not None}
    holding = {b.host_uuid for several in bricks for b in several} | named
    first = [p for p in others if p.uuid in holding]
    rest = [p for p in others if p.uuid not in holding]
    rest.sort(key=lambda peer: rank(min(volumes), peer.uuid))
    return (*first, *rest[: max(0, MOST_ASKED - len(first))])


def frozen(peers: Iterable[Peer], reach: Mapping[str, Reach]) -> dict[str, Unknown]:
    """Return who accepts and says nothing: its process stands still, each question takes 10 s."""
    return {
        peer.uuid: Unknown(f"{peer.name} accepts and does not answer")
        for peer in peers
        if (of := reach.get(peer.uuid)) and of.accepts and not is_known(of.max_op_version)
    }


def check(
    obs: Observation, steps: Iterable[Step], nodes: Collection[str]
) -> tuple[GuardResult, ...]:
    """Check every guard that the steps name; one result per guard, the first refusal of each kept.

    ``nodes`` are the host names that the declaration puts into the pool; empty = not declared.
    """
    results: dict[str, GuardResult] = {}
    for step in steps:
        for name in ACTIONS[step.action].guards:
            before = results.get(name)
            if before is None or before.refusal is None:
                unknown = fitness.not_known(obs, step) if name == "paths_fit" else ""
                results[name] = GuardResult(name, GUARDS[name](obs, step, nodes), unknown=unknown)
    return tuple(results.values())


def refusals(
    obs: Observation, steps: Iterable[Step], nodes: Collection[str]
) -> tuple[Refusal, ...]:
    """Return every reason against these steps."""
    return tuple(a.refusal for a in check(obs, steps, nodes) if a.refusal is not None)


# --- the guards ----------------------------------------------------------------------------------


def not_held(obs: Observation, step: Step, nodes: Collection[str]) -> Refusal | None:
    """No hold is set; one that cannot be read counts as set."""
    hold = obs.node.hold
    if isinstance(hold, Unknown):
        why = f"whether a hold is set cannot be read: {hold.why}"
        return Refusal("not_held", why, ("mend the file  /var/lib/salt-gluster/hold",))
    if hold is None:
        return None
    by = f" by {hold.by}" if hold.by else ""
    return Refusal(
        "not_held",
        f"a hold is set{by}: {hold.reason}",
        ("release it     salt-run gluster.release",),
    )


def right_pool(obs: Observation, step: Step, nodes: Collection[str]) -> Refusal | None:
    """This node's glusterd belongs to the pool that is declared."""
    uuid = obs.node.uuid
    if isinstance(uuid, Unknown):
        return Refusal("right_pool", f"this node's gluster uuid is not known: {uuid.why}")
    row = next((p.uuid for p in known(obs.peers) if p.is_self), None)
    if uuid is None or row != uuid:
        why = f"glusterd.info here says {uuid}, the running glusterd {row}"
        return Refusal("right_pool", f"{why}: this node was installed again, or is being", _LOOK)
    others = [p for p in known(obs.peers) if not p.is_self]
    if not nodes or not others:
        return None
    wanted = {peer.uuid for peer in map(obs.peer_named, nodes) if peer is not None}
    if any(p.uuid in wanted for p in others):
        return None
    names = ", ".join(sorted(p.name for p in others)[:3])
    return Refusal(
        "right_pool",
        f"this node is in a pool with {names}, none of which is declared",
        ("look           gluster pool list", "declare them   add the nodes to `nodes`"),
    )


def majority(obs: Observation, step: Step, nodes: Collection[str]) -> Refusal | None:
    """More than half of all members answer; otherwise the other half may write too."""
    peers = known(obs.peers)
    away = [p for p in peers if _absence(obs, p)]
    if 2 * len(away) < len(peers):
        return None
    why = "; ".join(f"{p.name} {_absence(obs, p)}" for p in away[:4])
    return Refusal(
        "pool_whole",
        f"{len(away)} of {len(peers)} members are away: {why}. "
        "Without a majority the other half could be changed at the same time.",
        _LOOK,
        _patience(away),
    )


def pool_whole(obs: Observation, step: Step, nodes: Collection[str]) -> Refusal | None:
    """No member with a brick of the volume is away, and a majority of all members is here."""
    concerned = _members_concerned(obs, step)
    away = [p for p in known(obs.peers) if p.uuid in concerned and _absence(obs, p)]
    if not away:
        return majority(obs, step, nodes)
    why = "; ".join(f"{p.name} {_absence(obs, p)}" for p in away)
    return Refusal(
        "pool_whole",
        f"{why}. A change made now is imported when it returns: its bricks are killed and "
        "restarted.",
        _LOOK,
        _patience(away),
    )


def single_version(obs: Observation, step: Step, nodes: Collection[str]) -> Refusal | None:
    """All running glusterds are of one version; the cluster's op-version does not show that."""
    versions: dict[int, list[str]] = {}
    peers = known(obs.peers)
    for peer in peers if len(peers) > 1 else ():
        reach = obs.reach.get(peer.uuid)
        version = reach.max_op_version if reach else NOT_ASKED
        if isinstance(version, Unknown):
            if _absence(obs, peer):
                continue  # pool_whole speaks for those that are away and tell nothing
            why = f"{peer.name}'s running version is not known: {version.why}"
            return Refusal("single_version", why, _LOOK, BLINK_S)
        versions.setdefault(version, []).append(peer.name)
    if len(versions) < 2:
        return None
    listed = "; ".join(f"{v}: {', '.join(names[:3])}" for v, names in sorted(versions.items()))
    return Refusal(
        "single_version",
        f"the members run different versions (max op-version {listed}). A change in a mixed pool "
        "diverges for good.",
        ("finish the upgrade on every node first",),
    )


def settled(obs: Observation, step: Step, nodes: Collection[str]) -> Refusal | None:
    """This glusterd is past its import window, and the volume's bricks have their ports."""
    node = obs.node
    if isinstance(node.volumes_without_info, Unknown):
        return Refusal("settled", f"vols/ cannot be read: {node.volumes_without_info.why}", _LOOK)
    if node.volumes_without_info:
        importing = ", ".join(node.volumes_without_info)
        return _settling(f"glusterd here is importing {importing}")
    started = node.glusterd_started
    if isinstance(started, Unknown) or started is None:
        why = started.why if isinstance(started, Unknown) else "it does not run"
        return Refusal("settled", f"when glusterd was started is not known: {why}", _LOOK)
    up_s = obs.now - started
    older = node.volumes_at_start if is_known(node.volumes_at_start) else ("?",)
    if up_s < SETTLING_S and older:
        return _settling(f"glusterd here was started {up_s:.0f} s ago, within its import window")
    return _bricks_have_ports(obs, step)


def _settling(why: str) -> Refusal:
    sentence = f"{why}. A change now can crash a returning glusterd."
    return Refusal("settled", sentence, _LOOK, SETTLING_S)


def _bricks_have_ports(obs: Observation, step: Step) -> Refusal | None:
    volume = known(obs.volumes).get(step.subject)
    if volume is None or not volume.is_started:
        return None
    status = obs.status.get(step.subject, NOT_ASKED)
    if isinstance(status, Unknown):
        return Refusal("settled", f"the bricks of {volume.name}: {status.why}", _LOOK, PORT_S)
    starts = step.args.get("starts", ())  # this very step starts them
    down = [b for b in bricks_down(obs, volume, status) if b not in starts]
    if not down:
        return None
    return Refusal(
        "settled",
        f"{', '.join(down[:3])} of connected members {'is' if len(down) == 1 else 'are'} "
        "not up with a port.",
        (f"start them     gluster volume start {volume.name} force", *_LOOK),
        PORT_S,
    )


def definitions_equal(obs: Observation, step: Step, nodes: Collection[str]) -> Refusal | None:
    """Every member asked tells the same definition; a higher version wins silently.

    A volume that is not here has to be unknown to the others too: theirs may be a ghost.
    """
    name, volume = step.subject, known(obs.volumes).get(step.subject)
    concerned = _members_concerned(obs, step)
    own = volume.digest() if volume else None
    differs, silent = [], []
    for peer in known(obs.peers):
        if peer.is_self or not peer.usable:
            continue
        definition = obs.definitions.get(peer.uuid, NOT_ASKED)
        if isinstance(definition, Unknown):
            if peer.uuid in concerned:
                silent.append(f"{peer.name} ({definition.why})")
        elif definition.get(name) != own:
            differs.append(peer.name)
    if differs:
        tell = "tells" if len(differs) == 1 else "tell"
        return Refusal(
            "definitions_equal",
            f"{', '.join(differs)} {tell} another definition of {name} than this node"
            f"{'' if volume else ', which has none'}. The higher version would win, whole and "
            "silently.",
            (f"compare        gluster --remote-host={differs[0]} volume info {name}",),
            PORT_S,
        )
    if silent:
        why = f"the definition of {name} is not known from {', '.join(silent)}"
        return Refusal("definitions_equal", why, _LOOK, PORT_S)
    return None


GUARDS: dict[str, Guard] = {
    "not_held": not_held,
    "right_pool": right_pool,
    "majority": majority,
    "pool_whole": pool_whole,
    "single_version": single_version,
    "settled": settled,
    "definitions_equal": definitions_equal,
    "paths_fit": paths_fit,
}


# --- members concerned, members away ------------------------------------------------------------


def _members_concerned(obs: Observation, step: Step) -> set[str]:
    """Return the uuids of members that hold, or will hold, a brick of the step's volume."""
    volume: Volume | None = known(obs.volumes).get(step.subject)
    uuids = {b.host_uuid for b in volume.bricks} if volume else set()
    for brick in step.args.get("bricks", ()):
        peer = obs.peer_named(brick_at(brick)[0])
        if peer:
            uuids.add(peer.uuid)
    return uuids


def _absence(obs: Observation, peer: Peer) -> str:
    """Return why a member does not count as here, or ""."""
    if peer.is_self:
        return ""
    if peer.state != 3:
        return f"is not a full member ({peer.state_text or f'state {peer.state}'})"
    if not peer.connected:
        return "is down or cut off (Disconnected)"
    reach = obs.reach.get(peer.uuid)
    if reach is None:
        return "was not asked on port 24007"
    if not reach.accepts:
        return "does not answer on port 24007 within 1 s, though glusterd still says Connected"
    return ""


def _patience(away: Iterable[Peer]) -> float:
    """Return how long it is worth waiting for these members, in seconds."""
    return min(BLINK_S if p.state in (3, 6) else JOINING_S for p in away)
