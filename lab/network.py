"""Make and remove the links of a lab: one bridge, one veth pair for each node.

The bridge has no address: a lab cannot be reached from outside its namespaces, and two labs cannot
meet. Addresses are a /24 of 198.18.0.0/15 (RFC 2544), which collides with nothing that is routed.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from lab.command import run
from lab.errors import LabError
from lab.record import Record

NETNS = Path("/run/netns")


def pick(labs: list[Record]) -> tuple[str, str]:
    """Pick a token no link of this machine has, and the first three numbers of a free /24.

    `labs` are all that are recorded; some of them have no link yet.
    """
    links = {link["ifname"] for link in json.loads(run(["ip", "-j", "link"]).stdout)}
    links |= {lab.bridge for lab in labs}
    token = next(t for t in iter(lambda: secrets.token_hex(2), "") if f"sgl{t}" not in links)
    routes = run(["ip", "-4", "route", "show", "table", "all"]).stdout
    taken = {lab.subnet for lab in labs}
    for number in range(512):
        subnet = f"198.{18 + number // 256}.{number % 256}"
        if subnet not in taken and f"{subnet}." not in routes:
            return token, subnet
    raise LabError("no free /24 left in 198.18.0.0/15: take labs down (python -m lab down --all)")


def make(lab: Record) -> None:
    """Make the bridge, the namespaces and the links between them."""
    lines = [f"link add {lab.bridge} type bridge forward_delay 0", f"link set {lab.bridge} up"]
    for member in lab.members:
        name = lab.netns(member)
        lines += [
            f"netns add {name}",
            f"link add {name} type veth peer name eth0 netns {name}",
            f"link set {name} master {lab.bridge}",
            f"link set {name} up",
        ]
    _batch(lines)
    for member in lab.members:
        inside = [
            "link set lo up",
            f"addr add {lab.address(member)}/24 dev eth0",
            "link set eth0 up",
        ]
        _batch(inside, netns=lab.netns(member))


def _batch(lines: list[str], netns: str = "") -> None:
    inside = ["-n", netns] if netns else []
    run(["ip", *inside, "-batch", "-"], input="\n".join(lines) + "\n")


def remove(lab: Record) -> None:
    """Remove what make() made, whatever part of it is there."""
    links = {link["ifname"] for link in json.loads(run(["ip", "-j", "link"]).stdout)}
    for member in lab.members:
        name = lab.netns(member)
        if name in links:
            run(["ip", "link", "del", name], check=False)
        if (NETNS / name).exists():
            run(["ip", "netns", "del", name])
    if lab.bridge in links:
        run(["ip", "link", "del", lab.bridge])


def left(lab: Record) -> list[str]:
    """List links and namespaces of the lab that are still there."""
    links = {link["ifname"] for link in json.loads(run(["ip", "-j", "link"]).stdout)}
    names = {lab.bridge, *(lab.netns(m) for m in lab.members)}
    spaces = {path.name for path in NETNS.glob(f"sgl{lab.token}*")} if NETNS.is_dir() else set()
    return [f"link {name}" for name in sorted(names & links)] + [
        f"network namespace {name}" for name in sorted(spaces)
    ]
