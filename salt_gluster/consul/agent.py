"""Configure, install and run the Consul agent of one machine (facts.md#K-6.1).

``settings`` is pure. ``ensure`` makes it so with a minion's execution functions, which are handed
in: the same for the nodes of a pool and for the master beside them. What is written holds secrets:
changes name files, never what stands in them.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from salt_gluster import node
from salt_gluster.consul import raft
from salt_gluster.consul.client import Client
from salt_gluster.consul.restart_lock import restart_lock
from salt_gluster.consul.settings import KEPT, Access, access
from salt_gluster.consul.transport import answers
from salt_gluster.errors import ConsulError, GlusterError, SpecError
from salt_gluster.model import is_known

PROGRAM = SERVICE = PACKAGE = "consul"
FOLDER = Path("/etc/consul.d")
FILE = FOLDER / "gluster.json"
PEMS = ("ca", "cert", "key")
DATA = Path("/var/lib/consul")
UNIT_FILE = Path("/etc/systemd/system/consul.service")
GOSSIP = 8301
#: How long an agent may take until it answers on its own machine; a leader is another matter.
ANSWER_S = 30.0
#: Names of agents become their ids in it.
_SPACE = uuid.UUID("0d4f6c0e-6f0a-4c55-9b1e-6c2f5a8e7f31")
#: Read when an agent starts or joins; one that runs needs no restart for them.
#: An agent's own keyring goes over the gossip key here (facts.md#K-8.1).
_AT_START = frozenset({"retry_join", "bootstrap_expect", "autopilot", "encrypt"})
#: What an agent that runs may need, the least first.
_NEEDS = ("", "reload", "restart")
UNIT = """\
[Unit]
Description=Consul agent
Wants=network-online.target
After=network-online.target

[Service]
{user}ExecStart={program} agent -config-dir={folder}
ExecReload=/bin/kill -HUP $MAINPID
KillSignal=SIGINT
Restart=on-failure
RestartSec=2
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""
#: What is the same for every agent of ours.
_SETTINGS: Mapping[str, Any] = {
    "retry_interval": "2s",
    "ui": True,
    "disable_update_check": True,
    "disable_remote_exec": True,
    "enable_script_checks": False,
    # A reboot is no departure: without these a node that stops is not there any more.
    "leave_on_terminate": False,
    "skip_leave_on_interrupt": True,
    "reconnect_timeout": "8760h",
    # One leader lost costs 3 s, not 12.
    "performance": {"raft_multiplier": 1},
    # No other data centre: nothing listens for one.
    "ports": {"serf_wan": -1, "https": -1, "grpc": -1},
    "verify_incoming": True,
    "verify_outgoing": True,
    "verify_server_hostname": True,
}


Call = Callable[..., Any]


def settings(credentials: Mapping[str, Any], *, name: str, address: str) -> dict[str, Any]:
    """Return the agent's configuration for what the pillar's ``gluster_consul`` tells a machine.

    ``address`` is an IP address of this machine: where the other agents reach it.
    """
    acl: dict[str, Any] = {
        "enabled": True, "default_policy": "deny", "down_policy": "extend-cache",
        "enable_key_list_policy": True, "tokens": {"agent": credentials["tokens"]["agent"]},
    }  # fmt: skip
    config: dict[str, Any] = {
        **copy.deepcopy(_SETTINGS),
        "node_name": name,
        # A machine with an empty disk comes back as itself: under a new id its name stays reserved
        # for the old one, and a server never gets its vote back (facts.md#K-2.6).
        "node_id": str(uuid.uuid5(_SPACE, f"{credentials['cluster']}/{name}")),
        "datacenter": credentials["datacenter"],
        "data_dir": str(DATA),
        "bind_addr": address,
        "client_addr": "127.0.0.1",
        "server": bool(credentials["is_server"]),
        "retry_join": sorted(str(where) for where in credentials["servers"].values()),
        "encrypt": credentials["encrypt"],
        "ca_file": str(pem("ca")),
        "cert_file": str(pem("cert")),
        "key_file": str(pem("key")),
        "acl": acl,
    }
    if credentials["is_server"]:
        expect = int(credentials["expect"])
        # Consul would forget a dead server after seconds, and with it the node.
        config |= {"bootstrap_expect": expect, "autopilot": {"min_quorum": expect}}
    return config


def pem(kind: str) -> Path:
    """Return where the agent finds its CA, certificate or key."""
    return FOLDER / f"gluster-{kind}.pem"


# --- making it so --------------------------------------------------------------------------------


def is_ours() -> bool:
    """Return whether the agent of this machine is one that we have configured."""
    return FILE.exists()


def existing(configured: Mapping[str, Any] | None) -> str:
    """Return where a Consul is that is not ours, in words; "" = there is none.

    One that the configuration or the environment names, or that answers here without being ours.
    """
    given = configured or {}
    # What we keep ourselves is no word of anybody else.
    where = access(given, os.environ, kept=os.devnull)
    if given.get("address") or given.get("token") or where.address != Access.address:
        return f"the configuration names {where.address}"
    return f"one answers at {where.address}" if not is_ours() and answers(where) else ""


