"""What each role may do in the pool's own Consul, tested by trying: real agents, ACL and TLS.

The agents are configured as the vault tells each machine; the rights are made as an admission makes
them. Then every role tries everything. What it may do is written here once more, by hand.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from consul_world import inside
from waiting import until

from lab import Lab, Node
from salt_gluster.consul import agent, queries
from salt_gluster.consul.acl import Grant, Registrar
from salt_gluster.consul.admitted import read, record
from salt_gluster.consul.catalog import catalog, consul_view, critical_checks
from salt_gluster.consul.client import Client
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.consul.restart_lock import restart_lock
from salt_gluster.consul.service import Member, maintenance, register
from salt_gluster.consul.settings import Access
from salt_gluster.errors import ConsulError
from salt_gluster.master.deploy import acl_beginning, credentials, deployment, secret_store
from salt_gluster.master.deploy.secret_store import SecretStore
from salt_gluster.remediation.membership import Signal, ViewTrust
from salt_gluster.spec import PoolSpec, parse_pool

UUIDS = {f"g{n}": f"0000000{n}-0000-4000-8000-000000000000" for n in range(1, 5)}
OWN, OTHER = UUIDS["g1"], UUIDS["g2"]
KEYS = Keys("main")
MASTER = "m1"


class World:
    """A pool of four with its own Consul, and a master beside it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.pool: PoolSpec = parse_pool(
            {"nodes": "g[1-4]", "addresses": {n.name: n.address for n in lab.nodes}}
        )
        self.vault: SecretStore = secret_store.place(folder / "master", "main")
        self.vault.make()
        self.told = {
            n.name: credentials.node_credentials(self.vault, self.pool, n.name) for n in lab.nodes
        }
        self.told[MASTER] = credentials.master_credentials(self.vault, self.pool, MASTER)

    def start(self) -> None:
        for node in [*self.lab.nodes, self.lab.master]:
            name = MASTER if node.name == self.lab.master.name else node.name
            self.configure(node, name)
            node.ok(["systemctl", "enable", "--now", "consul"])

    def configure(self, node: Node, name: str) -> None:
        settings = agent.settings(self.told[name], name=name, address=node.address)
        node.ok(["mkdir", "-p", "/etc/consul.d"])
        for kind in ("ca", "cert", "key"):
            self._write(node, str(agent.pem(kind)), self.told[name]["tls"][kind])
        self._write(node, str(agent.FILE), json.dumps(settings))

    def _write(self, node: Node, path: str, text: str) -> None:
        node.ok(["sh", "-c", f"umask 077; cat > {path}"], input=text)

    def grants(self, *names: str) -> list[Grant]:
        for name in names:
            with self.vault.locked():
                self.vault.admit(name, UUIDS[name])
        nodes = [one for one in self.vault.nodes() if one.name in names]
        return deployment.wanted(self.vault, nodes, "g1")

    def node(self, name: str) -> Node:
        return self.lab.master if name == MASTER else self.lab.node(name)

    def token(self, role: str, name: str = "g1") -> str:
        if role in ("engine", "reader", "management"):
            return str(getattr(self.vault.secrets(), role))
        mine = self.vault.known(name)
        assert mine is not None
        return str(getattr(mine, role))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Lab.up("roles", nodes=4, bare=True, salt=False, consul=True) as lab:
        made = World(lab, tmp_path_factory.mktemp("conf"))
        began = time.monotonic()
        made.start()
        with inside(lab.master):
            root = Client(Access(token=made.token("management")))
            until(lambda: _answers(root), 60, "the master's agent")
            assert acl_beginning.begin(made.vault, root, patience_s=60)
            assert not acl_beginning.begin(made.vault, root, patience_s=60)
            assert made.vault.first_token() == ""
            done = Registrar(root, patience_s=60).ensure(made.grants("g1", "g2", "g3"))
            print(f"FIGURE first rights {time.monotonic() - began:.1f} s after the first start")
            # engine, reader, who brings no token, the master's agent, three agents, three nodes
            assert len(done) == 10
            for key in (KEYS.hold, KEYS.node(OTHER), "gluster/other/canary", "stranger"):
                root.kv_put(key, "1")
        yield made


