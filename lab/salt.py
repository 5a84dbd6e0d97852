"""Configure and start the Salt of a lab: one master, a minion on each node.

Nothing here imports Salt: its programs are run, or what they do is done by a fork of a Python that
has imported it (``forked.py``). Pillar and states of the lab are directories that a test or a
person may write.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import Any

from lab import forked
from lab.command import run, wait_for
from lab.errors import LabError
from lab.node import Node
from lab.record import CHECKOUT, MASTER, Record, locked
from salt_gluster.master import config_file

PUBLISHES = f":{4505:04X}"
# What the programs, their loaders and our modules import, for the fork server to have it already.
# The last three lines are what loading all of Salt's utils, grains and runners brings along.
MODULES = (
    "salt.scripts", "salt.cli.run", "salt.cli.call", "salt.cli.caller", "salt.runner",
    "salt.client", "salt.minion", "salt.loader", "salt.pillar", "salt.state", "salt.fileclient",
    "salt.utils.jinja", "salt.utils.templates", "salt.returners.local_cache", "salt.output",
    "salt.channel.client", "salt.channel.server", "salt.transport.zeromq", "salt.transport.tcp",
    "salt_gluster.*", "lab.salt_client", "tornado.platform.asyncio", "tornado.queues",
    "Cryptodome.PublicKey.RSA", "cryptography.hazmat.backends.openssl.backend", "xmlrpc.client",
    "salt.utils.vault", "salt.utils.nacl", "salt.utils.napalm", "salt.utils.cloud",
    "salt.utils.zfs", "salt.fileserver.gitfs", "salt.modules.cmdmod", "salt.modules.network",
    "salt.modules.saltutil", "salt.modules.publish", "salt.proxy.fx2", "salt.utils.reactor",
)  # fmt: skip
RELEASE = "salt~=3007.0"
PROGRAMS = ("salt", "salt-call", "salt-key", "salt-run", "salt-master", "salt-minion", "salt-cp")
# KillMode as Salt's own packages have it: a minion may restart itself from a job.
UNIT = """\
[Unit]
Description=The {program} of the lab

[Service]
ExecStart=/usr/local/bin/{program}
KillMode=process
LimitNOFILE=100000

[Install]
WantedBy=multi-user.target
"""


def place(asked: str) -> Path:
    """Give the directory of the virtualenv to use, which may not be there yet.

    Without one asked for it is the one this Python runs in, if Salt is there, else .work/venv.
    """
    own = Path(sys.prefix)
    where = own if (own / "bin/salt-minion").exists() else CHECKOUT / ".work/venv"
    return Path(asked).absolute() if asked else where


def venv(asked: str) -> Path:
    """Give the virtualenv to use, made or completed where needed; LabError with what to do."""
    where = place(asked)
    if asked and not (where / "bin/salt-minion").exists():
        raise LabError(f"--salt-venv {where}: no salt-minion there; pip install '{RELEASE}' in it")
    with locked(where.parent / f".{where.name}.lock"):
        if not (where / "bin/salt-minion").exists():
            run([sys.executable, "-m", "venv", str(where)], timeout=120)
            run([str(where / "bin/pip"), "install", "-q", RELEASE], timeout=900)
        python = str(where / "bin/python")
        # consul and urllib3 are what a minion and a master need to speak to Consul.
        probe = [python, "-c", "import salt_gluster.loader, defusedxml, consul, urllib3"]
        if run(probe, check=False, cwd="/").returncode:
            run([python, "-m", "pip", "install", "-q", "-e", str(CHECKOUT)], timeout=600, cwd="/")
    return where


def warm(where: Path) -> None:
    """Start the fork server of a virtualenv, which will be needed when the lab is up."""
    forked.warm(task(where, ""))


def prepare(lab: Record, member: str, programs: Path) -> None:
    """Give a node Salt's programs, its unit and its configuration."""
    up = lab.path("nodes", member, "up")
    role = "master" if member == MASTER else "minion"
    for folder in ("usr/local/bin", "usr/lib/systemd/system", f"etc/salt/{role}.d"):
        (up / folder).mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        (up / "usr/local/bin" / name).symlink_to(programs / "bin" / name)
    unit = up / f"usr/lib/systemd/system/salt-{role}.service"
    unit.write_text(UNIT.format(program=f"salt-{role}"))
    settings = master(lab) if member == MASTER else minion(lab, member)
    # Of the machine's own: Salt keeps there by which name it once ran.
    (up / "etc/salt/minion_id").write_text(member)
    # The programs' own configuration file stays free for whoever wants to write it.
    (up / f"etc/salt/{role}.d/lab.conf").write_text(json.dumps(settings, indent=1) + "\n")
    (up / f"etc/salt/{role}").write_text("# see the lab's own settings in the .d directory\n")
    if member == MASTER and lab.watched:
        file = up / "etc/salt/master.d" / config_file.NAME
        config_file.Setup(file, {}, settings, {}).bring_about(json.dumps, test=False, remove=False)