def ensure(
    credentials: Mapping[str, Any], call: Call, *, name: str, address: str = "", test: bool = False
) -> dict[str, Any]:
    """Install, configure, start; return what changed or would. ``GlusterError`` says what to do.

    ``call(function, *args)`` calls an execution function. ``address``: a name or address of this
    machine; without one it is that from which a server is reached.
    """
    changes: dict[str, Any] = {}
    _is_free()
    if not shutil.which(PROGRAM):
        changes[PACKAGE] = {"old": "", "new": "newest"}
        if not test:
            _install(call)
    before = configured()
    where = _own_address(credentials, address, str(before.get("bind_addr")))
    wanted = _files(credentials, name=name, address=where)
    runs = bool(call("service.status", SERVICE))
    after = json.loads(wanted[FILE])
    need = _need(before, after)
    goes = runs and need == "restart" and not test
    if goes and before.get("server") and not after["server"]:
        leave_raft(before, call)
        goes = False
    # Before anything is written: the next run must find undone what was not done.
    # Of a file that cannot be read it is not known whether it was a server's: as it should be now.
    with (
        _restart_lock(before or after, credentials["cluster"]) if goes else contextlib.nullcontext()
    ):
        need = max(need, _write(wanted, changes, test=test), key=_NEEDS.index)
        if not runs and not call("service.available", SERVICE):
            changes[str(UNIT_FILE)] = {"old": "absent", "new": "written"}
            if not test:
                node.write_private(UNIT_FILE, _unit(), mode=0o644)
        _run(call, need, changes, runs=runs, test=test)
    return changes


def _is_free() -> None:
    """Refuse where an agent that is not ours is configured and only down: both would be mixed."""
    for path in [] if is_ours() else sorted([*FOLDER.glob("*.json"), *FOLDER.glob("*.hcl")]):
        rows = (
            row.strip() for row in path.read_text(encoding="utf-8", errors="replace").split("\n")
        )
        # Packages bring a file with comments, and where the data lies.
        if any(row and not row.startswith(("#", "//", "data_dir")) for row in rows):
            raise GlusterError(
                f"{path} is the configuration of a Consul that does not answer.", kind="not_ours",
                hint="Start that Consul, it is used then; or move the file away.",
            )  # fmt: skip


def _files(credentials: Mapping[str, Any], *, name: str, address: str) -> dict[Path, str]:
    try:
        text = json.dumps(
            settings(credentials, name=name, address=address), indent=1, sort_keys=True
        )
        return {FILE: text + "\n", **{pem(kind): str(credentials["tls"][kind]) for kind in PEMS}}
    except (KeyError, TypeError, AttributeError) as problem:
        raise SpecError(
            "gluster_consul",
            f"the pillar's key is not what the master makes: {problem} is missing.",
            hint="Leave it to salt-run gluster.setup; of yours it takes address, token and ca.",
        ) from problem  # fmt: skip


def _own_address(credentials: Mapping[str, Any], asked: str, before: str) -> str:
    """Return the address to bind to, of several the one of before.

    Debian maps a machine's own name to 127.0.1.1: no other node reaches that.
    """
    addresses = node.resolve(asked) if asked else ()
    usable = [address.partition("%")[0] for address in addresses] if is_known(addresses) else []
    usable = [address for address in usable if not ip_address(address).is_loopback]
    if usable:
        return before if before in usable else usable[0]
    for server, where in sorted((credentials.get("servers") or {}).items()):
        if server != asked and where != asked and (own := node.reaches_from(str(where), GOSSIP)):
            return own
    raise GlusterError(
        f"{asked or 'this machine'} resolves to no address on which other agents reach it.",
        kind="no_address", hint="Let its name resolve to one, or say it: gluster:addresses.",
    )  # fmt: skip


