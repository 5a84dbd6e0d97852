"""What ``gluster.status`` knows of a pool as plain data, for JSON and for ``render/status.py``.

Built from one node's observation and needs nothing declared. An unknown stays one: it is printed as
``{'unknown': why}``, and gathered once more under ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from salt_gluster.model import (
    NOT_ASKED,
    BrickSpace,
    Clock,
    Heal,
    Observation,
    Peer,
    Unknown,
    Volume,
    VolumeStatus,
    brick_at,
    is_known,
    natural_key,
    plain,
    some,
    utc_clock,
)
from salt_gluster.status import space as space_of
from salt_gluster.status.names import distinct

if TYPE_CHECKING:
    from salt_gluster.status.impact import VolumeHealth

#: Exit code to word, for any monitor; 2 has several words, this is the plainest.
EXIT_WORDS = ("ok", "degraded", "down", "unknown")
#: Which exit code a health word means. ``partial`` and ``incomplete`` are worse than a copy less.
_EXIT = {"ok": 0, "degraded": 1, "full_soon": 1, "not_made": 1, "unknown": 3} | dict.fromkeys(
    ("down", "data_at_risk", "partial", "incomplete", "full", "stopped"), 2
)
#: The worst first; what is known to be down matters more than what is not known. ``stopped`` is a
#: volume that is down because an operator said so: it stands behind what broke.
#: ``not_made`` is a volume that is declared and not there.
_WORST = (
    "down", "data_at_risk", "partial", "incomplete", "full", "stopped", "unknown", "degraded",
    "full_soon", "not_made", "ok",
)  # fmt: skip
#: glusterd's numbers of a task under way (``gluster/parse/task.py``).
_RUNNING = (1, 5)


def status_data(
    observation: Observation,
    health: Sequence[VolumeHealth] | Unknown = NOT_ASKED,
    *,
    space: Mapping[str, Sequence[BrickSpace] | Unknown] | None = None,
    next_loss: Mapping[str, str] | None = None,
    version: str | Unknown = NOT_ASKED,
    pool: str = "",
    age_s: float = 0,
    clock: Clock = utc_clock,
    verdicts: Mapping[str, tuple[str, str]] | None = None,
    not_made: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Return everything the status screen shows as plain data.

    ``health`` and ``next_loss`` are ``impact``'s, ``space`` maps a volume to its bricks' space,
    ``version`` is the GlusterFS version that runs here, ``pool`` the declared name of the pool,
    ``age_s`` how old the observation is, ``verdicts`` state and words of nodes that are not well
    seen, by uuid, where more is known than this observation has, ``not_made`` the declared volumes
    that are not there, of ``status/declared.py``.
    """
    nodes = _nodes(observation, verdicts or {})
    volumes = _volumes(observation, health, space or {}, next_loss or {})
    versions = _versions(observation)
    words = ["unknown"] if "unknown" in volumes else [_urgency(v) for v in volumes.values()]
    words += _pool_words(nodes, versions)
    words += ["not_made"] if not_made else []
    word = min(words, key=_WORST.index, default="ok")
    code = _EXIT[word]
    data: dict[str, Any] = {
        "schema": 1,
        "pool": pool,
        "version": plain(version),
        "now": observation.now,
        "clock": clock(observation.now),
        "age_s": age_s,
        "seen_by": observation.node.name,
        "exit": code,
        "exit_word": "down" if word == "stopped" else word,
        "nodes": nodes,
        "volumes": volumes,
        "not_made": plain(not_made or {}),
        "running": _running(observation),
        "hold": plain(observation.node.hold),
        "versions": versions,
    }
    data["unknown"] = _unknown(observation, data)
    data["worst"] = _worst_volume(data) or next(iter(data["not_made"]), "")
    return data


def _pool_words(nodes: Mapping[str, Any], versions: Mapping[str, Any]) -> list[str]:
    if "unknown" in nodes:
        return ["unknown"]
    away = any(m["state"] != "up" for m in nodes["members"].values())
    return ["degraded"] if away or versions.get("equal") is False else []


