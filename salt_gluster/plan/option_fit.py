"""Tell which options gluster refuses of a volume, for its shape or for what is not switched on.

The values are right by their type, so that only the volume itself can tell. The rules are those of
glusterd's own checks, read in ``glusterd-volume-set.c``: the same in 10.3 and 11.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from salt_gluster.model import Volume
from salt_gluster.spec import option


def misfit(name: str, value: str, volume: Volume) -> str:
    """Say why gluster would refuse the option of this volume, or ""."""
    rule = _RULES.get(name)
    return rule(option.normalise(name, value), volume) if rule else ""


def _only(kind: str, words: str) -> Callable[[str, Volume], str]:
    def rule(_: str, volume: Volume) -> str:
        return "" if volume.kind == kind else f"gluster takes it only of a volume {words}"

    return rule


def _between(low: int, high: int, value: str) -> str:
    """Say what a count may be. What is no number is left for gluster to tell."""
    if not value.lstrip("-").isdecimal() or low <= int(value) <= high:
        return ""
    return f"here it may be {low} to {high}" if low < high else f"here it may be {low} only"


def _with_quota(_: str, volume: Volume) -> str:
    quota = option.normalise("features.quota-deem-statfs", volume.options.get("features.quota", ""))
    return "" if quota == "on" else "gluster takes it only of a volume with quota"


def _disperse_count(value: str, volume: Volume) -> str:
    if volume.kind != "disperse":
        return _DISPERSED("", volume)
    return _between(volume.disperse - volume.redundancy, volume.disperse, value)


_COPIES = _only("replicate", "with copies")
_DISPERSED = _only("disperse", "that is dispersed")

_RULES: Mapping[str, Callable[[str, Volume], str]] = {
    "cluster.metadata-self-heal": _COPIES,
    "cluster.data-self-heal": _COPIES,
    "cluster.entry-self-heal": _COPIES,
    "cluster.self-heal-daemon": _COPIES,
    "cluster.shd-max-threads": _COPIES,
    "cluster.disperse-self-heal-daemon": _DISPERSED,
    "disperse.shd-max-threads": _DISPERSED,
    "disperse.quorum-count": _disperse_count,
    "cluster.lock-migration": _only("distribute", "without copies"),
    "cluster.quorum-count": lambda value, volume: _between(1, volume.replica, value),
    "cluster.subvols-per-directory": lambda value, volume: _between(1, len(volume.sets), value),
    "features.quota-deem-statfs": _with_quota,
}
