"""Compare versions of a pool's configuration: when one counts, what differs, which command did it.

A *version* is what was accepted (spec, policy) and what the pool really was (``actual``: volumes
with options and bricks in order, members with their names). Only a change of that makes a new one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.model import (
    NOT_ASKED,
    Change,
    NodeFacts,
    Subject,
    Unknown,
    Volume,
    comparable_options,
    digest_of,
)
from salt_gluster.status.look_time import NEVER

#: Sensors write at least every 300 s; an older report says nothing of now.
FRESH_S = 400.0
#: Salt's own words for a change of an unknown author.
NOBODY = "unknown"
_WORDS = {
    "kind": "kind", "replica": "replica", "arbiter": "arbiter", "disperse": "disperse",
    "redundancy": "redundancy", "transport": "transport", "id": "id", "status": "status",
}  # fmt: skip


@dataclass(frozen=True)
class ReportedConfig:
    """One node's report, as far as it speaks of the configuration.

    ``at`` is when it looked, ``commands`` are the changing ones given on it, both by the reader's
    clock (``look_time.py``); ``connected`` is what it says of others, ``ahead_s`` how far its own
    clock seems to be ahead.
    """

    uuid: str
    name: str
    at: float
    digest: str
    members: frozenset[str]
    connected: Mapping[str, bool]
    commands: tuple[Change, ...]
    report: Mapping[str, Any]
    ahead_s: float = 0.0

    @property
    def own_at(self) -> float:
        """When it looked, by its own clock."""
        return self.at + self.ahead_s


@dataclass(frozen=True)
class Consensus:
    """What most members report: its digest, one of them, their uuids, whether all do."""

    digest: str
    source: str
    nodes: frozenset[str]
    unanimous: bool


@dataclass(frozen=True)
class Difference:
    """One thing that differs; ``old`` or ``new`` is None where it is not there.

    ``subject`` is a volume, a node, the declaration or the policy; ``option`` is the name of the
    option where it is one.
    """

    subject: Subject
    what: str
    old: Any
    new: Any
    option: str = ""

    @property
    def where(self) -> str:
        """The subject as it is printed: ``volume NAME``."""
        return str(self.subject)

    @property
    def label(self) -> str:
        """What differs, as it is printed: ``option NAME``."""
        return f"{self.what} {self.option}".strip()

    def to_data(self) -> dict[str, Any]:
        """Return plain data; ``where`` and ``what`` are its words for an event's reader."""
        parts = {"kind": self.subject.kind, "name": self.subject.name, "option": self.option}
        words = {"where": self.where, "what": self.label}
        return {**words, "old": self.old, "new": self.new, **parts}

    @property
    def words(self) -> str:
        """Say it in one line."""
        what = f"{self.where}: {self.label}" if self.what else self.where
        if self.old is None:
            return f"{what} = {self.new}"
        if self.new is None:
            return f"{what} is gone (was {self.old})"
        return f"{what}: {self.old} -> {self.new}"


@dataclass(frozen=True)
class GivenCommand:
    """A changing command and where it was given. ``ours`` = a job of ours sent it."""

    node: str
    name: str
    at: float
    command: str
    ours: bool

    @property
    def words(self) -> str:
        """Say it in one line."""
        return f"gluster {self.command} on {self.name}"


def difference_from(row: Mapping[str, Any]) -> Difference:
    """Return the difference that ``to_data`` made this of."""
    what = "option" if row["option"] else row["what"]
    return Difference(
        Subject(row["kind"], row["name"]), what, row["old"], row["new"], row["option"]
    )


# --- what the members report ---------------------------------------------------------------------


def reported_config(report: Mapping[str, Any], facts: NodeFacts | Unknown) -> ReportedConfig | None:
    """Return what a report says of the configuration; None for one that does not say it.

    A node that imports volumes tells only some of them (facts.md#C-B.3).
    """
    if isinstance(facts, Unknown) or not isinstance(report.get("peers"), list):
        return None
    importing, volumes = facts.volumes_without_info, facts.volumes
    if isinstance(importing, Unknown) or importing or isinstance(volumes, Unknown):
        return None
    members = frozenset(str(p["uuid"]) for p in report["peers"])
    content = [sorted(members), {name: v.digest() for name, v in volumes.items()}]
    return ReportedConfig(
        str(report["uuid"]), str(report["node"]), facts.at, digest_of(content), members,
        {} if isinstance(facts.connected, Unknown) else facts.connected,
        () if isinstance(facts.changes, Unknown) else facts.changes, report,
        _ahead_s(report, facts),
    )  # fmt: skip


def _ahead_s(report: Mapping[str, Any], facts: NodeFacts) -> float:
    """Return how far the times in a report were moved for its facts."""
    own = report["facts"]["at"] if isinstance(report.get("facts"), Mapping) else facts.at
    return 0.0 if facts.at == NEVER else float(own) - facts.at