def prepare_roots(lab: Record, pillar: dict[str, Any] | None) -> None:
    """Make the directories of the lab's own pillar and states, and that pillar if there is one."""
    for name in ("pillar", "states"):
        lab.path(name).mkdir(exist_ok=True)
    if pillar is not None:
        write_pillar(lab, pillar)


def master(lab: Record) -> dict[str, Any]:
    """Give the master's settings: small, and quick to start."""
    formula = CHECKOUT / "salt_gluster/formula"
    return {
        "user": "root",
        "interface": "0.0.0.0",
        "auto_accept": True,
        "keysize": 2048,
        "worker_threads": 2,  # each takes 2 s of a processor to start
        "timeout": 20,
        # Each of the master's processes, and each runner, would find them out anew: 0.3 s.
        "grains_cache": True,
        "grains_cache_expiration": 86400,
        # /srv is the master's own: there a person writes, as on any master
        "file_roots": {"base": [str(lab.path("states")), "/srv/salt", str(formula)]},
        "pillar_roots": {"base": [str(lab.path("pillar")), "/srv/pillar"]},
        "log_level_logfile": "info",
        "enable_gpu_grains": False,
        "enable_fqdns_grains": False,
    }


def minion(lab: Record, member: str) -> dict[str, Any]:
    """Give a minion's settings: quick to start and quick to come back.

    The sensor's line is what a person would write; `salt-run gluster.setup` is the master's part.
    """
    engines = {"engines": [{"gluster_consul": {}}]} if lab.sensor else {}
    return engines | {
        "id": member,
        "user": "root",
        "master": "salt",
        "keysize": 2048,
        "acceptance_wait_time": 1,
        "random_reauth_delay": 1,
        "recon_default": 200,
        "recon_max": 1000,
        "master_tries": -1,
        # Without it Salt 3007 asks for its master every second once that was restarted: a process
        # each time, until one of them is forked in the wrong moment and the minion hangs.
        "master_alive_interval": 60,
        # A request that Salt 3007 gives up leaves a ZeroMQ context behind, and a minion that
        # collects it as garbage may hang for ever in its end (seen with py-spy: Context.__del__,
        # term). So a busy master gets time, and nothing is sent twice.
        "return_retry_timer": 25,
        "return_retry_timer_max": 25,
        "return_retry_tries": 1,
        "log_level_logfile": "info",
        "enable_gpu_grains": False,
        "enable_fqdns_grains": False,
    }


