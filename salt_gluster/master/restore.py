"""Restore the glusterd identity of a node: asked of the store, of the members, then of the node.

Without ``confirm`` nothing is done: the exact plan is returned, with every check's answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from salt_gluster.consul.answers import confirmed_answers
from salt_gluster.consul.pool import PoolClient
from salt_gluster.consul.service import Member
from salt_gluster.errors import GlusterError, NotFound, SpecError
from salt_gluster.master.config_history import current_version
from salt_gluster.master.minions import Ask, last_line, no_answer
from salt_gluster.model import Hold, Unknown
from salt_gluster.plan.restore import Lost, RestoreCheck, bricks_of, find, lost
from salt_gluster.status.report import usable
from salt_gluster.status.report_document import report_from

FUNCTION = "gluster_peer.restore"
#: A member may be at work for others just then, and does not queue.
_TRIES = 3


def restore(ask: Ask, pool: PoolClient, name: str, confirm: str = "") -> dict[str, Any]:
    """Return the plan for a node; with its uuid as ``confirm``, carry it out on the node.

    ``NotFound`` for a node that the store does not know.
    """
    document = current_version(pool)
    version: Mapping[str, Any] = {} if document is None else document.data
    if "actual" not in version:
        raise NotFound("no version of the pool's configuration is stored.", kind="not_found",
                       hint="A leader stores it when the nodes report.")  # fmt: skip
    members = pool.members()
    uuid, called = find(version, name, {m.minion or m.node: m.uuid for m in members})
    minion = next((m.minion for m in members if m.uuid == uuid and m.minion), called)
    lost_node, own = _evaluate(ask, pool, version, uuid, called, minion)
    checks = (*lost_node.checks, own, _not_held(pool))
    ready = lost_node.identity is not None and all(check.yes for check in checks)
    plan = _plan(pool.cluster, version, lost_node, minion, checks, ready)
    if not confirm:
        return plan
    if confirm != uuid:
        raise SpecError("confirm", f"{confirm!r} is not the uuid of {called}.",
                        hint=f"Look at the plan first: salt-run gluster_operation.restore_config"
                        f" {name}.")  # fmt: skip
    if not ready:
        no = "; ".join(f"{c.name}: {c.why}" for c in checks if not c.yes)
        raise GlusterError(f"nothing was done. {no}", kind="not_ready")
    return {**plan, **_carried_out(ask, pool, minion, lost_node, version)}


def _members(
    ask: Ask, pool: PoolClient, version: Mapping[str, Any], uuid: str
) -> dict[str, Mapping[str, Any]]:
    """Return what the other members say now, each by its own right in Consul.

    What came by Salt's bus any minion may have said for any other: it only makes them look.
    """
    others = {u for u in version["actual"]["peers"] if u != uuid}
    found: dict[str, Mapping[str, Any]] = {}
    for _ in range(_TRIES):
        nonce = f"n{uuid4().hex}"
        ask("*", "gluster_remediation.observe", [], nonce)
        answers = confirmed_answers(pool.store, sorted(others - found.keys()), nonce)
        reports = {u: report_from(a.get("report"), u) for u, a in answers.items()}
        found |= {u: r for u, r in reports.items() if not isinstance(r, Unknown) and usable(r)}
        if found.keys() >= others:
            break
    return found


def _op_versions(ask: Ask, members: list[Member]) -> dict[str, int]:
    """Return the op-version that each member tells, and that its registration has: two words."""
    registered = {m.minion: int(m.op_version) for m in members if m.op_version.isdecimal()}
    told = ask(list(registered), "gluster.op_version") if registered else {}
    numbers = {m: n for m, n in told.items() if isinstance(n, int) and m in registered}
    return {**numbers, **{f"{m}, registered": registered[m] for m in numbers}}


def _evaluate(
    ask: Ask, pool: PoolClient, version: Mapping[str, Any], uuid: str, name: str, minion: str
) -> tuple[Lost, RestoreCheck]:  # fmt: skip
    """Return what the members say, and what the node itself says to the plan."""
    reports = _members(ask, pool, version, uuid)
    op_versions = _op_versions(ask, [m for m in pool.members() if m.uuid in reports])
    lost_node = lost(version, uuid, name, reports, op_versions)
    if lost_node.identity is None:
        why = "it was not asked: the plan is not whole"
        return lost_node, RestoreCheck("node_agrees", None, why)
    answer = _asked(ask, minion, lost_node, version, test=True).get(minion)
    if isinstance(answer, Mapping) and answer.get("changes"):
        return lost_node, RestoreCheck("node_agrees", True, f"{minion} has nothing to lose")
    if isinstance(answer, Mapping):
        return lost_node, RestoreCheck("node_agrees", False, str(answer.get("comment")))
    why = last_line(answer) if isinstance(answer, str) and answer else "it did not answer"
    return lost_node, RestoreCheck(
        "node_agrees", None if not answer or no_answer(answer) else False, why
    )


def _asked(
    ask: Ask, minion: str, lost_node: Lost, version: Mapping[str, Any], *, test: bool
) -> Mapping[str, Any]:
    identity = lost_node.identity
    if identity is None:
        return {}
    volumes = sorted(version["actual"]["volumes"])
    arguments = (identity.uuid, identity.op_version, dict(identity.peers), volumes, test)
    return ask([minion], FUNCTION, *arguments)


def _not_held(pool: PoolClient) -> RestoreCheck:
    hold = pool.store.hold()
    if isinstance(hold, Unknown):
        return RestoreCheck("not_held", None, hold.why)
    if isinstance(hold, Hold):
        return RestoreCheck(
            "not_held", False, f"{hold.by or 'somebody'} holds the pool: {hold.reason}"
        )
    return RestoreCheck("not_held", True, "nobody holds the pool")


def _plan(
    cluster: str, version: Mapping[str, Any], lost_node: Lost, minion: str,
    checks: tuple[RestoreCheck, ...], ready: bool,
) -> dict[str, Any]:  # fmt: skip
    identity, bricks = lost_node.identity, bricks_of(version, lost_node.uuid)
    return {
        "pool": cluster, "node": lost_node.name, "minion": minion, "uuid": lost_node.uuid,
        "version": version["version"], "version_at": version["at"], "ready": ready,
        "checks": [{"name": c.name, "yes": c.yes, "why": c.why} for c in checks],
        "files": {} if identity is None else identity.files(),
        "bricks": bricks,
        "then": [w for b in bricks for w in _refill(b)],
        "restored": False,
    }  # fmt: skip


def _refill(brick: Mapping[str, str]) -> list[str]:
    """Return the commands with which an operator fills an emptied brick (facts.md#C-A.3)."""
    name = f"{brick['volume']} {brick['brick']}"
    return [f"gluster volume reset-brick {name} start",
            f"gluster volume reset-brick {name} {brick['brick']} commit force"]  # fmt: skip


def _carried_out(
    ask: Ask, pool: PoolClient, minion: str, lost_node: Lost, version: Mapping[str, Any]
) -> dict[str, Any]:  # fmt: skip
    """Have the node do it, and ask the members whether they have it back."""
    answer = _asked(ask, minion, lost_node, version, test=False).get(minion)
    if not isinstance(answer, Mapping):
        why = (
            last_line(answer) if isinstance(answer, str) and answer else "it did not answer in time"
        )
        raise GlusterError(f"{minion} did not say that it is done: {why}.", kind="unknown_outcome",
                           hint="Look first: salt-run gluster.status.")  # fmt: skip
    reports = _members(ask, pool, version, lost_node.uuid)
    missing = sorted(str(r["node"]) for r in reports.values() if not _has(r, lost_node.uuid))
    if missing:
        raise GlusterError(f"{minion} is back, but not for {', '.join(missing)}.", kind="not_back",
                           hint="See: salt '*' gluster_peer.status.")  # fmt: skip
    return {"restored": True, "changes": answer["changes"], "comment": answer["comment"]}


def _has(report: Mapping[str, Any], uuid: str) -> bool:
    rows = [p for p in report["peers"] if p["uuid"] == uuid]
    return any(p["connected"] and p["state"] == 3 for p in rows)
