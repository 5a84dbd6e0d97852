"""Export the declaration from the pool's history as a pillar, and import one into Consul.

How files and YAML are read and written is handed in; how a pillar gets what stands in Consul is
``pillar_source.py``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.consul.codec import pack
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import ConsulError, NotFound, SpecError
from salt_gluster.master.config_history import current_version, kept_version
from salt_gluster.master.pillar_source import StoredDeclaration
from salt_gluster.node.clock import local_datetime
from salt_gluster.spec import parse_pool
from salt_gluster.spec.values import plain
from salt_gluster.status.config_versions import differences

#: Beside ``gluster`` in an export: what the pool really was. Nothing reads it in a pillar.
ACTUAL = "gluster_actual"
_ABOUT = ("version", "at", "by", "why")


@dataclass(frozen=True)
class ImportRequest:
    """What the operator requests."""

    reason: str
    by: str
    test: bool = False


def export(pool: PoolClient, number: int | None, *, actual: bool) -> dict[str, Any]:
    """Return what was declared as a pillar: of a version, else of the one in force.

    With ``actual`` also what the pool really was by then. ``NotFound`` where nothing was accepted.
    """
    version = current_version(pool) if number is None else kept_version(pool, number)
    data: Mapping[str, Any] = {} if version is None else version.data
    if "spec" not in data:
        which = "yet" if number is None else f"by version {number}"
        raise NotFound(
            f"no declaration was accepted {which}.", kind="not_found",
            hint="The highstate of a registered node submits it: salt 'g*' state.apply gluster.",
        )  # fmt: skip
    pillar: dict[str, Any] = {"gluster": data["spec"]}
    if actual:
        kept = (*_ABOUT, "accepted", "actual", "identities")
        pillar[ACTUAL] = {key: data[key] for key in kept if key in data}
    return pillar


def as_file(pool: str, data: Mapping[str, Any], dump: Callable[[Any], str]) -> str:
    """Return an export as the text of a pillar file; no template: what stands there is meant."""
    return f"#!yaml\n# The pool {pool}, by salt-run gluster.export.\n{dump(dict(data))}"


def body_of(data: Any) -> Any:
    """Return the body of ``gluster`` out of what a file says; ``SpecError`` on anything else."""
    if not isinstance(data, Mapping) or "gluster" not in data:
        raise SpecError("gluster", "the file has no such key.",
                        hint="It is a pillar: gluster: {nodes: g[1-3]}, …")  # fmt: skip
    others = [str(key) for key in data if key not in ("gluster", ACTUAL)]
    if others:
        raise SpecError(others[0], "only the key gluster is kept in Consul.",
                        hint="Take it out, or leave it in a pillar file.")  # fmt: skip
    return data["gluster"]


def import_declaration(pool: PoolClient, body: Any, request: ImportRequest) -> dict[str, Any]:
    """Make this the declaration that Consul keeps; say what differs from the last one.

    Nothing is written where it is wrong, too big or the same, or where another writer was faster.
    """
    if not (request.reason or request.test):
        raise SpecError("reason", "a pool's declaration is not replaced without one.",
                        hint="Add reason='…', or test=True to see what differs.")  # fmt: skip
    wanted = plain(body)
    named = parse_pool(wanted, known=pool.store.accepted()).cluster
    if named != pool.cluster:
        raise SpecError("gluster:cluster", f"it declares {named}, this Consul has the pool"
                        f" {pool.cluster}.", hint=f"cluster: {pool.cluster}")  # fmt: skip
    key = pool.store.keys.pillar
    existing = pool.store.read(key)
    before = existing.data if existing is not None and isinstance(existing.data, Mapping) else {}
    old = before.get("gluster")
    new = StoredDeclaration(pool.cluster, wanted, request.by, pool.now(), request.reason).to_data()
    pack(new)  # too big is said in test mode as well
    result = {"pool": pool.cluster, "changes": {}, "test": request.test}
    if old == wanted:
        return {**result, "comment": "Consul keeps this very declaration already."}
    if not request.test:
        _write(pool, key, new, 0 if existing is None else existing.index)
    changes = {key: {"old": _about(before), "new": f"{request.by}: {request.reason}"}}
    rows = differences({"spec": old or _in_force(pool)}, {"spec": wanted})
    changes |= {d.what: {"old": d.old, "new": d.new} for d in rows}
    return {**result, "changes": changes, "then": "salt 'g*' state.apply gluster"}


def _write(pool: PoolClient, key: str, new: Mapping[str, Any], index: int) -> None:
    try:
        pool.store.write(key, new, cas=index)
    except ConsulError as err:
        if err.kind != "conflict":
            raise
        raise ConsulError("somebody else has just changed it; nothing was written.",
                          kind="conflict", hint="Look at what differs now: test=True.",
                          ) from err  # fmt: skip


def _in_force(pool: PoolClient) -> Any:
    """Return what nodes have submitted: the first import is compared with that."""
    current = current_version(pool)
    return {} if current is None else current.data.get("spec") or {}


def _about(before: Mapping[str, Any]) -> str | None:
    if not before:
        return None
    return f"{before.get('by')} at {local_datetime(before.get('at') or 0)}: {before.get('why')}"


def no_yaml(file: str, mark: Any) -> SpecError:
    """Return the error for a file that is none; YAML's own text quotes what stands there."""
    where = "" if mark is None else f", line {mark.line + 1}"
    return SpecError("file", f"{file} cannot be read as YAML{where}.",
                     hint="It is plain YAML, no template.")  # fmt: skip