def client(world: World, role: str, name: str = "g1") -> Client:
    return Client(Access(token="" if role == "anonymous" else world.token(role, name)))


@pytest.fixture(scope="module")
def registered(world: World) -> World:
    """The first two nodes have registered with their own tokens, as the state does."""
    for name in ("g1", "g2", "g3"):
        with inside(world.node(name)):
            root = client(world, "management")
            # A server that is no leader may stay in "legacy mode" for up to half a minute.
            until(lambda c=root: _raw(c, "get", "/v1/acl/tokens"), 90, "its ACL")
    for name in ("g1", "g2"):
        with inside(world.node(name)):
            mine = client(world, "node", name)
            until(lambda c=mine: _works(lambda: c.kv_get(KEYS.canary)), 40, "the right of the node")
            if name == "g1":
                assert mine.kv_put(KEYS.canary, "{}", cas=0)
            me = Member(UUIDS[name], name, name, "main", address=world.node(name).address)
            assert register(mine, me)
    with inside(world.lab.master):
        engine = client(world, "engine")
        began = time.monotonic()
        until(lambda: _registered(engine) == {"g1", "g2"}, 60, "both in the catalog")
        print(f"FIGURE registered nodes in the catalog after {time.monotonic() - began:.1f} s")
    return world


def _answers(asked: Client) -> bool:
    """Tell whether an agent is there yet, whatever it answers."""
    try:
        asked.kv_get(KEYS.canary)
    except ConsulError as err:
        return err.kind != "unreachable"
    return True


def _works(ask: Callable[[], Any]) -> bool:
    try:
        ask()
    except ConsulError as err:
        if err.kind != "forbidden":
            raise
        return False
    return True


# --- what can be tried ---------------------------------------------------------------------------

#: Every key of the layout, and two that are not this pool's.
PLACES = {
    "canary": KEYS.canary, "rev": KEYS.rev, "changed": KEYS.changed, "pulse": KEYS.heartbeat,
    "leader": KEYS.leader, "epoch": KEYS.epoch,
    "hold": KEYS.hold, "own maintenance": KEYS.maintenance(OWN), "current": KEYS.current,
    "a version": KEYS.version(1), "members": KEYS.members, "status": KEYS.status,
    "a proposal": KEYS.proposal("p"), "an operation": KEYS.operation("o"),
    "a moved brick": KEYS.moved("v"), "the audit": KEYS.audit("a"),
    "an acknowledgement": KEYS.acknowledged("x"), "the pillar": KEYS.pillar,
    "an admitted node": KEYS.admitted("tried"),
    "an accepted node": KEYS.accepted("g1"), "a rejected node": KEYS.rejected("g1"),
    "own report": KEYS.node(OWN), "a part of it": KEYS.report_part(OWN, "volumes"),
    "own answer": KEYS.answer(OWN), "any key below it": KEYS.node(OWN) + "/more",
    "below its identity": KEYS.identity(OWN) + "/more",
    "own identity": KEYS.identity(OWN), "own submission": KEYS.submitted(OWN),
    "own outcome": KEYS.outcome(OWN, "o"), "own change": KEYS.change_of(OWN),
    "other change": KEYS.change_of(OTHER),
    "other report": KEYS.node(OTHER), "other identity": KEYS.identity(OTHER),
    "other submission": KEYS.submitted(OTHER), "other outcome": KEYS.outcome(OTHER, "o"),
    "a longer name": KEYS.node(OWN + "0"),
    "another pool": "gluster/other/canary", "a stranger's key": "stranger",
}  # fmt: skip
OWN_PLACES = {n for n in PLACES if n.startswith("own ") and "maintenance" not in n} | {
    "a part of it"
}
POOLS_PLACES = set(PLACES) - {"another pool", "a stranger's key"}