def consensus(
    looks: Mapping[str, ReportedConfig], now: float, away: Mapping[str, float] | None = None
) -> Consensus | Unknown:
    """Return what more than half of the members tell in reports that are not old.

    ``away``: uuid -> since when a node is missed; what it had written before says nothing of now.
    """
    gone = away or {}
    fresh = {
        u: config for u, config in looks.items()
        if abs(now - config.at) <= FRESH_S and not config.at <= gone.get(u, NEVER)
    }  # fmt: skip
    if not fresh:
        return Unknown("no member has told anything lately")
    counted = Counter(config.digest for config in fresh.values())
    digest, votes = counted.most_common(1)[0]
    nodes = frozenset(u for u, config in fresh.items() if config.digest == digest)
    members = next(iter(fresh[u].members for u in nodes))  # part of the digest: all tell the same
    if 2 * votes <= len(members):
        return Unknown(f"{votes} of {len(members)} members tell the same: no majority")
    return Consensus(digest, min(nodes), nodes, len(counted) == 1)


def most_told_first(
    reports: Mapping[str, Mapping[str, Any]],
    definitions: Mapping[str, Mapping[str, Volume] | Unknown],
    looked: Mapping[str, float],
) -> list[Mapping[str, Any]]:  # fmt: skip
    """Return the reports of a pool, those first that tell what most of them tell, youngest first.

    A node speaks for its own bricks; of members and volumes it is one of many, however late its
    clock is: ``looked`` is when each looked, by the reader's clock. One whose definitions are not
    whole is behind the others. At a draw the youngest.
    """
    groups: dict[Any, list[str]] = {}
    digests: dict[int, str] = {}  # the members share what they tell alike
    by_age = sorted(reports, key=lambda uuid: looked.get(uuid, NEVER), reverse=True)
    for uuid in by_age:
        volumes = definitions.get(uuid, NOT_ASKED)
        if isinstance(volumes, Unknown):
            groups.setdefault(None, []).append(uuid)
            continue
        if id(volumes) not in digests:
            digests[id(volumes)] = digest_of({n: v.digest() for n, v in volumes.items()})
        members = frozenset(p["uuid"] for p in reports[uuid]["peers"])
        groups.setdefault((members, digests[id(volumes)]), []).append(uuid)
    unsure = groups.pop(None, [])
    told = sorted(groups.values(), key=len, reverse=True)
    return [reports[uuid] for group in (*told, unsure) for uuid in group]


def actual(latest: ReportedConfig, looks: Iterable[ReportedConfig]) -> dict[str, Any]:
    """Return the pool's configuration by one report; a member's names are all that it goes by."""
    names: dict[str, list[str]] = {uuid: [] for uuid in latest.members}
    others: dict[str, set[str]] = {uuid: set() for uuid in latest.members}
    for seen in looks:
        if seen.uuid in names:
            names[seen.uuid] = [str(n) for n in seen.report["names"]]
        for peer in seen.report["peers"]:
            if peer["uuid"] in others:
                others[peer["uuid"]] |= {str(n) for n in peer["names"]} - {"localhost"}
    peers = {u: [*own, *sorted(others[u] - set(own))] for u, own in sorted(names.items())}
    return {"volumes": dict(sorted(latest.report["volumes"].items())), "peers": peers}


