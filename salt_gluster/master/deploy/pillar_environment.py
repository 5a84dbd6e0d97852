"""Decide from which of a master's pillar environments a minion's pillar comes.

Salt compiles a minion's pillar for the ``pillarenv`` that the minion names. Without one it merges
all environments in the order of a set, another one in each process: what comes out is not certain,
and nothing is built on it where the environments differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from salt_gluster.model import Unknown

Compile = Callable[[str | None], Mapping[str, Any]]
#: The environment that each master has.
BASE = "base"
#: Salt puts the name that a minion says in its place.
DYNAMIC = "__env__"


@dataclass(frozen=True)
class CompiledPillar:
    """A minion's pillar as the master compiles it; ``why`` it is not known, "" = it is."""

    data: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


def environments(opts: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the environments of a master; None where a minion's name makes one (``__env__``)."""
    remotes = [
        remote
        for source in opts.get("ext_pillar") or () if isinstance(source, Mapping)
        for remote in source.get("git") or ()
    ]  # fmt: skip
    found = {BASE, *(opts.get("pillar_roots") or {}), *(_of_git(opts, r) for r in remotes)}
    return None if DYNAMIC in found else tuple(sorted(found))


def _of_git(opts: Mapping[str, Any], remote: Any) -> str:
    """Return the environment of one remote of git: ``BRANCH URL``, with settings or without."""
    name, settings = next(iter(remote.items())) if isinstance(remote, Mapping) else (remote, ())
    rows = settings if isinstance(settings, list) else [settings]
    given = [str(row["env"]) for row in rows if isinstance(row, Mapping) and row.get("env")]
    branch = str(name).partition(" ")[0]
    base = str(opts.get("git_pillar_base") or "master")
    return given[0] if given else BASE if branch == base else branch


def compiled(
    known: Sequence[str] | None, own: Callable[[], str | Unknown | None], compile_: Compile
) -> CompiledPillar:
    """Return a minion's pillar.

    Where environments come with a minion's name, Salt has one for a minion that names none.
    ``own`` asks which environment the minion names, None = it names none. ``compile_`` compiles
    one environment, or with None all of them together; it is the only one where a master has one.
    """
    if known is not None and len(known) == 1:
        return _checked(compile_(None))
    named = own()
    if isinstance(named, Unknown):
        return CompiledPillar(why=f"its pillar environment is not known: {named.why}")
    if named is not None or known is None:
        if named is not None and known is not None and named not in known:
            return CompiledPillar(why=f"it names the pillar environment {named}, which is not here")
        return _checked(compile_(named))
    return _common({environment: _checked(compile_(environment)) for environment in known})


def _common(by_environment: Mapping[str, CompiledPillar]) -> CompiledPillar:
    """Return the one pillar that says anything of a pool; more than one must say the same."""
    unclear = [pillar for pillar in by_environment.values() if pillar.why]
    if unclear:
        return unclear[0]
    declares = {name: p for name, p in by_environment.items() if p.data.get("gluster")}
    first = next(iter(declares.values()), by_environment[BASE])
    if all(p.data["gluster"] == first.data["gluster"] for p in declares.values()):
        return first
    return CompiledPillar(
        why=f"it names no pillarenv, and {' and '.join(declares)} declare different pools"
    )


def _checked(pillar: Mapping[str, Any]) -> CompiledPillar:
    """Say that a pillar is not known which has errors and no pool; its text may have secrets."""
    if pillar.get("_errors") and not pillar.get("gluster"):
        return CompiledPillar(why="its pillar has errors: salt-run pillar.show_pillar")
    return CompiledPillar(pillar)


def own_environment(
    asked: Mapping[str, Any], minion: str, opts: Mapping[str, Any], saltenvs: Mapping[str, Any]
) -> str | Unknown | None:
    """Return which environment a minion names, by what minions answered (id -> ``pillarenv``).

    Where it names none the master's settings say: one for all, or that of its states.
    """
    if minion not in asked:
        return Unknown("the minion did not answer")
    named = asked[minion] or opts.get("pillarenv")
    if not named and opts.get("pillarenv_from_saltenv"):
        if minion not in saltenvs:
            return Unknown("the minion did not answer")
        named = saltenvs[minion] or BASE
    if not named:
        return None
    if not isinstance(named, str) or len(named) > 100 or "\n" in named:
        return Unknown("the minion answered no name of an environment")
    return named
