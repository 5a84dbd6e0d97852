"""Read a pool's state from gluster and from the bricks' files, never by salt-gluster.

The demo and the tests check with these what the product says it did.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from lab.node import Node

_SUMS = (
    'cd "$1" && find . -path "./.glusterfs*" -prune -o -type f -printf "%P\\0"'
    " | xargs -0 -r sha256sum --"
)


@dataclass(frozen=True)
class VolumeInfo:
    """One volume as ``gluster volume info`` has it."""

    type: str
    status: str
    replica: int
    bricks: list[tuple[str, str]]
    options: dict[str, str]

    @property
    def sets(self) -> list[list[tuple[str, str]]]:
        """List the replica sets, each a list of host and path."""
        size = self.replica
        return [self.bricks[at : at + size] for at in range(0, len(self.bricks), size)]


def volume(node: Node, name: str) -> VolumeInfo:
    """Read a volume on a node; LabError if gluster does not know it."""
    found = _ask(node, "volume", "info", name).find(".//volume")
    assert found is not None, f"{node.name}: volume info {name} names no volume"
    bricks = [_text(brick, "name").partition(":")[::2] for brick in found.iter("brick")]
    options = {_text(option, "name"): _text(option, "value") for option in found.iter("option")}
    return VolumeInfo(
        _text(found, "typeStr"), _text(found, "statusStr"), int(_text(found, "replicaCount")),
        bricks, options,
    )  # fmt: skip


def definition(node: Node, name: str) -> str:
    """Give glusterd's own record of a volume: equal text means that nothing was written."""
    return node.ok(["cat", f"/var/lib/glusterd/vols/{name}/info"])


def connected(node: Node) -> int:
    """Count the members that are connected as a node sees it, itself among them."""
    return sum(_text(p, "connected") == "1" for p in _ask(node, "pool", "list").iter("peer"))


def brickless(node: Node, name: str) -> list[str]:
    """List the bricks of a volume that do not serve: not online, without a port, or not told of.

    Status 1 alone proves nothing: a brick without a numeric port cannot be reached.
    """
    wanted = [f"{host}:{path}" for host, path in volume(node, name).bricks]
    rows = _ask(node, "volume", "status", name).findall(".//volume/node")
    serve = {
        f"{_text(row, 'hostname')}:{_text(row, 'path')}"
        for row in rows
        if _text(row, "status") == "1" and _text(row, "port").isdigit()
    }
    return [brick for brick in wanted if brick not in serve]


def to_heal(node: Node, name: str) -> int | None:
    """Count the entries that wait for healing, on all bricks; None while a brick does not tell."""
    done = node.run(["gluster", "--xml", "volume", "heal", name, "info", "summary"])
    if done.returncode:
        return None
    told = ElementTree.fromstring(done.stdout).findall(".//totalNumberOfEntries")
    counts = [(entry.text or "").strip() for entry in told]
    return sum(map(int, counts)) if counts and all(map(str.isdigit, counts)) else None


def checksums(node: Node, directory: str) -> dict[str, str]:
    """Give the SHA-256 of every file below a directory or in a brick, by name."""
    rows = node.ok(["sh", "-c", _SUMS, "-", directory], timeout=120).splitlines()
    return {name: digest for digest, name in (row.split("  ", 1) for row in rows)}


def _ask(node: Node, *words: str) -> ElementTree.Element:
    return ElementTree.fromstring(node.ok(["gluster", "--mode=script", "--xml", *words]))


def _text(row: ElementTree.Element, tag: str) -> str:
    return (row.findtext(tag) or "").strip()
