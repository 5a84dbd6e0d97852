"""Find a configuration that a returning node overwrote; announce versions of it. Pure.

glusterd takes the definition with the higher number, whole and silently, also from a node that was
outside meanwhile (facts.md#G-0.1). So a change that no command inside the pool explains, while a
node has come back since the pool was last seen as it should be, is that node's doing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.model import Subject
from salt_gluster.remediation.salt_events import Notice
from salt_gluster.status.config_versions import (
    Difference,
    GivenCommand,
    ReportedConfig,
    difference_from,
    explaining,
)

#: A cut is noticed some seconds after it began.
_SLACK_S = 5.0
#: More than these are a matter for ``gluster.diff``.
_MOST_NAMED = 6
#: While it is one of these it has not come back.
_STAYS = ("suspect", "down", "gone")


@dataclass(frozen=True)
class Overwritten:
    """By which nodes (uuids), and what of the pool's acknowledged definitions was lost."""

    nodes: tuple[str, ...]
    what: tuple[Difference, ...]


def away(
    before: Mapping[str, float], looks: Mapping[str, ReportedConfig],
    missed: Mapping[str, tuple[str, float]], believed: Collection[str], now: float,
) -> dict[str, float]:  # fmt: skip
    """Return the nodes that were out of the pool since its last good version, and since when.

    ``looks`` are those that are new. ``missed``: uuid -> state and since when, as the verdicts have
    it; a suspect is out only when a member says so: it may be Consul alone that misses it.
    ``believed`` are the nodes that tell what the pool is known to be: they overwrote nothing.
    """
    since_when = dict(before)
    fresh = [config for config in looks.values() if now - config.at < 60]
    cut = {u for config in fresh for u, on in config.connected.items() if not on}
    for uuid in cut | {u for u, (state, _) in missed.items() if state in ("down", "gone")}:
        since = missed[uuid][1] if uuid in missed else now
        since_when[uuid] = min(since_when.get(uuid, since), since - _SLACK_S)
    gone = {u for u, (state, _) in missed.items() if state in _STAYS} | cut
    return {u: since for u, since in since_when.items() if u in gone or u not in believed}


def overwritten(
    before: Mapping[str, Any], differences: Collection[Difference],
    commands: Collection[GivenCommand], was_away: Mapping[str, float], back: Collection[str],
    members: Collection[str],
) -> Overwritten | None:  # fmt: skip
    """Return what of ``before`` (the last version's ``actual``) was overwritten, and by whom.

    ``back`` are the nodes that are in touch with the pool now, ``members`` those in it now.
    """
    came = set(members) - set(before.get("peers", {}))
    joined = {g.command.split()[-1]: g.at for g in commands if g.command.startswith("peer probe ")}

    def is_outside(command: GivenCommand) -> bool:
        if command.ours:  # ours are not given without the pool (guards)
            return False
        if command.node in came:
            return command.at < joined.get(command.name, float("inf"))
        return command.node in was_away and command.at >= was_away[command.node]

    inside = [g for g in commands if not is_outside(g)]
    known = {Subject("volume", name) for name in before.get("volumes", {})}
    lost = tuple(d for d in differences if d.subject in known and explaining(d, inside) is None)
    outside = [g for g in commands if is_outside(g)]
    guilty = {g.node for d in lost if (g := explaining(d, outside)) is not None}
    nodes = guilty or ((set(was_away) & set(back)) | came)
    return Overwritten(tuple(sorted(nodes)), lost) if lost and nodes else None


# --- what is announced ---------------------------------------------------------------------------


def notices(cluster: str, version: Mapping[str, Any], before: int) -> tuple[Notice, ...]:
    """Return what is to be told of a version that has just become the current one."""
    number = int(version["version"])
    rows = [difference_from(row) for row in version.get("what", ())]
    if not rows:  # the first look: it was so before
        return ()
    why = f"version {number} by {version['by']} ({version['why']}): {_few(rows)}"
    diff = f"salt-run gluster.diff {before} {number}"
    details = {"version": number, "before": before, "by": version["by"],
               "differences": [row.to_data() for row in rows[:50]]}  # fmt: skip
    due = [
        Notice("cluster", f"{cluster}@{number}", cluster, "config_changed", f"version {number}",
               f"version {before}", version["at"], why, suggest=(diff,), details=details)
    ]  # fmt: skip
    if version.get("overwritten"):
        due.append(_overwritten(cluster, version, before, diff))
    return tuple(due)


def _overwritten(cluster: str, version: Mapping[str, Any], before: int, diff: str) -> Notice:
    loss = version["overwritten"]
    rows = [difference_from(row) for row in loss["what"]]
    why = (f"{', '.join(loss['nodes'])} came back and its definitions replaced the pool's, which no"
           f" command in the pool explains: {_few(rows)}")  # fmt: skip
    peers = (version.get("actual") or {}).get("peers", {})
    member = next((n[0] for n in peers.values() if n and n[0] not in loss["nodes"]), "MEMBER")
    return Notice(
        "cluster", cluster, cluster, "overwritten", f"version {version['version']}",
        f"version {before}", version["at"], why,
        suggest=(diff, "salt-run gluster.plan", f"salt {member} state.apply gluster",
                 "salt-run gluster_remediation.acknowledge"),
        details={"version": version["version"], "before": before, "nodes": list(loss["nodes"]),
                 "differences": loss["what"][:50]},
    )  # fmt: skip


def restored(cluster: str, number: int, why: str) -> Notice:
    """Return the all-clear."""
    return Notice("cluster", cluster, cluster, "config_restored", f"version {number}", why=why)


def _few(rows: Iterable[Difference]) -> str:
    words = [row.words for row in rows]
    more = f"; and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else ""
    return "; ".join(words[:_MOST_NAMED]) + more if words else "nothing that can be named"
