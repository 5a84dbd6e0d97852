"""Tell which options the installed glusterd knows, from its own table: no pool has to be there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_TABLE = "glusterfs/*/xlator/mgmt/glusterd.so"
#: Every version has it: where it is not found, the table is not read as it should be.
_ALWAYS = "auth.allow"
#: Where the NFS server is left out this one is missing, and ``nfs.disable`` stands there all the
#: same, for the volumes of old (facts.md#C-L.6).
_NFS = "nfs.volume-access"


def known_options(names: Iterable[str], root: str | Path = "/") -> dict[str, bool]:
    """Return whether glusterd knows each option; empty where its table cannot be told.

    ``volume set help`` leaves out a third of them, and ``volume get`` needs a volume.
    """
    tables = {t for lib in ("usr/lib", "usr/lib64", "usr/lib/*") for t in _at(root, lib)}
    if len(tables) != 1:  # two versions lie there: which one runs is not known
        return {}
    try:
        raw = tables.pop().read_bytes()
    except OSError:
        return {}

    def has(name: str) -> bool:
        return name.encode() + b"\0" in raw

    if not has(_ALWAYS):
        return {}
    return {n: has(n) and (not n.startswith("nfs.") or has(_NFS)) for n in names}


def _at(root: str | Path, lib: str) -> list[Path]:
    return [table.resolve() for table in Path(root).glob(f"{lib}/{_TABLE}")]
