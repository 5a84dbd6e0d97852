"""The pool's own agents over the years: a certificate is renewed, a server leaves for good.

Real agents with the configuration that nodes get, on addresses of this machine's loopback; no pool
is needed for that.
"""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from consul_world import own_network
from waiting import until

from lab import packages
from salt_gluster.consul import agent, raft
from salt_gluster.consul.acl import Registrar
from salt_gluster.consul.client import Client
from salt_gluster.consul.settings import Access
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.master.deploy import acl_beginning, credentials, deployment
from salt_gluster.master.deploy.secret_store import SecretStore, place
from salt_gluster.minion.automation import decommission
from salt_gluster.spec import PoolSpec, parse_pool

#: Consul's first byte for a call with TLS.
CALL = b"\x03"
SEVEN_YEARS_S = 7 * 365 * 86400


def address(name: str) -> str:
    """Return where an agent of ours is; nobody else is there."""
    return f"127.87.65.{name[1:]}"


class Agent:
    """One agent and its files."""

    def __init__(self, name: str, told: dict[str, Any], folder: Path) -> None:
        self.name, self.folder, self.file = name, folder, folder / "gluster.json"
        folder.mkdir()
        self.start(told)

    def start(self, told: dict[str, Any]) -> None:
        self.told = told
        self.write(told["tls"])
        wanted = agent.settings(told, name=self.name, address=address(self.name))
        wanted |= {f"{kind}_file": str(self.folder / f"{kind}.pem") for kind in agent.PEMS}
        wanted |= {"data_dir": str(self.folder / "data"), "client_addr": address(self.name)}
        wanted |= {"retry_join": [address(other) for other in told["servers"]]}
        wanted["ports"] |= {"dns": -1}
        # Only to be quick: when a new server votes, and how long one that leaves waits.
        wanted["performance"] |= {"leave_drain_time": "1s"}
        if told["is_server"]:
            wanted["autopilot"] |= {"server_stabilization_time": "1s"}
        self.settings = wanted
        self.file.write_text(json.dumps(wanted))
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [packages.consul(), "agent", f"-config-file={self.file}"],
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def write(self, tls: dict[str, str]) -> None:
        for kind in agent.PEMS:
            (self.folder / f"{kind}.pem").write_text(tls[kind])

    def client(self, token: str) -> Client:
        return Client(Access(f"http://{address(self.name)}:8500", token))

    def call(self, function: str, *words: str) -> bool:
        """Answer as Salt's ``service`` functions do on a machine."""
        if function == "service.status":
            return self.process.poll() is None
        return True


class World:
    """The agents of one pool, ended with the test."""

    def __init__(self, folder: Path, nodes: str, made_s_ago: float = 0) -> None:
        self.folder, self.pool = folder, parse_pool({"nodes": nodes})
        self.vault = place(folder / "master", "main")
        SecretStore(self.vault.folder, lambda: time.time() - made_s_ago).make()
        self.agents: dict[str, Agent] = {}

    def start(self, name: str, told: dict[str, Any]) -> Agent:
        self.agents[name] = Agent(name, told, self.folder / name)
        return self.agents[name]

    def root(self, name: str) -> Client:
        return self.agents[name].client(self.vault.secrets().management)

    def begin(self, name: str) -> None:
        """Begin the ACL, as the master does with the first admission."""
        root = self.root(name)
        until(root.leader, 120, "Consul leads")
        acl_beginning.begin(self.vault, root, patience_s=60)


@pytest.fixture(scope="module", autouse=True)
def _alone() -> Iterator[None]:
    """Be in a network of our own: the addresses are the same in every checkout's run."""
    packages.consul()  # may have to be fetched
    with own_network():
        yield


@pytest.fixture
def worlds() -> Iterator[list[World]]:
    made: list[World] = []
    yield made
    for one in (one for world in made for one in world.agents.values()):
        one.process.kill()
        one.process.wait(10)


# --- certificates --------------------------------------------------------------------------------


def shown(server: Agent, other: dict[str, Any]) -> bytes:
    """Return the certificate that it shows to another agent of the pool; b"" = none now."""
    context = ssl.create_default_context(cadata=other["tls"]["ca"])
    both = server.folder / "other.pem"
    both.write_text(other["tls"]["cert"] + other["tls"]["key"])
    context.load_cert_chain(both)
    try:
        with socket.create_connection((address(server.name), 8300), timeout=5) as line:
            line.sendall(CALL)
            with context.wrap_socket(line, server_hostname="server.gluster.consul") as safe:
                return safe.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


