"""Query gluster, and return its answers as plain data.

Reads only. What gluster did not say is ``{'unknown': why}``; what it refused raises a
``GlusterError``. Waiting for a heal is a read too. No Salt and no rule of a change lives here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from salt_gluster.errors import NotFound
from salt_gluster.gluster.parse.answer import CliAnswer
from salt_gluster.gluster.parse.volume import parse_volume_info
from salt_gluster.minion.context import Minion
from salt_gluster.model import Volume
from salt_gluster.spec.names import check_volume_name

T = TypeVar("T")
Data = dict[str, Any]


def ask(minion: Minion, command: str, parse: Callable[[CliAnswer], T], **arguments: Any) -> T:
    try:
        return parse(minion.reader.gluster.ask(command, **arguments))
    except NotFound as problem:
        if problem.kind != "not_found" or "volume" not in arguments:
            raise
        name = arguments["volume"]
        hint = "See gluster_volume.list."
        raise NotFound(f"there is no volume {name}", kind=problem.kind, hint=hint) from problem


# --- the pool ------------------------------------------------------------------------------------


# --- volumes -------------------------------------------------------------------------------------


def volume_of(minion: Minion, name: str) -> Volume:
    check_volume_name(name, "name")
    volume = ask(minion, "volume_info_one", parse_volume_info, volume=name).get(name)
    if volume is None:
        raise NotFound(f"there is no volume {name}", hint="See gluster_volume.list.")
    return volume


# --- options -------------------------------------------------------------------------------------


# --- healing -------------------------------------------------------------------------------------
