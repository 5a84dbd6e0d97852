"""Measure the engine at 5,000 nodes: from Consul's answer to the first ``suspect`` on Salt's bus.

A real Consul server whose catalog holds 5,000 nodes with the service ``gluster``, and a real
salt-master that runs the engine ``gluster_consul``, both on this machine's loopback. A change is
one node's serfHealth that becomes critical through the catalog, or well again. Each critical one is
timed from the moment at which the answer of the same blocking query reaches this process to the
moment at which the event reaches a listener on the master's bus; the write to Consul's KV lies
between. Before that the engine is left alone for a while: it must ask no minion of anything.

A well node has no serfHealth row at all: Consul's leader takes a node with one that is no member of
its gossip out of the catalog within a minute. To the engine it is the same: it watches what is
critical. The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import salt.config
import salt.utils.event

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import packages  # noqa: E402
from salt_gluster.consul.canary import FOLDER  # noqa: E402
from salt_gluster.consul.client import MOST_OPS, Client  # noqa: E402
from salt_gluster.consul.keys import Keys  # noqa: E402
from salt_gluster.consul.settings import Access  # noqa: E402
from salt_gluster.errors import ConsulError  # noqa: E402

CLUSTER = "bench"
#: Changes come at least this far apart.
APART_S = 0.25
IDLE_S = 30.0
#: How long one suspect may take before the measurement fails.
LATE_S = 30.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# --- the world -----------------------------------------------------------------------------------


@contextlib.contextmanager
def running(argv: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a process group of its own; end it with us, also when we are killed."""
    argv = ["setpriv", "--pdeathsig", "TERM", "--", *argv]
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=True, cwd="/")
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait(10)


def consul_settings(folder: Path) -> tuple[dict[str, Any], str]:
    ports = {name: free_port() for name in ("http", "server", "serf_lan", "serf_wan")}
    settings = {
        "server": True, "bootstrap_expect": 1, "data_dir": str(folder / "consul"),
        "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "node_name": "bench-agent",
        "disable_update_check": True, "performance": {"raft_multiplier": 1},
        "ports": {**ports, "dns": -1, "grpc": -1},
    }  # fmt: skip
    return settings, f"http://127.0.0.1:{ports['http']}"


def master_settings(folder: Path, consul: str) -> dict[str, Any]:
    return {
        "root_dir": str(folder / "salt"), "interface": "127.0.0.1", "user": "root",
        "publish_port": free_port(), "ret_port": free_port(), "worker_threads": 2,
        "id": "bench-master", "enable_gpu_grains": False, "enable_fqdns_grains": False,
        "sock_dir": str(folder / "salt/sock"), "log_level": "warning",
        "log_file": str(folder / "salt/master.log"),
        "engines": [{"gluster_consul": {"address": consul, "cluster": CLUSTER}}],
    }  # fmt: skip


def until(what: str, check: Callable[[], Any], within_s: float) -> Any:
    end = time.monotonic() + within_s
    while True:
        with contextlib.suppress(Exception):
            found = check()
            if found:
                return found
        if time.monotonic() > end:
            raise SystemExit(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.1)


def service_of(name: str) -> dict[str, Any]:
    meta = {
        "cluster": CLUSTER, "peer_uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
        "minion_id": name, "zone": f"z{int(name[1:]) % 20}", "version": "10.3",
        "op_version": "100000",
    }  # fmt: skip
    return {"ID": "gluster", "Service": "gluster", "Port": 24007, "Meta": meta}