def _urgency(row: Mapping[str, Any]) -> str:
    word = str(row["word"])
    word = "stopped" if word == "down" and row["status"] != "Started" else word
    level = row["free"].get("fullest", {}).get("level") or "ok"
    return min(word, level, key=_WORST.index)


def _worst_volume(data: Mapping[str, Any]) -> str:
    if "unknown" in data["volumes"]:
        return ""
    rows = data["volumes"].items()
    bad = [(_WORST.index(_urgency(v)), n) for n, v in rows if _urgency(v) != "ok"]
    return min(bad, key=lambda b: (b[0], natural_key(b[1])))[1] if bad else ""


# --- nodes ---------------------------------------------------------------------------------------


def _nodes(obs: Observation, verdicts: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    if isinstance(obs.peers, Unknown):
        return {"unknown": obs.peers.why}
    members: dict[str, Any] = {}
    counts = _brick_counts(obs)
    unreadable = plain(obs.volumes) if isinstance(obs.volumes, Unknown) else None
    names = _names(obs, obs.peers)
    for peer in sorted(obs.peers, key=lambda p: natural_key(names[p.uuid])):
        state, why = verdicts.get(peer.uuid) or _membership(obs, peer)
        members[names[peer.uuid]] = {
            "uuid": peer.uuid,
            "state": state,
            "why": why,
            "bricks": unreadable or counts.get(peer.uuid, {}),
        }
    up = sum(m["state"] == "up" for m in members.values())
    return {"total": len(members), "up": up, "members": members}


def _names(obs: Observation, peers: Sequence[Peer]) -> dict[str, str]:
    """Return what each peer is called, by uuid."""
    return distinct({peer.uuid: _name(obs, peer) for peer in peers})


def _name(obs: Observation, peer: Peer) -> str:
    return obs.node.name if peer.is_self and peer.name in ("localhost", peer.uuid) else peer.name


def _membership(obs: Observation, peer: Peer) -> tuple[str, str]:
    """Return up, away, unresponsive or not_joined, and why, as this node sees it."""
    seen = f"as {obs.node.name} sees it"
    if peer.is_self:
        return "up", ""
    if peer.state != 3:
        text = peer.state_text or f"state {peer.state}"
        return "not_joined", f"not a full member {seen}: {text}"
    if not peer.connected:
        return "away", f"down or cut off {seen} (Disconnected)"
    reach = obs.reach.get(peer.uuid)
    if reach is not None and not reach.accepts:
        return "unresponsive", "does not answer on port 24007 within 1 s, though shown Connected"
    return "up", ""


def _brick_counts(obs: Observation) -> dict[str, dict[str, int]]:
    """Return member uuid -> volume -> bricks there, volumes in natural order."""
    counts: dict[str, dict[str, int]] = {}
    volumes = {} if isinstance(obs.volumes, Unknown) else obs.volumes
    for name in sorted(volumes, key=natural_key):
        for brick in volumes[name].bricks:
            here = counts.setdefault(brick.host_uuid, {})
            here[name] = here.get(name, 0) + 1
    return counts


def _versions(obs: Observation) -> dict[str, Any]:
    """Return whether the members' glusterds can run the same: the maximum op-version tells."""
    if isinstance(obs.peers, Unknown):
        return {"unknown": obs.peers.why}
    by_version: dict[str, list[str]] = {}
    silent: dict[str, str] = {}
    called = _names(obs, obs.peers)
    for peer in sorted(obs.peers, key=lambda p: natural_key(called[p.uuid])):
        reach, name = obs.reach.get(peer.uuid), called[peer.uuid]
        if reach is None or not reach.accepts:
            silent[name] = "not asked" if reach is None else "does not answer"
        elif isinstance(reach.max_op_version, Unknown):
            silent[name] = reach.max_op_version.why
        else:
            by_version.setdefault(str(reach.max_op_version), []).append(name)
    equal: Any = len(by_version) < 2
    if equal and silent:
        names = ", ".join(silent)
        equal = {"unknown": f"{len(silent)} of {len(obs.peers)} did not tell: {names}"}
    return {"equal": equal, "max_op_versions": by_version, "silent": silent}


# --- volumes -------------------------------------------------------------------------------------


def _volumes(
    obs: Observation,
    health: Sequence[VolumeHealth] | Unknown,
    space: Mapping[str, Sequence[BrickSpace] | Unknown],
    next_loss: Mapping[str, str],
) -> dict[str, Any]:
    if isinstance(obs.volumes, Unknown):
        return {"unknown": obs.volumes.why}
    by_volume = {} if isinstance(health, Unknown) else {h.volume: h for h in health}
    missing = health.why if isinstance(health, Unknown) else "not judged"
    rows: dict[str, Any] = {}
    for name, volume in sorted(obs.volumes.items(), key=lambda v: natural_key(v[0])):
        judged = by_volume.get(name)
        rows[name] = {
            "id": volume.id,
            "type": volume_type(volume),
            "status": volume.status,
            "word": plain(judged.word) if judged else "unknown",
            "why": plain(judged.why) if judged else missing,
            "bricks": _bricks(obs, volume),
            "to_heal": _to_heal(volume, obs.heal.get(name, NOT_ASKED)),
            "split_brain": _split_brain(volume, obs.heal.get(name, NOT_ASKED)),
            "free": _free(volume, space.get(name, NOT_ASKED)),
            "next_loss": next_loss.get(name, plain(NOT_ASKED)),
        }
    return rows


def volume_type(volume: Volume) -> str:
    """Return sets x shape in short: ``2x3``, ``1x(2+1)``, ``1x(4+2)``, ``?`` for a ghost."""
    if volume.is_broken:
        return "?"
    sets = len(volume.sets)
    if volume.kind == "disperse":
        return f"{sets}x({volume.disperse - volume.redundancy}+{volume.redundancy})"
    if volume.arbiter:
        return f"{sets}x({volume.replica - volume.arbiter}+{volume.arbiter})"
    return f"{sets}x{volume.replica}"


def _bricks(obs: Observation, volume: Volume) -> dict[str, Any]:
    """Count bricks that are up; those of a member that is away are listed, not counted as seen.

    Gluster gives no row for the bricks of a member that is away (facts.md#G-0.12). A brick of a
    member that is here and has no row is ``unseen``: neither up nor down.
    """
    total = len(volume.bricks)
    status = obs.status.get(volume.name, NOT_ASKED)
    if isinstance(status, Unknown):
        return {"total": total, "unknown": status.why}
    here = {p.uuid for p in obs.peers if p.usable} if is_known(obs.peers) else set()
    rows = {(r.host_uuid, r.path): r for r in status.bricks}
    up = 0
    down: list[str] = []
    away: list[str] = []
    unseen: list[str] = []
    for brick in volume.bricks:
        row = rows.get((brick.host_uuid, brick.path))
        if row is not None and row.up:
            up += 1
        elif brick.host_uuid not in here:
            away.append(brick.name)
        else:
            (unseen if row is None else down).append(brick.name)
    return {"total": total, "up": up, "down": down, "away": away, "unseen": unseen}


def _to_heal(volume: Volume, rows: Sequence[Heal] | Unknown) -> Any:
    """Return the entries to heal, or at least how many where a brick does not tell.

    None where there is nothing to heal from: one copy only.

    Every brick of a set lists the same entry, so a set counts as the most that one of them lists.
    """
    if volume.set_size == 1:
        return None
    if isinstance(rows, Unknown):
        return plain(rows)
    pending = {_heal_key(r): r.pending for r in rows}
    at_least, silent = 0, []
    for members in volume.sets:
        counts = [
            pending.get((b.host_uuid, b.path), pending.get(("", b.name), NOT_ASKED))
            for b in members.bricks
        ]
        at_least += max((c for c in counts if is_known(c)), default=0)
        silent += [
            b.host for b, c in zip(members.bricks, counts, strict=True) if isinstance(c, Unknown)
        ]
    if not silent:
        return at_least
    return {"unknown": _not_told_by(silent), **({"at_least": at_least} if at_least else {})}


def _heal_key(row: Heal) -> tuple[str, str]:
    """Match by node as the model asks; by name only where heal did not say which node it is."""
    if isinstance(row.host_uuid, Unknown):
        return "", row.brick
    return row.host_uuid, brick_at(row.brick)[-1]


def _split_brain(volume: Volume, rows: Sequence[Heal] | Unknown) -> Any:
    if volume.set_size == 1:
        return None
    if isinstance(rows, Unknown):
        return plain(rows)
    by_brick = {_heal_key(r): r.split_brain for r in rows}
    found, unknown = 0, []
    for members in volume.sets:
        told = [by_brick.get((b.host_uuid, b.path), by_brick.get(("", b.name), NOT_ASKED))
                for b in members.bricks]  # fmt: skip
        found += max((c for c in told if is_known(c)), default=0)
        unknown += [c.why for c in told if isinstance(c, Unknown) and c.why not in unknown]
    return found if found or not unknown else {"unknown": "; ".join(unknown)}


def _not_told_by(hosts: Sequence[str]) -> str:
    return f"not told by {some(sorted(set(hosts), key=natural_key))}"


def _free(volume: Volume, rows: Sequence[BrickSpace] | Unknown) -> Any:
    """Return what is free as ``df`` on a client shows it, and in the set that is the fullest."""
    if isinstance(rows, Unknown):
        return plain(rows)
    sets = space_of.of_sets(volume, rows)
    told = {one.number for one in sets}
    for members in volume.sets:
        if members.index + 1 not in told:
            return {"unknown": f"no brick of set {members.index + 1} told its space"}
    total, free = sum(one.total for one in sets), sum(one.free for one in sets)
    least = space_of.fullest(sets)
    if least is None:
        return {"bytes": free, "total": total}
    worst = {"set": least.number, "brick": least.brick, "bytes": least.free,
             "percent": least.percent, "level": least.level}  # fmt: skip
    return {"bytes": free, "total": total, "percent": 100 * free // total, "fullest": worst}


def _running(obs: Observation) -> Any:
    """Return the tasks under way, or why they are not known."""
    if isinstance(obs.volumes, Unknown):
        return {"unknown": obs.volumes.why}
    tasks: list[dict[str, Any]] = []
    unreadable: dict[str, list[str]] = {}
    for name, volume in sorted(obs.volumes.items(), key=lambda v: natural_key(v[0])):
        status: VolumeStatus | Unknown = obs.status.get(name, NOT_ASKED)
        if isinstance(status, Unknown):
            if volume.is_started:  # a volume that does not run has no task
                unreadable.setdefault(status.why, []).append(name)
            continue
        tasks += [{"volume": name, **plain(t)} for t in status.tasks if t.state in _RUNNING]
    if unreadable and not tasks:
        return {"unknown": "; ".join(f"{', '.join(n)}: {why}" for why, n in unreadable.items())}
    return tasks


# --- what is not known ---------------------------------------------------------------------------


def _unknown(obs: Observation, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every unknown once: what, of which subjects, and why."""
    subjects_of: dict[tuple[str, str], list[str]] = {}

    def add(what: str, subject: str, value: Any) -> None:
        if isinstance(value, Mapping) and "unknown" in value:
            subjects_of.setdefault((what, value["unknown"]), []).append(subject)

    add("members", "the pool", data["nodes"])
    add("volumes", "the pool", data["volumes"])
    add("hold", obs.node.name, data["hold"])
    add("version", obs.node.name, data["version"])
    if "unknown" not in data["nodes"]:
        add("versions", "the pool", data["versions"]["equal"])
    if "unknown" not in data["volumes"]:
        for name, row in data["volumes"].items():
            if row["word"] == "unknown":
                add("health", name, {"unknown": row["why"]})
            add("bricks", name, row["bricks"])
            for brick in row["bricks"].get("unseen", ()):
                add("bricks", name, {"unknown": f"no row for {brick}"})
            if row["status"] == "Started":  # else nothing heals
                add("entries to heal", name, row["to_heal"])
                if not isinstance(row["to_heal"], Mapping):
                    add("split-brain", name, row["split_brain"])
            add("space", name, row["free"])
            add("next loss", name, row["next_loss"])
    return [{"what": w, "subjects": s, "why": why} for (w, why), s in subjects_of.items()]
