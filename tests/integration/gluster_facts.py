"""What gluster itself says of a pool, read with the standard library and none of our parsers.

The tests hold what a state reports against this. `volume_changes` and `peer_changes` derive from
two such readings what a state has to have reported; no planner comes into it.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

from lab.node import Node

Volume = dict[str, Any]


def xml(node: Node, *words: str) -> ET.Element:
    """Ask a node's gluster and give the document; an answer that is no success is an error."""
    root = ET.fromstring(node.ok(["gluster", "--mode=script", "--xml", *words], timeout=60))
    assert root.findtext("opRet") == "0", ET.tostring(root)
    return root


def volumes(node: Node) -> dict[str, Volume]:
    """Give name -> id, type in words, transport, bricks, status and options."""
    found = {}
    for row in xml(node, "volume", "info").iter("volume"):
        text = {child.tag: (child.text or "") for child in row}
        found[text["name"]] = {
            "id": text["id"],
            "type": _type(text),
            "transport": {"0": "tcp", "1": "rdma", "2": "tcp,rdma"}[text["transport"]],
            "bricks": [brick.findtext("name") for brick in row.iter("brick")],
            "status": text["statusStr"],
            "options": {o.findtext("name"): o.findtext("value") for o in row.iter("option")},
        }
    return found


def _type(text: dict[str, str]) -> str:
    """Say `2 x replica 3`, `1 x replica 2 + arbiter`, `1 x disperse 2+1`, `distribute 2`."""
    kind = text["typeStr"].removeprefix("Distributed-")
    count = int(text["brickCount"])
    if kind == "Disperse":
        size, spare = int(text["disperseCount"]), int(text["redundancyCount"])
        return f"{count // size} x disperse {size - spare}+{spare}"
    if kind == "Replicate":
        size = int(text["replicaCount"])
        copies = f"{size - 1} + arbiter" if text["arbiterCount"] == "1" else str(size)
        return f"{count // size} x replica {copies}"
    assert kind == "Distribute", kind
    return f"distribute {count}"


def pool(node: Node) -> frozenset[str]:
    """Give the uuids of all members, the node's own among them."""
    return frozenset(row.text or "" for row in xml(node, "pool", "list").iter("uuid"))


def peers(node: Node) -> dict[str, str]:
    """Give host name -> state number of the other members: 3 is a full member."""
    rows = xml(node, "peer", "status").iter("peer")
    return {row.findtext("hostname") or "": row.findtext("state") or "" for row in rows}


def connected(node: Node) -> dict[str, bool]:
    """Give host name -> whether the node's glusterd calls that member connected."""
    rows = xml(node, "peer", "status").iter("peer")
    return {row.findtext("hostname") or "": row.findtext("connected") == "1" for row in rows}


def volume_changes(
    before: dict[str, Volume], after: dict[str, Volume], declared: Iterable[str] = ()
) -> dict[str, Any]:
    """Give what differs, as a state has to report it; of the options those that are declared."""
    found = {}
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, {}), after.get(name, {})
        diff: dict[str, Any] = {
            key: {"old": old.get(key), "new": new.get(key)}
            for key in ("type", "transport", "bricks", "status")
            if old.get(key) != new.get(key)
        }
        was, now = old.get("options", {}), new.get("options", {})
        options = {
            key: {"old": was.get(key), "new": now.get(key)}
            for key in sorted(declared)
            if was.get(key) != now.get(key)
        }
        diff |= {"options": options} if options else {}
        found |= {name: diff} if diff else {}
    return found


def peer_changes(before: Iterable[str], after: Iterable[str]) -> dict[str, Any]:
    """Give which host names came or went, as a state has to report it."""
    was, now = set(before), set(after)
    came = {name: {"old": None, "new": "member"} for name in now - was}
    return came | {name: {"old": "member", "new": None} for name in was - now}


def commands(node: Node, pattern: str) -> list[str]:
    """Give the lines of the node's command history that match: what was sent to its glusterd."""
    text = node.run(["cat", "/var/log/glusterfs/cmd_history.log"]).stdout
    return [line for line in text.splitlines() if re.search(pattern, line)]


def processes(node: Node) -> int:
    """Count the gluster processes that were ever started on the node."""
    text = node.run(["cat", "/var/log/glusterfs/cli.log"]).stdout
    return text.count("Started running ")
