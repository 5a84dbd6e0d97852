"""What changing an option can do to data and users: the table behind ``option.hazard``.

An option that is in no row does no harm that stops a plan: gluster applies it to running bricks
and clients without a pause. The rows are judgements; each says its reason as the user reads it.
"""

from __future__ import annotations

from collections.abc import Callable

from salt_gluster.model import Hazard

_RISK, _CUT, _PAUSE = Hazard.DATA_AT_RISK, Hazard.CLIENT_CUT, Hazard.IO_PAUSE

_QUORUM = "quorum decides when writing stops; a change can let two halves write different data"
_SHARD = "files written with the other setting are read wrongly or look cut short"
_WHO = "clients that the new value does not let in lose the volume"
_TLS = "clients, bricks and glusterd that do not agree on TLS cannot speak to each other"
_HEAL = "copies that fell behind are no longer brought up to date"
_OWNER = "the owner or mode of files changes, so that users can lose access"

#: name or prefix ending in "*" -> hazard, reason.
HAZARDS: dict[str, tuple[Hazard, str]] = {
    "features.shard": (_RISK, _SHARD),
    "features.shard-block-size": (_RISK, "files get shards of different sizes; upstream: never"),
    "cluster.quorum-type": (_RISK, _QUORUM),
    "cluster.quorum-count": (_RISK, _QUORUM),
    "cluster.quorum-reads": (_RISK, _QUORUM),
    "cluster.server-quorum-type": (_RISK, _QUORUM + "; bricks can be stopped at once"),
    "cluster.server-quorum-ratio": (_RISK, _QUORUM + "; bricks can be stopped at once"),
    "disperse.quorum-count": (_RISK, _QUORUM),
    "cluster.favorite-child-policy": (_RISK, "split-brain is settled by throwing a copy away"),
    "cluster.dht-xattr-name": (_RISK, "bricks lose the layout that says where files are"),
    "cluster.granular-entry-heal": (_RISK, "heals noted in the other form are not found any more"),
    "cluster.ensure-durability": (_RISK, "acknowledged writes can be lost with the power"),
    "storage.gfid2path": (_RISK, "paths of files written meanwhile cannot be told any more"),
    "features.cloudsync*": (_RISK, "files can be moved out to, or no longer be had from, a store"),
    "locks.mandatory-locking": (_CUT, "programs that do not take locks are refused"),
    "auth.allow": (_CUT, _WHO),
    "auth.reject": (_CUT, _WHO),
    "auth.ssl-allow": (_CUT, _WHO),
    "server.allow-insecure": (_CUT, _WHO),
    "client.ssl": (_CUT, _TLS),
    "server.ssl": (_CUT, _TLS),
    "ssl.*": (_CUT, _TLS),
    "config.transport": (_CUT, "clients mounted with the other transport lose the volume"),
    "transport.address-family": (_CUT, "clients of the other address family lose the volume"),
    "server.root-squash": (_CUT, _OWNER),
    "server.all-squash": (_CUT, _OWNER),
    "server.anonuid": (_CUT, _OWNER),
    "server.anongid": (_CUT, _OWNER),
    "storage.owner-uid": (_CUT, _OWNER),
    "storage.owner-gid": (_CUT, _OWNER),
    "features.acl": (_CUT, _OWNER),
    "features.read-only": (_CUT, "writing is refused while it is on"),
    "features.worm": (_CUT, "changing files is refused while it is on"),
    "features.worm-file-level": (_CUT, "changing retained files is refused while it is on"),
    "debug.error*": (_CUT, "calls fail on purpose"),
    "debug.delay-gen": (_PAUSE, "calls are delayed on purpose"),
    "delay-gen.*": (_PAUSE, "calls are delayed on purpose"),
    "features.barrier": (_PAUSE, "writing waits while it is on"),
    "cluster.brick-multiplex": (
        _PAUSE,
        "bricks need a restart, and with 200 volumes 369 of 600 stayed away",  # facts.md#G-0.10
    ),
}
#: Switches that do harm only one way: name -> (value after, hazard, reason).
ONE_WAY: dict[str, tuple[str, Hazard, str]] = {
    "cluster.self-heal-daemon": ("off", _RISK, _HEAL),
    "cluster.disperse-self-heal-daemon": ("off", _RISK, _HEAL),
    "storage.health-check-interval": ("0", _RISK, "a brick on a dead disk goes on answering"),
    "features.ctime": ("off", _RISK, "times of files differ between copies from then on"),
}


def _only_adds(before: str, after: str) -> bool:
    """Whether an allow list lets in everybody it let in before."""
    return after == "*" or (before != "*" and set(before.split(",")) <= set(after.split(",")))


def _only_frees(before: str, after: str) -> bool:
    """Whether a reject list turns away no new client; gluster writes an empty one ``NONE``."""
    return after in ("", "NONE") or set(after.split(",")) <= set(before.split(","))


def _no_fewer(before: str, after: str) -> bool:
    """Whether a count of copies that have to answer is not lowered; none set counts as 0."""
    return after.isdecimal() and int(after) >= (int(before) if before.isdecimal() else 0)


#: What only strengthens, or lets in more: name -> whether a change from one value to another does.
_HARMLESS: dict[str, Callable[[str, str], bool]] = {
    "cluster.quorum-type": lambda before, after: after == "auto" or before == "none",
    "cluster.quorum-count": _no_fewer,
    "cluster.quorum-reads": lambda _, after: after == "on",
    "cluster.server-quorum-type": lambda before, after: after == "server" or before != "server",
    "disperse.quorum-count": _no_fewer,
    "cluster.favorite-child-policy": lambda _, after: after == "none",
    "cluster.ensure-durability": lambda _, after: after == "on",
    "auth.allow": _only_adds,
    "auth.ssl-allow": _only_adds,
    "auth.reject": _only_frees,
    "features.read-only": lambda _, after: after == "off",
    "server.allow-insecure": lambda _, after: after == "on",
}


def hazard_of(name: str, before: str, after: str) -> tuple[Hazard, str]:
    """Return hazard and reason of a change between two normalised, different values."""
    if name in ONE_WAY:
        bad, kind, why = ONE_WAY[name]
        return (kind, why) if after == bad else (Hazard.NONE, "")
    if name in _HARMLESS and _HARMLESS[name](before, after):
        return Hazard.NONE, ""
    for pattern, row in HAZARDS.items():
        if name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])):
            return row
    return Hazard.NONE, ""