class Catalog:
    """The nodes, through Consul's catalog API."""

    def __init__(self, client: Client, nodes: int) -> None:
        self._client = client
        self._put = client.library.http.put
        self.names = [f"n{i:05}" for i in range(nodes)]

    def put(self, what: str, body: dict[str, Any]) -> None:
        self._put(lambda told: told, f"/v1/catalog/{what}", data=json.dumps(body))

    def register(self, name: str) -> None:
        body = {"Node": name, "Address": "127.0.0.1", "Service": service_of(name)}
        self.put("register", body)

    def register_all(self) -> None:
        """Register everybody, half a transaction's worth of nodes at a time."""
        for begin in range(0, len(self.names), MOST_OPS // 2):
            ops: list[dict[str, Any]] = []
            for name in self.names[begin : begin + MOST_OPS // 2]:
                node = {"Node": name, "Address": "127.0.0.1"}
                ops.append({"Node": {"Verb": "set", "Node": node}})
                service = {"Node": name, "Service": service_of(name)}
                ops.append({"Service": {"Verb": "set", **service}})
            self._put(lambda told: told, "/v1/txn", data=json.dumps(ops))

    def has(self, name: str) -> bool:
        rows = self._client.library.catalog.node(name)[1]
        return rows is not None and rows["Node"] is not None

    def critical(self, name: str) -> None:
        self.serf(name, "critical")

    def serf(self, name: str, status: str) -> None:
        check = {"Node": name, "CheckID": "serfHealth", "Name": "Serf Health Status",
                 "Status": status}  # fmt: skip
        # As an agent does: only the check is another, or the catalog's watch would wake too.
        body = {"Node": name, "Address": "127.0.0.1", "SkipNodeUpdate": True, "Check": check}
        self.put("register", body)

    def swept(self) -> None:
        """Wait until Consul's leader has just compared catalog and gossip: it does every minute."""
        self.put("register", {"Node": "nobody", "Address": "127.0.0.1"})
        self.critical("nobody")
        until("Consul's leader compares", lambda: not self.has("nobody"), 100)

    def well(self, name: str) -> None:
        self.put("deregister", {"Node": name, "CheckID": "serfHealth"})
        self.register(name)  # no change, unless Consul's leader took it out meanwhile


# --- what is measured ----------------------------------------------------------------------------


class Answers:
    """The same query as the engine's, asked beside it: when does each node become critical?"""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.seen: dict[str, float] = {}
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        index, before = 0, set[str]()
        while True:
            try:
                reply = self._client.health_state("critical", index, 10.0)
            except ConsulError:
                return  # it was ended
            now, index = time.monotonic(), reply.index
            bad = {row["Node"] for row in reply.data if row["CheckID"] == "serfHealth"}
            self.seen.update(dict.fromkeys(bad - before, now))
            before = bad


class Listener:
    """Everything on the master's bus, with the time at which it came."""

    def __init__(self, config: Path) -> None:
        opts = salt.config.master_config(str(config))
        self._bus = salt.utils.event.get_master_event(opts, opts["sock_dir"], listen=True)
        self.heard: queue.Queue[tuple[float, str, dict[str, Any]]] = queue.Queue()
        self.jobs = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            event = self._bus.get_event(wait=1, full=True, auto_reconnect=True)
            if event is None:
                continue
            if event["tag"].startswith("salt/job/") and event["tag"].endswith("/new"):
                self.jobs += 1
            if event["tag"].startswith(f"salt/gluster/{CLUSTER}/"):
                self.heard.put((time.monotonic(), event["tag"], event["data"]))

    def suspect(self, name: str, is_there: Callable[[], bool]) -> float | None:
        """Wait for the first ``node/suspect`` of a node; return when it came.

        None for a node that Consul's leader has taken out of the catalog meanwhile.
        """
        end = time.monotonic() + LATE_S
        while time.monotonic() < end:
            try:
                at, tag, _ = self.heard.get(timeout=3)
            except queue.Empty:
                if not is_there():
                    return None
                continue
            if tag == f"salt/gluster/{CLUSTER}/node/{name}/suspect":
                return at
        raise SystemExit(f"no suspect of {name} within {LATE_S:.0f} s")


class EngineProcess:
    """The process of the engine: the one of the master's family that speaks to Consul."""

    def __init__(self, group: int, consul_port: int) -> None:
        self.pid = until("the engine's connections", lambda: _speaker(group, consul_port), 120)

    def cpu_s(self) -> float:
        rest = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(rest[11]) + int(rest[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _speaker(session: int, port: int) -> int:
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].split(":")[1], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(stat[3]) != session:
                continue
            if any(str(fd.readlink()) in inodes for fd in (entry / "fd").iterdir()):
                return int(entry.name)
    return 0


# --- the measurement -----------------------------------------------------------------------------


@contextlib.contextmanager
def held(
    nodes: int, folder: Path
) -> Iterator[tuple[Client, Catalog, Listener, EngineProcess]]:  # fmt: skip
    """Hold Consul with so many nodes, and a master whose engine leads."""
    settings, address = consul_settings(folder)
    (folder / "consul.json").write_text(json.dumps(settings))
    master = master_settings(folder, address)
    (folder / "master").write_text(json.dumps(master))
    port = int(address.rsplit(":", 1)[1])
    run_consul = [str(packages.consul()), "agent", "-config-file", str(folder / "consul.json")]
    run_master = [str(Path(sys.executable).parent / "salt-master"), "-c", str(folder)]
    with running(run_consul, folder / "consul.out"):
        client = Client(Access(address))
        canary = Keys(CLUSTER).canary
        until("Consul takes a write", lambda: client.kv_put(canary, "{}"), 60)
        client.kv_put(Keys(CLUSTER).rev, "1")  # there in every pool; a key that is not wakes often
        catalog = Catalog(client, nodes)
        began = time.monotonic()
        catalog.register_all()
        print(f"{nodes} nodes registered in {time.monotonic() - began:.1f} s", flush=True)
        with running(run_master, folder / "master.out") as process:
            engine = EngineProcess(process.pid, port)
            leader = Keys(CLUSTER).leader
            until("the engine leads", lambda: client.kv_get(leader), 120)
            yield client, catalog, Listener(folder / "master"), engine


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    with held(args.nodes, folder) as (client, catalog, listener, engine):
        idle(client, listener)
        return timed(args, catalog, Answers(Client(client.where)), listener, engine)


def show_logs(folder: Path) -> None:
    """Print the ends of what the programs have written."""
    for log in ("salt/master.log", "master.out", "consul.out"):
        if (folder / log).exists():
            print(f"--- {log}\n{(folder / log).read_text()[-3000:]}", flush=True)


def idle(client: Client, listener: Listener) -> None:
    """Wait until all is well known, then watch that nobody is asked anything."""
    members = Keys(CLUSTER).members
    until("the first look is stored", lambda: client.kv_get(members), 120)
    time.sleep(2)
    before = listener.jobs
    time.sleep(IDLE_S)
    if listener.jobs != before:
        raise SystemExit(f"{listener.jobs - before} jobs in {IDLE_S:.0f} s of a healthy pool")
    print(f"a healthy pool: no minion was asked anything in {IDLE_S:.0f} s", flush=True)


def timed(
    args: argparse.Namespace, catalog: Catalog, answers: Answers, listener: Listener,
    engine: EngineProcess,
) -> dict[str, Any]:  # fmt: skip
    added, cpu_before, changes = [], engine.cpu_s(), 0
    step = max(1, len(catalog.names) // args.changes)
    for name in catalog.names[::step][: args.changes]:
        began = time.monotonic()
        catalog.critical(name)
        heard = listener.suspect(name, lambda name=name: catalog.has(name))
        if heard is not None:
            until("Consul's answer here", lambda name=name: answers.seen.get(name), 10)
            added.append((heard - answers.seen[name]) * 1000)
        time.sleep(max(0.0, APART_S - (time.monotonic() - began)))
        catalog.well(name)
        time.sleep(APART_S)
        changes += 2
    cpu_ms = (engine.cpu_s() - cpu_before) * 1000 / changes
    ordered = sorted(max(0.0, a) for a in added)
    print(f"{len(added)} suspects, {changes} changes; slowest {ordered[-3:]} ms", flush=True)
    return {
        "bench": "engine", "nodes": args.nodes, "changes": changes,
        "added_p50_ms": round(statistics.median(ordered), 1),
        "added_p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 1),
        "cpu_ms_per_change": round(cpu_ms, 1), "rss_mib": round(engine.rss_mib(), 1),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--changes", type=int, default=200, help="nodes that become critical")
    args = parser.parse_args()
    marker = Path(FOLDER) / f"canary-{CLUSTER}"
    marker.unlink(missing_ok=True)
    # Salt's sockets want a short path.
    with tempfile.TemporaryDirectory(prefix="sgb", ignore_cleanup_errors=True) as name:
        try:
            told = measure(args, Path(name))
        except SystemExit:
            show_logs(Path(name))
            raise
        finally:
            marker.unlink(missing_ok=True)
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
