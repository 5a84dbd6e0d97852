"""The text of ``get-state``: the answering node's own view, without any lock (facts.md#G-1.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from salt_gluster.errors import Unreadable
from salt_gluster.model import GetStateBrick, GetStateVolume, GlusterdState, Unknown

_LINE = re.compile(r"^(?P<key>[^:\s][^:]*?):[ \t]*(?P<value>.*)$")
_VOLUME = re.compile(r"^Volume(?P<n>\d+)\.(?P<key>.+)$")
_BRICK = re.compile(r"^Brick(?P<n>\d+)\.(?P<key>.+)$")


def parse_get_state(text: str) -> GlusterdState:
    """Return the state in a file that ``get-state`` wrote. Raises ``Unreadable``."""
    lines = _pairs(text)
    if "MYUUID" not in lines:
        raise Unreadable("the state file has no MYUUID", text=text[:200])
    tables: dict[int, dict[str, str]] = {}
    for key, value in lines.items():
        if match := _VOLUME.match(key):
            tables.setdefault(int(match["n"]), {})[match["key"]] = value
    volumes = [_volume(tables[n]) for n in sorted(tables) if "name" in tables[n]]
    return GlusterdState(
        uuid=lines["MYUUID"],
        op_version=_number(lines, "op-version"),
        volumes={volume.name: volume for volume in volumes},
    )


def state_file(text: str) -> str:
    """Return the path that ``get-state`` says it wrote. Raises ``Unreadable``."""
    match = re.search(r"glusterd state dumped to (?P<path>/\S.*)", text)
    if match is None:
        raise Unreadable("get-state did not say where it wrote", text=text[:200])
    return match["path"].strip()


def _pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            pairs.setdefault(match["key"].strip(), match["value"].strip())
    return pairs


def _volume(table: Mapping[str, str]) -> GetStateVolume:
    bricks: dict[int, dict[str, str]] = {}
    for key, value in table.items():
        if match := _BRICK.match(key):
            bricks.setdefault(int(match["n"]), {})[match["key"]] = value
    online = table.get("shd_svc.online_status")
    return GetStateVolume(
        name=table["name"],
        id=table.get("id", ""),
        status=table.get("status", ""),
        quorum=table.get("quorum_status", ""),
        self_heal_online=Unknown("no self-heal line") if online is None else online == "Online",
        bricks=tuple(_brick(bricks[n]) for n in sorted(bricks)),
    )


def _brick(table: Mapping[str, str]) -> GetStateBrick:
    if "path" not in table:
        raise Unreadable("a brick in the state file has no path")
    status = table.get("status")
    return GetStateBrick(
        name=table["path"],
        started=Unknown("another node's brick") if status is None else status == "Started",
        port=_number(table, "port"),
        free=_number(table, "spacefree"),
        total=_number(table, "spacetotal"),
    )


def _number(table: Mapping[str, str], key: str) -> int | Unknown:
    match = re.match(r"^(\d+)(Bytes)?$", table.get(key, ""))
    return int(match[1]) if match else Unknown(f"no number in {key!r} of the state file")