def _raw(c: Client, method: str, path: str, body: Any = None, **params: str) -> Any:
    """Ask by hand; the text of the answer."""
    ask = getattr(c.transport, method)
    data = {} if method == "get" else {"data": json.dumps(body) if body is not None else ""}
    return str(ask(lambda told: told.body, path, list(params.items()), **data))


def _listed(answer: Any) -> bool:
    """Consul answers a list without a right with an empty one."""
    return bool(json.loads(answer) if isinstance(answer, str) else answer)


def _catalog(c: Client, node: str) -> Any:
    row = {"Node": node, "Address": "192.0.2.7", "SkipNodeUpdate": True}
    check = {"Node": node, "CheckID": "tried", "Name": "tried", "Status": "passing"}
    return _raw(c, "put", "/v1/catalog/register", {**row, "Check": check})


LOOKS: dict[str, Callable[[Client], Any]] = {
    "read the pool's keys": lambda c: c.kv_get(KEYS.node(OTHER)) is not None,
    "list the pool's keys": lambda c: _listed(c.kv_tree(KEYS.root)),
    "name the pool's keys": lambda c: _listed(c.kv_keys(KEYS.root)),
    "read another pool": lambda c: c.kv_get("gluster/other/canary") is not None,
    "list another pool": lambda c: _listed(c.kv_tree("gluster/other/")),
    "list all pools": lambda c: _listed(c.kv_tree("gluster/")),
    "read a stranger's key": lambda c: c.kv_get("stranger") is not None,
    "see the nodes": lambda c: _listed(c.catalog_nodes().data),
    "see the members": lambda c: _listed(c.catalog_service("gluster").data),
    "see all services": lambda c: "consul" in _raw(c, "get", "/v1/catalog/services"),
    "see the health": lambda c: _listed(c.health_state("any").data),
    "see this agent": lambda c: bool(c.agent_self()),
    "see this agent's metrics": lambda c: bool(_raw(c, "get", "/v1/agent/metrics")),
    "see sessions": lambda c: _listed(_raw(c, "get", "/v1/session/list")),
    "see tokens": lambda c: _listed(_raw(c, "get", "/v1/acl/tokens")),
    "see policies": lambda c: _listed(_raw(c, "get", "/v1/acl/policies")),
    "see gossip keys": lambda c: _listed(_raw(c, "get", "/v1/operator/keyring")),
    "see raft": lambda c: _listed(_raw(c, "get", "/v1/operator/raft/configuration")),
    "take a snapshot": lambda c: bool(_raw(c, "get", "/v1/snapshot")),
}
ACTS: dict[str, Callable[[Client], Any]] = {
    **{f"write {name}": (lambda c, k=key: c.kv_put(k, "1")) for name, key in PLACES.items()},
    "delete the pool": lambda c: c.kv_delete(KEYS.root + "proposals/", recurse=True),
    "register gluster": lambda c: _raw(
        c, "put", "/v1/agent/service/register", {"ID": "tried", "Name": "gluster"}
    ),
    "register another service": lambda c: _raw(
        c, "put", "/v1/agent/service/register", {"ID": "web", "Name": "web"}
    ),
    "take a service off": lambda c: _raw(c, "put", "/v1/agent/service/deregister/tried"),
    "push own check": lambda c: c.check_update("gluster:bricks", "passing"),
    "hold the node": lambda c: _raw(c, "put", "/v1/agent/maintenance", enable="false"),
    "make a session": lambda c: c.session_create("tried", ttl_s=10, lock_delay_s=0),
    "make another node's session": lambda c: _raw(
        c,
        "put",
        "/v1/session/create",
        {"Name": "tried", "Node": "g2", "NodeChecks": [], "TTL": "10s"},
    ),
    "fire an event": lambda c: _raw(c, "put", "/v1/event/fire/tried"),
    "make a token": lambda c: _raw(c, "put", "/v1/acl/token", {"Description": "tried"}),
    "change own node": lambda c: _catalog(c, "g1"),
    "change another node": lambda c: _catalog(c, "g2"),
    "invent a node": lambda c: _catalog(c, "g9"),
    "force a node out": lambda c: _raw(c, "put", "/v1/agent/force-leave/nosuch"),
    "reload the agent": lambda c: _raw(c, "put", "/v1/agent/reload"),
    "begin the acl": lambda c: _raw(c, "put", "/v1/acl/bootstrap"),
}
SEES_POOL = {
    "read the pool's keys", "list the pool's keys", "name the pool's keys", "see the nodes",
    "see the members", "see the health", "see this agent", "see this agent's metrics",
}  # fmt: skip
ROLES: dict[str, set[str]] = {
    "node": SEES_POOL
    | {f"write {name}" for name in OWN_PLACES | {"canary", "rev"}}
    | {"register gluster", "take a service off", "push own check"}
    | {"make a session", "see sessions"},  # of its own node: by one its sensor is heard
    "engine": SEES_POOL
    | {f"write {name}" for name in POOLS_PLACES}
    | {"see all services", "see sessions", "delete the pool", "make a session"}
    | {"make another node's session", "see raft"},  # how Consul's servers are
    "reader": SEES_POOL | {"see all services"},
    # Of a server: it leaves, restarts under a lock, and exchanges the gossip key.
    "agent": {"see the nodes", "see the members", "see all services", "see the health",
              "change own node", "hold the node", "see this agent", "see this agent's metrics",
              "reload the agent", "see raft", "see gossip keys", "make a session", "see sessions"},
    "anonymous": {"see the nodes", "see the members", "see the health"},  # DNS asks as nobody
}  # fmt: skip


