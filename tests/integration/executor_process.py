"""What a minion is asked, as a process of its own in a node, without Salt: it may be killed.

`executor_process.py register|observe|execute NAME [OPERATION] [--die STEP]` prints what it
returns. With ``--die`` the process ends at once, as by SIGKILL, at the end of that step;
``while_sent`` is right after the gluster command was started. ``--at STEP --run COMMAND`` lets
somebody else do something there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any

from lab import Lab, Node, forked
from salt_gluster import node
from salt_gluster.gluster.cli import CliResult, GlusterCli, run_process
from salt_gluster.gluster.reader import Reader
from salt_gluster.minion.automation import registration
from salt_gluster.minion.automation.remediate import carry_out
from salt_gluster.minion.automation.witness import observe
from salt_gluster.minion.context import Minion
from salt_gluster.minion.driver import GlusterDriver

HERE = os.path.abspath(__file__)  # noqa: PTH100
DIED = 9
WORK = forked.Work("executor_process:main", ("salt_gluster.*",), (os.path.dirname(HERE),))  # noqa: PTH120


def ask(member: Node, *words: str, timeout: float = 120) -> Any:
    """Run it in a node; return its answer, None where it was told to die."""
    done = forked.run(WORK, member, _argv(member, *words), timeout=timeout)
    if "--die" in words and done.returncode == DIED:
        return None
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def _argv(member: Node, what: str, *words: str) -> list[str]:
    return [HERE, what, member.name, *words]


def refresh(lab: Lab) -> None:
    """Let every node look at itself and tell Consul, at once."""
    with open(os.devnull, "w") as out, tempfile.TemporaryFile() as err:  # noqa: PTH123
        running = [forked.start(WORK, n, _argv(n, "observe"), out=out, err=err) for n in lab.nodes]
        codes = [process.wait(60) for process in running]
        err.seek(0)
        assert codes == [0] * len(running), err.read().decode()[-3000:]


def _site(name: str, die: str) -> GlusterDriver:
    if die != "while_sent":
        return GlusterDriver(name)

    def run(argv: Sequence[str], given: str | None, deadline_s: float) -> CliResult:
        if "force" not in argv:
            return run_process(argv, given, deadline_s)
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
        os._exit(DIED)

    return GlusterDriver(name, reader=Reader(GlusterCli(run=run, note=node.note_sent)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what")
    parser.add_argument("name")
    parser.add_argument("operation", nargs="?", default="")
    parser.add_argument("--die", default="")
    parser.add_argument("--at", default="")
    parser.add_argument("--run", default="")
    parser.add_argument("--pillar", default="{}")
    args = parser.parse_args()

    def after(step: str) -> None:
        if step == args.die:
            os._exit(DIED)
        if step == args.at:
            subprocess.run(["sh", "-c", args.run], check=True, stdout=subprocess.DEVNULL)

    site = _site(args.name, args.die)
    if args.what == "register":
        place = registration.NodeRegistration(
            Minion({"id": args.name}, {}, {}, json.loads(args.pillar)), None
        )  # fmt: skip
        told: Any = {"changes": place.register(test=False), "report": place.report()}
    elif args.what == "observe":
        told = observe(site, {}, json.loads(args.operation or "[]"))
    else:
        told = carry_out(args.operation, site, {}, after=after)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
