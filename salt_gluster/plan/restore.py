"""Plan the restore of a node that has lost ``/var/lib/glusterd``: what it needs, what forbids it.

Its uuid and its peers, in two kinds of files, before glusterd's first start: then the members take
it back and the volumes come by themselves, never rejected (5 of 5, facts.md#C-A.2).
Everything stands in the store; the members that are there have to say the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.errors import NotFound, SpecError
from salt_gluster.status.config_versions import reported_config
from salt_gluster.status.facts import facts_from

DIRECTORY = "/var/lib/glusterd"
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile("[A-Za-z0-9._:-]+")
#: Options of what keeps files of its own below ``vols/``: way F was never tried with these.
_UNPROVEN = ("features.quota", "features.uss", "geo-replication.indexing", "features.bitrot")


@dataclass(frozen=True)
class RestoreCheck:
    """One thing that has to be so. ``yes`` None = it could not be learned, which counts as no."""

    name: str
    yes: bool | None
    why: str


@dataclass(frozen=True)
class GlusterdIdentity:
    """What is given back. ``peers``: uuid -> the name that the members know it by."""

    uuid: str
    name: str
    op_version: int
    peers: Mapping[str, str]

    def check(self) -> None:
        """Raise ``SpecError`` for what must not become a file's name or a line in it."""
        for uuid in (self.uuid, *self.peers):
            if not _UUID.fullmatch(uuid):
                raise SpecError("uuid", f"{uuid!r} is none.")
        for name in self.peers.values():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise SpecError("peers", f"{name!r} is no host name and no address.")

    def files(self) -> dict[str, str]:
        """Return path -> content."""
        info = f"UUID={self.uuid}\noperating-version={self.op_version}\n"
        rows = {
            f"{DIRECTORY}/peers/{uuid}": f"uuid={uuid}\nstate=3\nhostname1={name}\n"
            for uuid, name in sorted(self.peers.items())
        }
        return {f"{DIRECTORY}/glusterd.info": info, **rows}


@dataclass(frozen=True)
class Lost:
    """Who it is about, what is given back (None = it is not known), and what has to be so."""

    uuid: str
    name: str
    identity: GlusterdIdentity | None
    checks: tuple[RestoreCheck, ...]


def find(version: Mapping[str, Any], name: str, minions: Mapping[str, str]) -> tuple[str, str]:
    """Return uuid and name of a node by any of its names; ``minions``: minion id -> uuid."""
    peers = (version.get("actual") or {}).get("peers", {})
    uuid = minions.get(name, "")
    fits = {u for u, names in peers.items() if name in (u, *names)} | ({uuid} & set(peers))
    if len(fits) != 1:
        known = ", ".join(sorted(names[0] if names else u for u, names in peers.items()))
        raise NotFound(
            f"version {version.get('version')} knows {len(fits)} nodes by the name {name}.",
            kind="not_found", hint=f"It knows: {known or 'none'}.",
        )  # fmt: skip
    (uuid,) = fits
    return uuid, next(iter(peers[uuid]), name)