def _done(c: Client, act: Callable[[Client], Any]) -> bool:
    """Return whether it was done; any answer but a plain no of Consul is an error of the test."""
    no = ("Permission denied", "denied by ACLs", "ACL not found", "bootstrap no longer allowed")
    for tried in range(5):
        try:
            return act(c) is not False
        except ConsulError as err:
            if err.kind == "forbidden" or any(word in err.text for word in no):
                return False
            # The gossip keys of all nodes, of which one answered late.
            if "nodes reported success" in err.text:
                return True
            # A snapshot that a server denies is sometimes cut off before its no is read.
            if "failed to decode response" not in err.text or tried == 4:
                raise
    raise AssertionError("never")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_can_do_what_it_is_for_and_nothing_else(registered: World, role: str) -> None:
    """Tried at the first node's own agent; of an agent's token that may see, its own node."""
    with inside(registered.node("g1")):
        c, root = client(registered, role), client(registered, "management")
        root.service_register({"ID": "tried", "Name": "gluster"})  # to be taken off
        root.session_create("to be seen", ttl_s=60, lock_delay_s=0)
        can = {name for name, act in {**LOOKS, **ACTS}.items() if _done(c, act)}
        until(lambda: _cleared(root), 10, "what was tried is gone")
    assert can - ROLES[role] == set()
    assert ROLES[role] - can == set()


def _cleared(root: Client) -> bool:
    for service in ("tried", "web"):
        if service in root.agent_services():
            root.service_deregister(service)
    return True


def test_a_node_that_is_not_the_first_never_writes_the_canary(registered: World) -> None:
    with inside(registered.node("g2")):
        c = client(registered, "node", "g2")
        tried = {n: _done(c, lambda c, k=key: c.kv_put(k, "1")) for n, key in PLACES.items()}
    mine = {n for n, yes in tried.items() if yes}
    others = {"other report", "other identity", "other submission", "other outcome", "other change"}
    assert mine == {*others, "rev"}


