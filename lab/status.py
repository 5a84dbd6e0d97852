"""Return the present state of a lab, as rows and as a table."""

from __future__ import annotations

import json
from pathlib import Path

from lab import faults
from lab.command import run
from lab.node import Node
from lab.record import MASTER, Record

HEAD = ("node", "address", "link", "glusterd", "bricks", "consul", "salt", "faults")


def rows(lab: Record) -> list[tuple[str, ...]]:
    """Give one row per member in the order of HEAD; "-" is what is not there."""
    links = {link["ifname"]: link for link in json.loads(run(["ip", "-j", "link"]).stdout)}
    return [_row(lab, Node(lab, name), links) for name in lab.members]


def _row(lab: Record, node: Node, links: dict[str, dict[str, object]]) -> tuple[str, ...]:
    salt = "salt-master" if node.name == MASTER else "salt-minion"
    link = links.get(lab.netns(node.name), {})
    struck = [" ".join([kind, *args]) for kind, name, *args in lab.faults if name == node.name]
    return (
        node.name,
        node.address,
        str(link.get("operstate", "-")).lower(),
        _state(faults.glusterd(node, [])) if node.holder() else "no holder",
        _state(faults.bricks(node, []), count=True),
        _state(node.unit_pids("consul")),
        _state(node.unit_pids(salt)),
        ", ".join(struck) or "-",
    )


def _state(pids: list[int], *, count: bool = False) -> str:
    frozen = [pid for pid in pids if _letter(pid) == "T"]
    if not pids:
        return "-"
    words = str(len(pids)) if count else "up"
    return words if not frozen else f"{words} ({len(frozen)} frozen)" if count else "frozen"


def _letter(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def table(lab: Record) -> str:
    """Give the rows as a table under a line about the lab."""
    all_rows = [HEAD, *rows(lab)]
    widths = [max(len(row[i]) for row in all_rows) for i in range(len(HEAD))]
    lines = ["  ".join(f"{c:{w}}" for c, w in zip(r, widths, strict=True)) for r in all_rows]
    title = f"lab {lab.name}: {lab.state}, {lab.subnet}.0/24, {lab.directory}"
    return "\n".join([title, *(line.rstrip() for line in lines)])