def lost(
    version: Mapping[str, Any], uuid: str, name: str, reports: Mapping[str, Mapping[str, Any]],
    op_versions: Mapping[str, int],
) -> Lost:  # fmt: skip
    """Judge by the members' own reports (uuid -> report) and their op-versions, taken just now."""
    actual = version["actual"]
    others = {u: (n[0] if n else u) for u, n in actual["peers"].items() if u != uuid}
    answers = {u: reports[u] for u in others if u in reports}
    silent = sorted(others[u] for u in others.keys() - answers.keys())
    names = _known_as(others, answers)
    numbers = set(op_versions.values())
    checks = (
        _check("members_answer", silent, "every other member has told its report", "silent"),
        _check("members_expect_it", _without(answers, others, uuid),
               "every other member has it by this uuid", "not so"),
        _check("members_are_the_same", _elsewhere(answers, others, set(actual["peers"])),
               "their peers are those of the stored version", "another pool"),
        _check("members_are_whole", _cut(answers, others, uuid),
               "they are all in the pool and connected with one another", "not so"),
        _check("definitions_are_stored", _other(answers, others, str(version.get("actual_digest"))),
               "their volumes are those of the stored version", "other volumes"),
        RestoreCheck("one_op_version", len(numbers) == 1 if numbers else None,
              f"the pool runs at {', '.join(map(str, sorted(numbers))) or 'nobody knows what'}"),
        _check("plain_volumes", _unproven(actual["volumes"]),
               "no volume has files of quota, bitrot, snapshots or geo-replication", "not proven"),
    )  # fmt: skip
    whole = len(numbers) == 1 and names.keys() == others.keys()
    identity = GlusterdIdentity(uuid, name, next(iter(numbers)), names) if whole else None
    return Lost(uuid, name, identity, checks)


def _check(name: str, against: list[str], well: str, ill: str) -> RestoreCheck:
    return RestoreCheck(name, not against, f"{ill}: {', '.join(against)}" if against else well)


def _known_as(
    others: Mapping[str, str], answers: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:  # fmt: skip
    """Return the name that most members know each by; of the only other one the stored name."""
    votes: dict[str, Counter[str]] = {u: Counter() for u in others}
    for report in answers.values():
        for peer in report["peers"]:
            if peer["uuid"] in votes and not peer["is_self"] and peer["names"]:
                votes[peer["uuid"]][peer["names"][0]] += 1
    return {u: c.most_common(1)[0][0] if c else others[u] for u, c in votes.items()}


def _without(
    answers: Mapping[str, Mapping[str, Any]], names: Mapping[str, str], uuid: str
) -> list[str]:  # fmt: skip
    return sorted(
        names[u] for u, r in answers.items() if uuid not in {p["uuid"] for p in r["peers"]}
    )


def _elsewhere(
    answers: Mapping[str, Mapping[str, Any]], names: Mapping[str, str], members: set[str]
) -> list[str]:
    return sorted(
        names[u] for u, r in answers.items() if {p["uuid"] for p in r["peers"]} != members
    )


def _cut(
    answers: Mapping[str, Mapping[str, Any]], names: Mapping[str, str], uuid: str
) -> list[str]:  # fmt: skip
    bad = set()
    for report in answers.values():
        for peer in report["peers"]:
            away = not peer["is_self"] and not (peer["connected"] and peer["state"] == 3)
            if away and peer["uuid"] != uuid:
                bad.add(names.get(peer["uuid"], peer["uuid"]))
    return sorted(bad)


def _other(
    answers: Mapping[str, Mapping[str, Any]], names: Mapping[str, str], digest: str
) -> list[str]:  # fmt: skip
    looks = {u: reported_config(r, facts_from(r)) for u, r in answers.items()}
    return sorted(names[u] for u, c in looks.items() if c is None or c.digest != digest)


def _unproven(volumes: Mapping[str, Any]) -> list[str]:
    on = {n: [o for o in _UNPROVEN if v["options"].get(o) in ("on", "enable", "1", "true")]
          for n, v in volumes.items()}  # fmt: skip
    return sorted(f"{name} ({', '.join(bricks)})" for name, bricks in on.items() if bricks)


def bricks_of(version: Mapping[str, Any], uuid: str) -> list[dict[str, str]]:
    """Return the bricks of one node with volume, id, path, and what they lay on while well."""
    recorded = (version.get("identities") or {}).get(uuid, {})
    return [
        {"volume": name, "volume_id": v["id"], "brick": f"{b['host']}:{b['path']}",
         "path": b["path"], "filesystem": recorded.get(b["path"], "")}
        for name, v in sorted(version["actual"]["volumes"].items())
        for b in v["bricks"] if b["host_uuid"] == uuid
    ]  # fmt: skip