def test_the_management_token_can_what_nobody_else_can(registered: World) -> None:
    """The tries are real ones: with every right they do something."""
    harmless = set(LOOKS) - {"see sessions"} | {"make a token", "fire an event", "hold the node"}
    with inside(registered.node("g1")):
        root = client(registered, "management")
        told = {**LOOKS, **ACTS}
        assert {name for name in harmless if not _done(root, told[name])} == set()


# --- a hostile node ------------------------------------------------------------------------------


def _row(node: str, address: str, **more: Any) -> dict[str, Any]:
    return {"Node": node, "Address": address, "SkipNodeUpdate": True, **more}


def _instance(uuid: str, minion: str, name: str = "gluster") -> dict[str, Any]:
    meta = {"cluster": "main", "peer_uuid": uuid, "minion_id": minion}
    return {"ID": name, "Service": "gluster", "Meta": meta}


def _check(node: str, name: str, status: str, **more: str) -> dict[str, Any]:
    return {"Node": node, "CheckID": name, "Name": name, "Status": status, **more}


def _put(c: Client, row: dict[str, Any], how: str = "register") -> bool:
    return _done(c, lambda c: _raw(c, "put", f"/v1/catalog/{how}", row))


def test_what_a_hostile_node_writes_over_another_makes_nobody_of_it(registered: World) -> None:
    """g3 with its own token, through its own agent, against g2, which an operator holds."""
    where = registered.node("g2").address
    with inside(registered.lab.master):
        root = client(registered, "management")
        record(root, "main", {name: UUIDS[name] for name in ("g1", "g2", "g3")})
    with inside(registered.node("g2")):
        client(registered, "agent", "g2").agent_maintenance("ram (ann)")

    with inside(registered.node("g3")):
        evil = client(registered, "node", "g3")
        of_service = {"ServiceID": "gluster", "Notes": "forged"}
        own = _check("g2", "_service_maintenance:gluster", "passing", **of_service)
        # What Consul 1.8 lets it do, facts.md#K-5.5:
        can = {
            "a second row": _put(evil, _row("g2", where, Service=_instance(OWN, "g1", "x"))),
            "its row": _put(evil, _row("g2", where, Service=_instance(OWN, "g1"))),
            "its serfHealth": _put(
                evil, _row("g2", where, Check=_check("g2", "serfHealth", "critical", **of_service))
            ),
            "its node's maintenance": _put(
                evil,
                _row("g2", where, Check=_check("g2", "_node_maintenance", "passing", **of_service)),
            ),
            "its service's maintenance": _put(evil, _row("g2", where, Check=own)),
            "settings of the service": _done(
                evil, lambda c: _raw(c, "put", "/v1/config",
                                     {"Kind": "service-defaults", "Name": "gluster"})
            ),
        }  # fmt: skip
        assert can == dict.fromkeys(can, True)
        # And what it does not:
        cannot = {
            "an admission": _done(evil, lambda c: c.kv_put(KEYS.admitted("g2"), "{}")),
            "a check of the node": _put(
                evil, _row("g2", where, Check=_check("g2", "serfHealth", "critical"))
            ),
            "a node": _put(evil, _row("g9", where, Service=_instance(OTHER, "g2"))),
            "no node": _put(evil, {"Node": "g2"}, "deregister"),
            "another service": _done(
                evil, lambda c: _raw(c, "put", "/v1/config",
                                     {"Kind": "service-defaults", "Name": "web"})
            ),
            "where the service is": _done(
                evil, lambda c: _raw(c, "put", "/v1/config",
                                     {"Kind": "service-resolver", "Name": "gluster",
                                      "Redirect": {"Service": "web"}})
            ),
            "the proxies": _done(
                evil, lambda c: _raw(c, "put", "/v1/config",
                                     {"Kind": "proxy-defaults", "Name": "global"})
            ),
        }  # fmt: skip
        assert cannot == dict.fromkeys(cannot, False)

    with inside(registered.lab.master):
        engine, root = client(registered, "engine"), client(registered, "management")
        rows = queries.roster(engine)(0, 0).data
        members = catalog(rows, "main", read(engine, "main"))
        checks = critical_checks(queries.critical_now(engine))
        view = consul_view(members, checks, ViewTrust(True), 1)
        assert dict(members.names) == {OWN: "g1", OTHER: "g2"}
        assert (view.signal(OWN), view.signal(OTHER)) == (Signal.GOOD, Signal.GOOD)
        assert view.registered[OTHER].maintenance and not view.registered[OWN].maintenance
        assert set(view.contradicted) == {"g2"}
        for name in ("serfHealth", "_service_maintenance:gluster"):
            _put(root, {"Node": "g2", "CheckID": name}, "deregister")
        _put(root, {"Node": "g2", "ServiceID": "x"}, "deregister")
        _raw(root, "delete", "/v1/config/service-defaults/gluster")

    # What another one wrote is in the way of its agent's own word for a minute, not on the node.
    with inside(registered.node("g2")):
        mine = client(registered, "node", "g2")
        assert maintenance(mine) == {"_node_maintenance": "ram (ann)"}
        client(registered, "agent", "g2").agent_maintenance(None)
        register(mine, Member(OTHER, "g2", "g2", "main", zone="z", address=where))
        until(lambda: _meta(mine, "g2").get("peer_uuid") == OTHER, 90, "its own row again")