def test_a_renewed_certificate_is_taken_by_a_reload_and_nothing_restarts(
    worlds: list[World], tmp_path: Path
) -> None:
    """As the state does it: the master hands out another one, the file is written, a reload."""
    world = World(tmp_path, "g[1-2]", made_s_ago=SEVEN_YEARS_S)
    worlds.append(world)
    old = SecretStore(world.vault.folder, lambda: time.time() - SEVEN_YEARS_S)
    told, other = (credentials.node_credentials(old, world.pool, name) for name in ("g1", "g2"))
    server = world.start("g1", told)
    root = world.root("g1")
    world.begin("g1")
    until(lambda: root.kv_put("probe", "1"), 120, "it leads and writes")
    before = ssl.PEM_cert_to_DER_cert(told["tls"]["cert"])
    until(lambda: shown(server, other) == before, 30, "it shows what it got")
    renewed = credentials.node_credentials(world.vault, world.pool, "g1")
    assert {key for key in renewed if renewed[key] != told[key]} == {"tls"}
    server.write(renewed["tls"])
    assert shown(server, other) == before
    server.process.send_signal(signal.SIGHUP)  # ExecReload of the unit
    after = ssl.PEM_cert_to_DER_cert(renewed["tls"]["cert"])
    until(lambda: shown(server, other) == after, 30, "it shows the new one")
    assert server.process.poll() is None
    assert root.kv_put("probe", "2")


# --- the ACL -------------------------------------------------------------------------------------


def test_an_acl_that_somebody_else_has_begun_is_recovered_as_the_documentation_says(
    worlds: list[World], tmp_path: Path
) -> None:
    """Who is on a machine with an agent may ask before the master does: once, and it is told."""
    world = World(tmp_path, "g[1-2]")
    worlds.append(world)
    server = world.start("g1", credentials.node_credentials(world.vault, world.pool, "g1"))
    nobody, root = server.client(""), world.root("g1")

    def begun() -> str:
        try:
            answer = nobody.transport.put(lambda a: json.loads(a.body), "/v1/acl/bootstrap")
        except ConsulError:
            return ""
        return str(answer["SecretID"])

    stolen = until(begun, 60, "Consul to give its first token")
    theirs = server.client(str(stolen))
    with pytest.raises(GlusterError, match="begun by somebody else") as refused:
        acl_beginning.begin(world.vault, root, patience_s=1)
    index = str(refused.value).partition("reset index: ")[2].partition(")")[0]
    (server.folder / "data/acl-bootstrap-reset").write_text(index)
    assert acl_beginning.begin(world.vault, root, patience_s=20)
    tokens = root.transport.get(lambda a: json.loads(a.body), "/v1/acl/tokens")
    ours = ("salt-gluster: management", "Anonymous Token")
    others = [token for token in tokens if token["Description"] not in ours]
    assert len(others) == 1, others
    root.transport.delete(lambda a: None, f"/v1/acl/token/{others[0]['AccessorID']}")
    with pytest.raises(ConsulError):
        theirs.transport.get(lambda a: None, "/v1/acl/tokens")


# --- the servers change --------------------------------------------------------------------------


def voters(root: Client) -> set[str]:
    """Return who votes; nobody while nothing can be written."""
    try:
        root.kv_put("probe", "1")
        return raft.voters(root)[0]
    except ConsulError:
        return set()