# --- what differs --------------------------------------------------------------------------------


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return everything that differs between two versions: declared, policy, members, volumes."""
    declared = [
        *_nested(Subject("declaration"), before.get("spec") or {}, after.get("spec") or {}),
        *_nested(Subject("policy"), before.get("policy") or {}, after.get("policy") or {}),
    ]
    old, new = before.get("actual"), after.get("actual")
    return (*declared, *actual_differences(old or {}, new or {}))


def actual_differences(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[Difference, ...]:
    """Return what differs in the pool itself."""
    rows: list[Difference] = []
    old, new = before.get("peers", {}), after.get("peers", {})
    for uuid in sorted(old.keys() | new.keys()):
        if uuid not in old or uuid not in new:
            name = (old.get(uuid) or new.get(uuid) or [uuid])[0]
            sides = [uuid if uuid in side else None for side in (old, new)]
            rows.append(Difference(Subject("node", name), "", sides[0], sides[1]))
    volumes = before.get("volumes", {}), after.get("volumes", {})
    for name in sorted(volumes[0].keys() | volumes[1].keys()):
        rows += _volume(name, volumes[0].get(name), volumes[1].get(name))
    return tuple(rows)


def _volume(
    name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> Iterable[Difference]:
    subject = Subject("volume", name)
    if old is None or new is None:
        sides = [None if v is None else _sketch(v) for v in (old, new)]
        yield Difference(subject, "", sides[0], sides[1])
        return
    for key, word in _WORDS.items():
        if old[key] != new[key]:
            yield Difference(subject, word, old[key], new[key])
    yield from _bricks(subject, old["bricks"], new["bricks"])
    options = comparable_options(old["options"]), comparable_options(new["options"])
    for option in sorted(options[0].keys() | options[1].keys()):
        values = [side.get(option) for side in options]
        if values[0] != values[1]:
            yield Difference(subject, "option", values[0], values[1], option)


def _bricks(
    subject: Subject, old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]
) -> Iterable[Difference]:
    sides = [{(b["host_uuid"] or b["host"], b["path"]): _brick(b) for b in s} for s in (old, new)]
    for key in sides[0].keys() - sides[1].keys():
        yield Difference(subject, "brick", sides[0][key], None)
    for key in sides[1].keys() - sides[0].keys():
        yield Difference(subject, "brick", None, sides[1][key])
    same = [[k for k in side if k in sides[0] and k in sides[1]] for side in sides]
    if same[0] != same[1]:
        yield Difference(subject, "order of bricks", *(", ".join(s.values()) for s in sides))


def _brick(brick: Mapping[str, Any]) -> str:
    arbiter = " (arbiter)" if brick.get("is_arbiter") else ""
    return f"{brick['host']}:{brick['path']}{arbiter}"


def _sketch(volume: Mapping[str, Any]) -> str:
    """Say what a volume is, short."""
    kind = volume["type_text"] or volume["kind"]
    return f"{kind}, {len(volume['bricks'])} bricks, {volume['status']}, id {volume['id']}"


def _nested(
    subject: Subject, old: Mapping[str, Any], new: Mapping[str, Any], path: str = ""
) -> Iterable[Difference]:
    for key in sorted(old.keys() | new.keys(), key=str):
        sides = old.get(key), new.get(key)
        name = f"{path}{key}"
        folders = [side for side in sides if isinstance(side, Mapping) and side]
        if folders and all(side is None or isinstance(side, Mapping) for side in sides):
            yield from _nested(subject, sides[0] or {}, sides[1] or {}, f"{name}:")
        elif sides[0] != sides[1]:
            yield Difference(subject, name, *sides)


# --- author --------------------------------------------------------------------------------------


def commands_since(
    looks: Iterable[ReportedConfig], since: Mapping[str, float], otherwise: float
) -> tuple[GivenCommand, ...]:
    """Return the changing commands that were given after a node's time in ``since``.

    Those times are by each node's own clock, which knows best what came after what there;
    ``otherwise``, for who has none, is by the reader's.
    """

    def is_new(config: ReportedConfig, at: float) -> bool:
        own = since.get(config.uuid)
        return at > otherwise if own is None else at + config.ahead_s > own

    given = [
        GivenCommand(config.uuid, config.name, c.at, c.command, c.ours)
        for config in looks for c in config.commands if is_new(config, c.at)
    ]  # fmt: skip
    return tuple(sorted(given, key=lambda g: g.at))


def explaining(difference: Difference, commands: Collection[GivenCommand]) -> GivenCommand | None:
    """Return the last command that can have made this difference."""
    return next((g for g in reversed(list(commands)) if _explains(g.command, difference)), None)


def _explains(command: str, difference: Difference) -> bool:
    words = command.split()
    if len(words) < 2:
        return False
    if difference.subject.kind == "node":
        return words[:2] in (["peer", "probe"], ["peer", "detach"])
    if words[0] == "snapshot":
        return words[1] in ("restore", "clone")
    if words[0] not in ("volume", "vol", "v") or words[2:3] not in (
        [difference.subject.name],
        ["all"],
    ):
        return words[1] == "sync"
    verb, what = words[1], difference.what
    if difference.option:
        return _sets(words, difference.option, difference.new)
    if what in ("", "id"):
        return verb == ("delete" if difference.new is None else "create")
    if what == "status":
        return verb == {"Started": "start", "Stopped": "stop"}.get(str(difference.new))
    return verb in ("add-brick", "remove-brick", "replace-brick", "reset-brick")


def _sets(words: list[str], option: str, value: Any) -> bool:
    """Whether this command can have left the option so. Its short name will do for gluster."""
    verb, rest = words[1], words[3:]
    names = {option, option.partition(".")[2]}
    if verb == "set":
        is_named = names.intersection(rest) and f" {value} " in f" {' '.join(rest)} "
        return value is not None and (rest[:1] == ["group"] or bool(is_named))
    if verb == "reset":
        return value is None and (rest in ([], ["force"]) or bool(names.intersection(rest)))
    # quota, bitrot, profile, heal enable and their like set options of their own.
    return verb not in ("start", "stop", "create", "delete")


def author(rows: Collection[Difference], commands: Collection[GivenCommand]) -> tuple[str, str]:
    """Return the author of these differences, as far as it is known, and why they are there.

    The history of a node names a command, never its author.
    """
    made = {d: explaining(d, commands) for d in rows}
    known = list(dict.fromkeys(g for g in made.values() if g is not None))
    if len(known) == 0:
        return NOBODY, "no command in any member's history explains it"
    why = "; ".join(g.words for g in known[-3:])
    if any(g is None for g in made.values()):
        return NOBODY, f"{why}; that does not explain all of it"
    if all(g.ours for g in known):
        return f"salt-gluster on {', '.join(sorted({g.name for g in known}))}", why
    return NOBODY, why