def _meta(c: Client, node: str) -> dict[str, str]:
    rows = c.catalog_service("gluster", where='ServiceID == "gluster"').data
    return next((dict(row["ServiceMeta"]) for row in rows if row["Node"] == node), {})


# --- what listens --------------------------------------------------------------------------------


def test_from_outside_only_gossip_and_rpc_can_be_reached(registered: World) -> None:
    """Gossip drops what has not its key, a server's TLS asks for a certificate of the pool's own
    authority. Nothing else listens beyond the machine itself.
    """
    ports = [*range(8295, 8310), *range(8495, 8510), 8600, *range(21000, 21010), 18500]
    found = {}
    with inside(registered.node("g4")):
        for name in ("g1", "g4", MASTER):
            address = registered.node(name).address
            found[name] = {port for port in ports if _accepts(address, port)}
    assert found == {"g1": {8300, 8301}, "g4": {8301}, MASTER: {8301}}


def _accepts(address: str, port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(2)
        return sock.connect_ex((address, port)) == 0


def test_rpc_answers_nobody_without_a_certificate_of_the_pool(
    registered: World, tmp_path: Path
) -> None:
    """And a client's certificate does not make a server."""
    mine = registered.told["g4"]["tls"]
    for kind in ("cert", "key"):
        (tmp_path / kind).write_text(mine[kind])
    address = registered.node("g1").address
    with inside(registered.node("g4")):
        assert not _speaks_tls(address, None)
        assert _speaks_tls(address, tmp_path)
        with socket.create_connection((address, 8300), 5) as plain:
            plain.settimeout(5)
            plain.sendall(b"\x00" * 8)
            assert _ended(plain)


def _speaks_tls(address: str, folder: Path | None) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if folder is not None:
        context.load_cert_chain(folder / "cert", folder / "key")
    with socket.create_connection((address, 8300), 5) as sock:
        sock.sendall(b"\x03")  # Consul: TLS begins
        try:
            with context.wrap_socket(sock) as spoken:
                spoken.settimeout(2)
                spoken.sendall(b"\x00")
                return not _ended(spoken)
        except OSError:
            return False


def _ended(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_gossip_without_the_key_lets_nobody_in(registered: World) -> None:
    """An agent of somebody else cannot join, whatever it calls itself."""
    g4 = registered.node("g4")
    g4.ok(["sh", "-c", "cat > /tmp/evil.json"], input=json.dumps({
        "node_name": "evil", "datacenter": "gluster", "data_dir": "/tmp/evil",
        "bind_addr": g4.address, "disable_update_check": True,
        "ports": {"http": 18500, "dns": -1, "serf_lan": 18301, "serf_wan": -1, "server": 18300},
    }))  # fmt: skip
    evil = g4.popen(["sh", "-c", "exec consul agent -config-file /tmp/evil.json >/tmp/evil.log"])
    try:
        with inside(g4):
            mine = Client(Access("http://127.0.0.1:18500"))
            until(lambda: _works_at_all(mine), 20, "the stranger")
            with pytest.raises(ConsulError):
                _raw(mine, "put", f"/v1/agent/join/{registered.node('g1').address}:8301")
        with inside(registered.node("g1")):
            names = {row["Node"] for row in client(registered, "reader").catalog_nodes().data}
        assert "evil" not in names
    finally:
        evil.kill()
        evil.wait(10)


def _works_at_all(c: Client) -> bool:
    try:
        return bool(c.agent_self())
    except ConsulError:
        return False


# --- how rights come and go ----------------------------------------------------------------------


def test_rights_are_made_once_whoever_makes_them(registered: World) -> None:
    rights = registered.grants("g1", "g2", "g3")

    def ensure(_: int) -> list[str]:
        with inside(registered.lab.master):
            root = client(registered, "management")
            return Registrar(root).ensure(rights)

    with ThreadPoolExecutor(3) as workers:
        assert list(workers.map(ensure, range(3))) == [[], [], []]


def _registered(c: Client) -> set[str]:
    return {str(row["Node"]) for row in c.catalog_service("gluster").data}


def test_a_node_that_asks_before_it_is_admitted_is_let_in_soon(registered: World) -> None:
    """Its agent remembers for a while that it did not know the token."""
    with inside(registered.node("g4")):
        mine = client(registered, "node", "g4")
        assert not _works(lambda: mine.kv_get(KEYS.canary))
    rights = registered.grants("g4")
    with inside(registered.lab.master):
        assert len(Registrar(client(registered, "management")).ensure(rights)) == 2
    with inside(registered.node("g4")):
        # The leader knows it at once; an agent whose server did not yet keeps its no for 30 s.
        time.sleep(1)
        until(lambda: _works(mine.agent_services), 45, "the right")
        me = Member(UUIDS["g4"], "g4", "g4", "main", address=registered.node("g4").address)
        register(mine, me)
        began = time.monotonic()
        until(lambda: "g4" in _registered(mine), 60, "it in the catalog")
        print(f"FIGURE registered, and in the catalog after {time.monotonic() - began:.1f} s")


def test_a_node_with_a_new_uuid_loses_the_old_ones_rights(registered: World) -> None:
    new = "00000009-0000-4000-8000-000000000000"
    with registered.vault.locked():
        registered.vault.admit("g3", new)
    nodes = [one for one in registered.vault.nodes() if one.name == "g3"]
    with inside(registered.lab.master):
        root = client(registered, "management")
        done = Registrar(root).ensure(deployment.wanted(registered.vault, nodes, "g1"))
        assert done == ["salt-gluster: node main/g3"]
    with inside(registered.node("g3")):
        mine = client(registered, "node", "g3")
        until(lambda: _works(lambda: mine.kv_put(KEYS.node(new), "1")), 45, "the new right")
        assert not _works(lambda: mine.kv_put(KEYS.node(UUIDS["g3"]), "1"))


def test_a_token_that_was_taken_back_opens_nothing(registered: World) -> None:
    (grant,) = [g for g in registered.grants("g2") if g.role == "node"]
    with inside(registered.lab.master):
        registrar = Registrar(client(registered, "management"))
        assert registrar.revoke(grant)
        assert not registrar.revoke(grant)
    with inside(registered.node("g2")):
        mine = client(registered, "node", "g2")
        until(lambda: not _works(lambda: mine.kv_get(KEYS.canary)), 45, "no right any more")


def test_the_engine_leads_with_its_token(registered: World) -> None:
    with inside(registered.lab.master):
        lock = LeaderLock(client(registered, "engine"), "main", MASTER)
        # The roles have written into the lock's key, as no lock is written.
        until(lambda: lock.renew() or (lock.error == "" and lock.holds()), 30, "the lead")
        assert lock.epoch > 0
        lock.stop()


# --- the servers ---------------------------------------------------------------------------------


def test_servers_that_all_have_to_restart_do_it_one_after_the_other(registered: World) -> None:
    def restart(name: str) -> tuple[float, float]:
        node = registered.lab.node(name)
        with inside(node):
            mine = client(registered, "agent", name)
            with restart_lock(mine, "main"):
                began = time.monotonic()
                node.ok(["systemctl", "restart", "consul"])
                until(lambda: _works_at_all(mine), 60, "the agent")
                ended = time.monotonic()
        return began, ended

    with ThreadPoolExecutor(3) as at_once:
        times = sorted(at_once.map(restart, ["g1", "g2", "g3"]))
    print(f"FIGURE three servers restarted in turn in {times[2][1] - times[0][0]:.1f} s")
    assert times[0][1] < times[1][0] and times[1][1] < times[2][0]
    with inside(registered.lab.master):
        engine = client(registered, "engine")
        until(lambda: engine.kv_get(KEYS.restart_lock).session == "", 30, "the turn given back")


def test_a_server_that_left_is_replaced_by_one_and_consul_goes_on(registered: World) -> None:
    """The last test: the first node dies and leaves ``nodes``; the fourth takes its vote."""
    lab, kept = registered.lab, registered.vault
    addresses = {n.name: n.address for n in lab.nodes if n.name != "g1"}
    pool = parse_pool({"nodes": "g[2-4]", "addresses": addresses})
    lab.fault("consul-kill", "g1")
    with inside(lab.master):
        root = client(registered, "management")
        until(lambda: _voters(root), 60, "a leader again")
        changes, waits = deployment.follow(kept, pool, test=True)
        assert changes["servers"] == {"old": ["g1", "g2", "g3"], "new": ["g2", "g3", "g4"]}
        assert kept.servers() == ("g1", "g2", "g3")
        assert deployment.follow(kept, pool, test=False) == (changes, waits)
        assert waits == ""
    told = credentials.node_credentials(kept, pool, "g4")
    assert told["is_server"] and set(told["servers"]) == {"g2", "g3", "g4"}
    g4 = lab.node("g4")
    registered.told["g4"] = told
    registered.configure(g4, "g4")
    with inside(lab.master):
        # Before the new one has its vote, nothing more is changed.
        more = parse_pool({"nodes": ["g3", "g4", "g5", "g6"]})
        assert deployment.follow(kept, more, test=False) == ({}, deployment.waits_for("g4"))
    g4.ok(["systemctl", "restart", "consul"])
    with inside(lab.master):
        began = time.monotonic()
        until(lambda: _voters(root) == set(told["servers"]), 120, "three voters that are there")
        print(f"FIGURE a server replaced after {time.monotonic() - began:.1f} s")
        changes, waits = deployment.follow(kept, pool, test=False)
        assert (list(changes), waits) == (["access of g1"], "")
        assert kept.known("g1") is None
        assert deployment.follow(kept, pool, test=False) == ({}, "")
        assert root.kv_put(KEYS.rev, "9")


def _voters(root: Client) -> set[str]:
    try:
        told = json.loads(_raw(root, "get", "/v1/operator/raft/configuration"))
        root.kv_put(KEYS.rev, "8")
    except ConsulError:
        return set()
    return {str(s["Node"]) for s in told["Servers"] if s["Voter"]}