def wait(lab: Record, *, timeout: float = 300) -> None:
    """Wait until every minion answers the master."""
    # A ping to a minion that is not there yet is lost; its connection is seen at once.
    wait_for(
        "a connection of every minion to the master (see log/salt below the lab's nodes)",
        lambda: all(_connected(Node(lab, name)) for name in lab.nodes),
        timeout=timeout,
        step=0.2,
    )
    heard = _work(lab, "lab.salt_client:heard")
    try:
        done = forked.run(heard, Node(lab, MASTER), ["heard", *lab.nodes], timeout=timeout)
    except TimeoutExpired:
        raise LabError(f"an answer of every minion: not after {timeout:g} s") from None
    if done.returncode:
        raise LabError(f"an answer of every minion: {done.stderr.strip()[-4000:]}")


def _connected(node: Node) -> bool:
    """Tell whether a node holds a connection to the port on which the master publishes."""
    with contextlib.suppress(OSError):
        rows = Path(f"/proc/{node.holder()}/net/tcp").read_text().splitlines()[1:]
        return any(row.split()[2].endswith(PUBLISHES) and row.split()[3] == "01" for row in rows)
    return False


def minions(
    lab: Record,
    target: str,
    by: str,
    fun: str,
    args: list[str],
    *,
    timeout: float,
    quiet_s: float = 20,
) -> dict[str, Any]:
    """Run a job on the master and give minion -> answer; LabError if there is no such job.

    Minions that have not answered are asked what they do after so long a silence.
    """
    asked = {"target": target, "by": by, "fun": fun, "args": args, "quiet_s": quiet_s}
    return dict(_answer(lab, "lab.salt_client:answers", ["salt", json.dumps(asked)], timeout))


def call(lab: Record, program: str, args: list[str], timeout: float, node: str = MASTER) -> Any:
    """Run salt-run or salt-call in a node and give its answer; LabError if it gives none.

    A runner that raised answers with the text of its exception.
    """
    name = f"salt.scripts:{program.replace('-', '_')}"
    return _answer(lab, name, [program, "--out", "json", "--no-color", *args], timeout, node)


def program(
    lab: Record, argv: list[str], timeout: float, node: str = MASTER
) -> CompletedProcess[str]:
    """Run a program of Salt's for what it prints and its exit code."""
    name = "salt_main" if argv[0] == "salt" else argv[0].replace("-", "_")
    return forked.run(_work(lab, f"salt.scripts:{name}"), Node(lab, node), argv, timeout=timeout)


def _answer(lab: Record, name: str, argv: list[str], timeout: float, node: str = MASTER) -> Any:
    done = forked.run(_work(lab, name), Node(lab, node), argv, timeout=timeout)
    try:
        return json.JSONDecoder().raw_decode(done.stdout.lstrip())[0]
    except ValueError:
        said = (done.stderr + done.stdout).strip()[-4000:]
        raise LabError(f"{' '.join(argv)}: exit {done.returncode}: {said}") from None


def _work(lab: Record, name: str) -> forked.Work:
    """Describe a task of the Salt that the lab's nodes have."""
    program = lab.path("nodes", MASTER, "up/usr/local/bin/salt").readlink()
    return task(program.parents[1], name)


def task(venv: Path, name: str) -> forked.Work:
    """Describe a task, ``module:function``, for the fork server of a virtualenv with Salt."""
    return forked.Work(name, MODULES, python=str(venv / "bin/python"))


def words(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """Write arguments as Salt's command line reads them: text as it is, the rest as JSON."""
    plain = [arg if isinstance(arg, str) else json.dumps(arg) for arg in args]
    named = {k: v if isinstance(v, str) else json.dumps(v) for k, v in kwargs.items()}
    return plain + [f"{key}={value}" for key, value in named.items()]


def write_pillar(lab: Record, pillar: dict[str, Any] | str, target: str = "*") -> None:
    """Make this the whole pillar of the target: data as it is, or the text of an SLS."""
    text = pillar if isinstance(pillar, str) else "#!json\n" + json.dumps(pillar, indent=1) + "\n"
    lab.path("pillar/lab.sls").write_text(text)
    top = {"base": {target: ["lab"]}}
    lab.path("pillar/top.sls").write_text("#!json\n" + json.dumps(top) + "\n")