class Exchange:
    """A master that fits its servers to the pool, and machines that do what they are told."""

    def __init__(self, world: World, stays: str, patch: pytest.MonkeyPatch) -> None:
        self.world, self.stays, self._patch = world, stays, patch
        self.asked: list[str] = []
        for name in world.vault.servers(world.pool):
            self.apply(name)
        world.begin(stays)
        self.settle(world.pool)

    def apply(self, name: str) -> None:
        """Do as the state does: start what is new; a server that is none any more gives up."""
        told = credentials.node_credentials(self.world.vault, self.world.pool, name)
        there = self.world.agents.get(name)
        if there is not None and there.told["is_server"] and not told["is_server"]:
            until(lambda: self._leaves(there), 60, f"{name} gives up its seat")
            there.start(told)
        elif there is None:
            self.world.start(name, told)

    @staticmethod
    def _leaves(there: Agent) -> bool:
        """Whether it did, as a highstate that is applied again; not while Consul has no leader."""
        try:
            agent.leave_raft(there.settings, there.call)
        except GlusterError:
            return False
        return True

    def ask(self, minions: list[str], function: str) -> dict[str, Any]:
        (name,) = minions
        self.asked.append(f"{name} {function}")
        there = self.world.agents[name]
        self._patch.setattr(agent, "FILE", there.file)
        return {name: decommission.leave(None, there.call)}

    def settle(self, pool: PoolSpec) -> list[tuple[str, ...]]:
        """Run the master's set-up and the highstate until nothing changes; return every set."""
        self.world.pool, sets = pool, [self.world.vault.servers()]
        while True:
            before, servers = self.world.vault.fit_servers(pool)
            for name in {*servers, *(n for n in before if n in pool.nodes)}:
                self.apply(name)
            root = self.world.root(self.stays)
            until(root.leader, 120, "an agent that knows who leads")
            Registrar(root, patience_s=60).ensure(deployment._of_agents(self.world.vault))
            until(lambda want=servers: self._voters() >= set(want), 120, f"{servers} vote")
            if not self._keep(servers) and before == servers:
                until(lambda want=servers: self._voters() == set(want), 120, "nobody else votes")
                return sets
            sets += [servers] if before != servers else []

    def _voters(self) -> set[str]:
        return voters(self.world.root(self.stays))

    def _keep(self, servers: tuple[str, ...]) -> dict[str, Any]:
        root, nodes = self.world.root(self.stays), self.world.pool.nodes
        # A Consul that has only just begun does not know its own settings.
        until(
            lambda: raft.reconcile_voters(root, servers, nodes, self.ask, test=True),
            60,
            "its settings",
        )
        would, _ = raft.reconcile_voters(root, servers, nodes, self.ask, test=True)
        done, why = raft.reconcile_voters(root, servers, nodes, self.ask, test=False)
        assert (done, why) == (would, "")
        return done


#: Of three servers one is exchanged, and of one the only one.
POOLS = [("g[1-4]", "g[2-4]"), ("g[1-2]", "g[2-3]")]


@pytest.mark.parametrize("pools", POOLS)
def test_a_server_that_left_nodes_goes_when_another_votes(
    worlds: list[World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pools: tuple[str, str]
) -> None:
    world = World(tmp_path, pools[0])
    worlds.append(world)
    before = world.vault.servers(world.pool)
    here = Exchange(world, before[-1], monkeypatch)
    here.stays = "g2"
    world.root(before[-1]).kv_put("kept", "as it was")
    sets = here.settle(parse_pool({"nodes": pools[1]}))
    assert len(sets[-1]) == len(before) and "g1" not in sets[-1]
    assert here.asked == ["g1 gluster_consul.leave"]
    assert not world.agents["g1"].file.exists()
    entry = world.root("g2").kv_get("kept")
    assert entry is not None and entry.value == b"as it was"  # the same Consul, not a new one


def test_a_pool_that_grows_and_shrinks_has_the_seats_it_should_have(
    worlds: list[World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead server of a pool that has grown is not forgotten; a former server has no vote."""
    world = World(tmp_path, "g[1-2]")
    worlds.append(world)
    here = Exchange(world, "g1", monkeypatch)
    root = world.root("g1")
    assert here.settle(parse_pool({"nodes": "g[1-3]"}))[-1] == ("g1", "g2", "g3")
    world.agents["g3"].process.kill()
    time.sleep(10)  # without more it was gone after 4 s
    assert voters(root) == {"g1", "g2", "g3"}
    world.agents["g3"].start(world.agents["g3"].told)
    until(lambda: raft.voters(root)[1] == {"g1", "g2", "g3"}, 120, "all are there again")
    sets = here.settle(parse_pool({"nodes": "g[1-2]"}))
    assert sets[1:] == [("g1", "g2"), ("g1",)]
    assert here.asked == ["g3 gluster_consul.leave"]
    until(lambda: "g2" in names(root), 30, "the former one is a client")


def names(root: Client) -> set[str]:
    told = root.transport.get(lambda a: json.loads(a.body), "/v1/agent/members")
    return {str(m["Name"]) for m in told if m["Status"] == 1}


def test_a_machine_that_is_a_node_still_does_not_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "FILE", tmp_path / "gluster.json")
    never: Any = None
    assert decommission.leave(None, never) == {}  # nothing of ours is there
    with pytest.raises(GlusterError, match="still is a node"):
        decommission.leave({"cluster": "main"}, never)
