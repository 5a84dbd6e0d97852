"""Command line of the lab: ``python -m lab up | down | enter | fault | heal | status``."""

from __future__ import annotations

import argparse
import os
import sys
import time

from lab import faults, record
from lab.command import environment
from lab.errors import LabError
from lab.pool import Lab


def parser() -> argparse.ArgumentParser:
    """Build the parser; each sub-command names its function."""
    top = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    verbs = top.add_subparsers(required=True, metavar="COMMAND")

    cmd = verbs.add_parser("up", help="make a lab and wait until all in it answers")
    cmd.set_defaults(call=up)
    cmd.add_argument("--name", default="lab")
    cmd.add_argument("--nodes", type=int, default=4, metavar="N")
    kind = cmd.add_mutually_exclusive_group()
    kind.add_argument("--disks", type=int, default=0, metavar="N", help="N blank disks per node")
    kind.add_argument("--dirs", action="store_true", help="an XFS at /srv/gluster (the default)")
    cmd.add_argument("--bare", action="store_true", help="no state, configuration or daemon")
    cmd.add_argument("--join", action="store_true", help="make one pool of the nodes")
    cmd.add_argument("--gluster", action="append", default=[], metavar="11=g3,g4")
    cmd.add_argument("--no-salt", action="store_true")
    cmd.add_argument("--no-consul", action="store_true")
    cmd.add_argument("--sensor", action="store_true", help="each minion watches its own node")
    cmd.add_argument("--georep", action="store_true", help="GlusterFS's own gsyncd, not a stub")
    cmd.add_argument("--salt-venv", metavar="DIR", help="a virtualenv with Salt; else .work/venv")

    cmd = verbs.add_parser("down", help="remove a lab")
    cmd.set_defaults(call=down)
    cmd.add_argument("--name", default="lab")
    cmd.add_argument("--all", action="store_true", help="every lab of this checkout")

    cmd = verbs.add_parser("enter", help="run a command, or a shell, in a node")
    cmd.set_defaults(call=enter)
    cmd.add_argument("--name", default="lab")
    cmd.add_argument("node")
    cmd.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD")

    for verb, call, what in (
        ("fault", fault, "break something"),
        ("heal", heal, "undo a fault; all of them without arguments"),
    ):
        cmd = verbs.add_parser(
            verb,
            help=what,
            epilog="KIND NODE [ARGS]:\n" + faults.table(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        cmd.set_defaults(call=call)
        cmd.add_argument("--name", default="lab")
        optional = {"nargs": "?"} if verb == "heal" else {}
        cmd.add_argument("kind", metavar="KIND", **optional)
        cmd.add_argument("node", metavar="NODE", **optional)
        cmd.add_argument("args", nargs="*", metavar="ARGS")

    cmd = verbs.add_parser("status", help="show what runs where and what is broken")
    cmd.set_defaults(call=status)
    cmd.add_argument("--name", help="one lab; else all")

    cmd = verbs.add_parser("upgrade", help="give a node another GlusterFS version")
    cmd.set_defaults(call=upgrade)
    cmd.add_argument("--name", default="lab")
    cmd.add_argument("node", metavar="NODE")
    cmd.add_argument("version", metavar="VERSION", help="11")
    return top


def up(args: argparse.Namespace) -> None:
    """Make a lab."""
    began = time.monotonic()
    lab = Lab.up(
        args.name,
        nodes=args.nodes,
        disks=args.disks,
        bare=args.bare,
        gluster=versions(args.gluster),
        salt=not args.no_salt,
        consul=not args.no_consul,
        salt_venv=args.salt_venv,
        sensor=args.sensor,
        georep=args.georep,
    )
    if args.join:
        lab.join()
    print(f"lab {lab.name} is up after {time.monotonic() - began:.1f} s in {lab.directory}")
    print(f"enter a node: python -m lab enter --name {lab.name} {lab.nodes[0].name}")


def versions(words: list[str]) -> dict[str, str]:
    """Read 11=g3,g4 into a map from node to version."""
    found = {}
    for word in words:
        version, is_pair, nodes = word.partition("=")
        if not is_pair or not version.isdigit() or not nodes:
            raise LabError(f"--gluster {word}: say which nodes, as in 11=g3,g4")
        found.update(dict.fromkeys(nodes.split(","), version))
    return found


def down(args: argparse.Namespace) -> None:
    """Remove a lab, or all."""
    for lab in record.every() if args.all else [Lab.attach(args.name).record]:
        Lab(lab).down()
        print(f"lab {lab.name} is gone")


def enter(args: argparse.Namespace) -> None:
    """Become a command in a node."""
    argv = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    prefix = Lab.attach(args.name).node(args.node).prefix()
    os.chdir("/")
    os.execvpe(prefix[0], [*prefix, *(argv or ["bash", "-i"])], environment())


def fault(args: argparse.Namespace) -> None:
    """Break something."""
    Lab.attach(args.name).fault(args.kind, args.node, *args.args)


def heal(args: argparse.Namespace) -> None:
    """Undo a fault, or all."""
    lab = Lab.attach(args.name)
    if args.kind is None:
        lab.heal_all()
    elif args.node is None:
        raise LabError(f"heal {args.kind}: of which node?")
    else:
        lab.heal(args.kind, args.node, *args.args)


def status(args: argparse.Namespace) -> None:
    """Print a table per lab."""
    labs = [Lab.attach(args.name).record] if args.name else record.every()
    print("\n\n".join(Lab(lab).status() for lab in labs) or "no lab is up")


def upgrade(args: argparse.Namespace) -> None:
    """Put another version into a node."""
    Lab.attach(args.name).upgrade(args.node, args.version)
    print(f"{args.node} has GlusterFS {args.version}: systemctl restart glusterd there runs it")


def main() -> int:
    """Run a sub-command; an error of the lab is one line and exit code 1."""
    args = parser().parse_args()
    try:
        args.call(args)
    except LabError as err:
        print(f"lab: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