def configured() -> dict[str, Any]:
    """Return the agent's configuration as it is now; {} where there is none that can be read."""
    try:
        config = json.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _need(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return what an agent that runs needs for another configuration."""
    differs = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    return "" if differs <= _AT_START else "reload" if differs <= {"acl"} else "restart"


def _write(wanted: Mapping[Path, str], changes: dict[str, Any], *, test: bool) -> str:
    """Write what is not as it should be; return what an agent that runs needs for its PEMs."""
    group = node.group_of(PROGRAM)
    mode, own_group = 0o600 if group is None else 0o640, group or 0
    need = ""
    for path, text in wanted.items():
        why = node.is_different(path, text, mode=mode, group=own_group)
        if not why:
            continue
        need = "reload" if path != FILE else need
        changes[str(path)] = {"old": why, "new": "written"}
        if not test:
            node.write_private(path, text, mode=mode, group=own_group)
    return need


def _install(call: Call) -> None:
    """Install the package, masked: it must not start before it is configured."""
    hint = f"Install the program {PROGRAM} (1.8 or newer) on this machine, and apply this again."
    try:
        call("service.mask", SERVICE)
        try:
            call("pkg.refresh_db")
            call("pkg.install", PACKAGE)
        finally:
            call("service.unmask", SERVICE)
    except GlusterError:
        raise
    except Exception as problem:  # Salt's own, which cannot be named here
        raise GlusterError(
            f"the package {PACKAGE} could not be installed.", kind="not_installed",
            text=str(problem)[:500], hint=hint,
        ) from problem  # fmt: skip
    if not shutil.which(PROGRAM):
        raise GlusterError(
            f"this machine's package manager has no package {PACKAGE}.", kind="not_installed",
            hint=hint,
        )  # fmt: skip


def _unit() -> str:
    user = "User=consul\nGroup=consul\n" if node.group_of(PROGRAM) is not None else ""
    return UNIT.format(user=user, program=shutil.which(PROGRAM), folder=FOLDER)


def own_token(mine: Mapping[str, Any]) -> str:
    """Return the token by which an agent speaks for itself.

    A server that an earlier version configured has the one of management beside it, and the rights
    of its own may be older than that.
    """
    tokens = mine["acl"]["tokens"]
    return str(tokens.get("master") or tokens["agent"])


def leave_raft(mine: Mapping[str, Any], call: Call) -> None:
    """Let a server leave raft and end (``consul leave``).

    A server that is only stopped and comes back as a client would keep its vote.
    """
    where = Access(f"http://{mine['client_addr']}:8500", own_token(mine))
    client = Client(where, timeout_s=raft.LEAVE_S)
    try:
        raft.leave(client)
    except ConsulError as err:
        raise GlusterError(
            f"the agent is a server, is to be none, and could not leave: {err}", kind="needed",
            hint="Nothing was changed. Bring the other servers back and do this again.",
        ) from err  # fmt: skip
    finally:
        client.close()
    end = time.monotonic() + raft.LEAVE_S
    while call("service.status", SERVICE):
        if time.monotonic() > end:
            raise GlusterError(
                "the Consul agent was to leave and does not end.", kind="timeout",
                hint=f"See journalctl -u {SERVICE}, and: {PROGRAM} operator raft list-peers.",
            )  # fmt: skip
        time.sleep(0.5)


def _run(call: Call, need: str, changes: dict[str, Any], *, runs: bool, test: bool) -> None:
    if not call("service.enabled", SERVICE):
        changes["boot"] = {"old": "disabled", "new": "enabled"}
    if not runs:
        changes[SERVICE] = {"old": "stopped", "new": "running"}
    elif need:
        done = {"reload": "reloaded", "restart": "restarted"}[need]
        changes[SERVICE] = {"old": "running", "new": done}
    if (why := _is_open(DATA)) is not None:
        changes[str(DATA)] = {"old": why, "new": "closed to others"}
    if test or not changes:
        return
    _close(DATA)
    if "boot" in changes:
        call("service.enable", SERVICE)
    if not runs or need:
        call(f"service.{need if runs else 'start'}", SERVICE)
    _wait()


def _is_open(folder: Path) -> str | None:
    """Return how others may enter the agent's data; None when they may not.

    Its snapshots hold every token and are readable for all (Consul's own files are 0644).
    """
    if not folder.exists():
        return "absent"
    mode = folder.stat().st_mode & 0o777
    return f"mode {mode:04o}" if mode & 0o007 else None


def _close(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        if node.group_of(PROGRAM) is not None:
            shutil.chown(folder, PROGRAM, PROGRAM)
    folder.chmod(folder.stat().st_mode & 0o770)


@contextlib.contextmanager
def _restart_lock(before: Mapping[str, Any], cluster: str) -> Iterator[None]:
    """Hold the restart lock for a server, while the others have a majority without it.

    A client that becomes a server has no vote to lose: it may be what the others wait for. Nor has
    the only server anybody to wait for.
    """
    if not before.get("server") or before.get("bootstrap_expect") == 1:
        yield
        return
    client = Client(Access(token=own_token(before)))
    try:
        with restart_lock(client, cluster):
            yield
    finally:
        client.close()


def _wait() -> None:
    end = time.monotonic() + ANSWER_S
    while not answers(Access()):
        if time.monotonic() > end:
            raise GlusterError(
                "the Consul agent was started and does not answer.", kind="daemon_down",
                hint=f"See journalctl -u {SERVICE}, and: {PROGRAM} validate {FOLDER}.",
            )  # fmt: skip
        time.sleep(0.2)


# --- this node's way to it -----------------------------------------------------------------------


def keep_access(credentials: Mapping[str, Any], *, test: bool) -> dict[str, Any]:
    """Keep address and token for everything of ours on this node; return what changed or would."""
    where = {"address": str(credentials.get("address") or Access.address)}
    where["token"] = str(
        credentials.get("token") or (credentials.get("tokens") or {}).get("node") or ""
    )
    where |= {"ca": str(credentials["ca"])} if credentials.get("ca") else {}
    text, path = json.dumps(where, sort_keys=True) + "\n", Path(KEPT)
    why = node.is_different(path, text, mode=0o600)
    if why and not test:
        node.write_private(path, text, mode=0o600)
    return {KEPT: {"old": why, "new": "written"}} if why else {}
