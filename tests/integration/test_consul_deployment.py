"""Four bare nodes, a pillar without a word on Consul: `gluster.setup`, one `state.apply`, watched.

A fifth comes by itself later on.
What is there is asked from Consul itself, with the tokens that the master keeps; what must not be
there is looked for on every node, by other means than ours.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import consul_http
import pytest
from highstates import Returns, changes, failures
from pool_with_automation import PATIENCE
from waiting import until

from lab import Lab, witness
from lab.command import wait_for
from lab.node import Node

PILLAR: dict[str, Any] = {
    "gluster": {
        "nodes": "g[1-4]",
        "volumes": {"data": {"replica": 3, "mount": "/srv/data"}},
        "remediation": PATIENCE,
    }
}
VAULT = "/etc/salt/gluster/main"
SERVERS = ("g1", "g2", "g3")


class Backbone:
    """The lab, what is said on its bus, and its Consul as somebody with a token sees it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.nodes = lab.nodes[:4]
        self.events_file = folder / "events"
        self.took_s = 0.0
        self.first: Returns = {}
        self.restarted: dict[str, tuple[int, int]] = {}
        self._listener: subprocess.Popen[str] | None = None
        self._secrets: dict[str, str] = {}

    def listen(self) -> None:
        """Write down everything that is said on the bus, ours and Salt's own."""
        words = ["salt-run", "state.event", "*", "pretty=False"]
        with self.events_file.open("w") as out:
            self._listener = self.lab.master.popen(words, stdout=out, stderr=subprocess.DEVNULL)

        def listens() -> bool:
            self.lab.salt_run("test.sleep", 0)
            return self.events_file.stat().st_size > 0

        wait_for("the listener on the bus", listens, timeout=120, step=0.5)

    def close(self) -> None:
        if self._listener is not None:
            self._listener.kill()
            self._listener.wait(10)

    def events(self, event: str, since: float) -> list[dict[str, Any]]:
        """Return the notices of that name since then."""
        found = []
        for line in self.events_file.read_text(errors="replace").splitlines():
            tag, _, data = line.strip().partition("\t")
            if tag.startswith("salt/gluster/") and tag.endswith(f"/{event}") and data[-1:] == "}":
                said = json.loads(data)
                found += [said] if said.get("ts", 0) >= since else []
        return found

    def wait(self, event: str, since: float, within_s: float) -> dict[str, Any]:
        self.until(lambda: bool(self.events(event, since)), f"the event {event}", within_s)
        return self.events(event, since)[0]

    def until(self, check: Callable[[], bool], what: str, within_s: float) -> None:
        until(check, within_s, what, step_s=0.5, more=lambda: f"the leader says {self.status()}")

    def secret(self, name: str) -> str:
        """Return one of the secrets that the master keeps."""
        if not self._secrets:
            self._secrets = json.loads(self.lab.master.ok(["cat", f"{VAULT}/secrets.json"]))
        return str(self._secrets[name])

    def forget(self) -> None:
        """Read the secrets again: they were exchanged."""
        self._secrets = {}

    def consul(self, *words: str, node: str = "master") -> str:
        """Run Consul's own program on a member, as somebody who may manage it."""
        token = {"CONSUL_HTTP_TOKEN": self.secret("management")}
        done = self.lab.node(node).run(["consul", *words], env=token)
        return done.stdout if done.returncode == 0 else f"{done.stdout}{done.stderr}"

    def status(self) -> dict[str, Any]:
        """Return what the leader has written last, {} before."""
        token = self.secret("management")
        _, said = consul_http.key(self.lab.master, "gluster/main/status", token=token)
        return dict(json.loads(said)) if said.startswith("{") else {}

    def is_open(self) -> bool:
        said = self.status()
        well = all(n["state"] == "healthy" for n in said.get("nodes", {}).values())
        return said.get("mode") == "open" and well and not said["operations"]

    def apply(self, target: str = "") -> Returns:
        """Apply the formula on nodes at once; every one of them answers, however busy it is.

        Salt's own program would give up a minion that is too busy to say that it is at work.
        """
        names = target.split(",") if target else [node.name for node in self.nodes]
        words = ["--async", "-L", ",".join(names), "state.apply", "gluster"]
        job = self.lab.program("salt", *words).stdout.split()[-1]
        answers: Returns = {}

        def all_answered() -> bool:
            answers.update(self.lab.salt_run("jobs.lookup_jid", job))
            return len(answers) == len(names)

        self.until(all_answered, f"the answers of {', '.join(names)}", 500)
        assert all(isinstance(answer, dict) for answer in answers.values()), answers
        return answers

    def pids(self) -> dict[str, int]:
        """Return the main process of every minion."""
        asked = ["systemctl", "show", "-P", "MainPID", "salt-minion"]
        return {node.name: int(node.ok(asked)) for node in self.nodes}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backbone]:
    """From bare nodes to a watched pool; the clock runs from the first command on."""
    with Lab.up("backbone", nodes=5, bare=True) as lab:
        lab.write_pillar(PILLAR)
        plant(lab)
        here = Backbone(lab, tmp_path_factory.mktemp("backbone"))
        try:
            began = time.monotonic()
            lab.setup()
            here.listen()
            before = here.pids()
            here.first = here.apply()
            until(
                lambda: all(here.pids()[n] not in (0, pid) for n, pid in before.items()),
                180, "every minion to restart once", step_s=1,
            )  # fmt: skip
            here.until(here.is_open, "a leader that has looked and may act", 240)
            here.took_s = time.monotonic() - began
            print(f"bare to watched: {here.took_s:.0f} s, 4 nodes", file=sys.stderr)
            lab.wait()
            yield here
        finally:
            here.close()


#: What others keep where we read and write: who reacts to what, and their webhook.
PLANTED = {kind: f"planted-{kind}-3f6c1d" for kind in ("reactor", "webhook", "engine")}
OTHERS_HOOK = {"http://127.0.0.1:9/": {"token": PLANTED["webhook"], "secret": ""}}


def plant(lab: Lab) -> None:
    """Put secrets of the site's own into files that `gluster.setup` and the formula read."""
    line = f"reactor: [{{'planted/*': ['salt://x.sls?saltenv={PLANTED['reactor']}']}}]"
    engine = f"engines: [{{planted: {{token: {PLANTED['engine']}}}}}]"
    for node, name, text in ((lab.master, "master", line), (lab.node("g1"), "minion", engine)):
        node.ok(["sh", "-c", f'echo "$1" >> /etc/salt/{name}', "sh", text])
        node.ok(["chmod", "600", f"/etc/salt/{name}"])
    lab.node("g1").ok(["mkdir", "-p", str(Path(HOOKS).parent)])
    lab.node("g1").ok(["tee", HOOKS], input=json.dumps(OTHERS_HOOK))


HOOKS = "/var/lib/glusterd/events/webhooks.json"


# --- there it is ---------------------------------------------------------------------------------


@pytest.mark.capability(145)
def test_four_bare_nodes_are_a_pool_watched_through_their_own_consul(pool: Backbone) -> None:
    assert failures(pool.first) == []
    assert sorted(pool.first) == [n.name for n in pool.nodes]
    assert votes(pool) == list(SERVERS)
    nodes = pool.consul("catalog", "nodes", "-service=gluster").splitlines()[1:]
    assert sorted(row.split()[0] for row in nodes) == ["g1", "g2", "g3", "g4"]
    everyone = pool.consul("catalog", "nodes").splitlines()[1:]
    assert len(everyone) == 5  # and the master's own agent
    members = pool.lab.salt_call("g4", "gluster_consul.members")
    assert sorted(m["minion"] for m in members) == ["g1", "g2", "g3", "g4"]
    admitted = pool.consul("kv", "get", "-keys", "gluster/main/admitted/").split()
    assert admitted == [f"gluster/main/admitted/g{n}" for n in (1, 2, 3, 4)]
    assert pool.events("contradicted", 0) == [], "each row is as it was admitted, from the first"
    assert pool.status()["by"]
    assert pool.status()["policy"].startswith("version")  # what the pillar says was taken


def test_a_second_run_on_all_nodes_at_once_changes_nothing(pool: Backbone) -> None:
    before = pool.pids()
    answers = pool.apply()
    assert (failures(answers), changes(answers)) == ([], {})
    again = pool.lab.salt_run("gluster.setup")
    assert ("error" in again, again["changes"]) == (False, {})
    time.sleep(3)
    assert pool.pids() == before


def test_the_gossip_key_is_exchanged_from_a_master_that_is_no_server(pool: Backbone) -> None:
    """No agent restarts. That no job and no return has the key, a later test looks for."""
    agents = ["systemctl", "show", "-P", "MainPID", "consul"]
    before = {node.name: node.ok(agents) for node in pool.lab.members if node.name != "g5"}
    old = pool.secret("encrypt")
    refused = pool.lab.salt("g4", "gluster_consul.exchange_gossip", "look")["g4"]
    assert "no Consul server" in str(refused)
    assert "error" not in pool.lab.salt_run("gluster_consul.exchange_gossip_key", test=True)
    assert pool.secret("encrypt") == old
    done = pool.lab.salt_run("gluster_consul.exchange_gossip_key")
    assert "error" not in done, done["error"]
    assert done["changes"]["gossip key"]["new"] == "exchanged on all agents", done
    pool.forget()
    keys = pool.consul("keyring", "-list", node="g1")
    assert pool.secret("encrypt") in keys and old not in keys
    assert set(changes(pool.apply())) == {f"g{n} gluster-consul-agent" for n in (1, 2, 3, 4)}
    assert {name: pool.lab.node(name).ok(agents) for name in before} == before
    for written in ["/etc/consul.d/gluster.json"], []:  # the master's own agent's
        again = pool.lab.salt_run("gluster.setup")
        assert list(again["changes"]) == written and "gossip" not in str(again), again


def test_all_secrets_of_the_nodes_are_exchanged_and_none_is_out_of_view(pool: Backbone) -> None:
    """What follows, from the dead brick on, is done with the new ones."""
    pool.until(pool.is_open, "calm", 200)
    began, before, pids = time.time(), secrets_of(pool), pool.pids()
    done = pool.lab.salt_run("gluster_consul.exchange_secrets")
    assert (sorted(done["changes"]), done["left"]) == (["g1", "g2", "g3", "g4", "gossip key"], {})
    pool.forget()
    same = {name for name, secret in secrets_of(pool).items() if before[name] == secret}
    assert [name for name in same if name.startswith("nodes/")] == []
    for name in ("g1", "g4"):
        told = json.loads(pool.lab.node(name).ok(["cat", "/var/lib/salt-gluster/consul.json"]))
        assert told["token"].encode() not in before.values()
    assert failures(pool.apply()) == [] and pool.pids() == pids
    pool.lab.salt_run("gluster.setup")
    pool.until(pool.is_open, "calm", 100)
    assert pool.events("view_lost", began) + pool.events("unwatched", began) == []


def test_a_dead_brick_is_told_and_started_again_through_it(pool: Backbone) -> None:
    """Sensor, engine, reactor and executor, each with no more rights than its role has."""
    began = time.time()
    pool.lab.fault("brick-kill", "g2", "data")
    down = pool.wait("down", began, 60)
    assert (down["subject"], down["name"].partition(":")[0]) == ("brick", "g2")
    pool.wait("repaired", began, 200)
    # Not at the first word: one look that meets another is refused, and shows no brick at all.
    serves = lambda: not witness.brickless(pool.lab.node("g1"), "data")  # noqa: E731
    pool.until(serves, "every brick to serve", 60)


# --- what it stands ------------------------------------------------------------------------------


def test_one_server_of_three_lost_disturbs_nothing(pool: Backbone) -> None:
    pool.until(pool.is_open, "calm", 200)
    leader = next(
        row.split()[0]
        for row in pool.consul("operator", "raft", "list-peers").splitlines()
        if row.split()[3:4] == ["leader"]
    )
    began = time.time()
    pool.lab.fault("consul-kill", leader)
    others = [n.name for n in pool.nodes if n.name != leader]
    answers = pool.apply(",".join(others))
    assert (failures(answers), changes(answers)) == ([], {})
    lost = pool.events("view_lost", began)
    if lost:  # a leader is elected in 3 s; a busy machine may take longer
        pool.wait("view_restored", lost[0]["ts"], 90)
    pool.consul("kv", "put", "gluster/main/hold", "is anybody looking?")
    pool.wait("held", began, 60)
    pool.consul("kv", "delete", "gluster/main/hold")
    pool.wait("released", began, 60)
    # The state of the node that lost it is what brings it back.
    assert list(changes(pool.apply(leader))) == [f"{leader} gluster-consul-agent"]


def test_two_servers_lost_with_their_disks_stop_automation_and_nothing_else(
    pool: Backbone,
) -> None:
    """They come back empty, at the same addresses, by the highstate of their nodes alone."""
    pool.until(pool.is_open, "calm", 200)
    began = time.time()
    for name in ("g2", "g3"):
        pool.lab.fault("consul-kill", name)
        wipe(pool.lab.node(name))
    pool.wait("view_lost", began, 90)
    answers = pool.apply("g1,g4")
    assert (failures(answers), changes(answers)) == ([], {})
    told = [w for a in answers.values() for s in a.values() for w in s.get("warnings", ())]
    assert len(told) == 2 and all("Automation" in text for text in told), told
    volume = pool.lab.salt_call("g4", "gluster_volume.info", "data")
    assert "data" in json.dumps(volume)
    assert "data" in pool.lab.program("salt-run", "gluster.status").stdout
    came_back = pool.apply("g2,g3")
    assert failures(came_back) == []
    pool.wait("view_restored", began, 200)
    pool.until(pool.is_open, "calm", 200)
    pool.until(lambda: votes(pool) == list(SERVERS), "three servers", 120)


def test_a_single_survivor_goes_on_by_the_file_that_the_documentation_names(
    pool: Backbone,
) -> None:
    began, survivor = time.time(), pool.lab.node("g1")
    for name in ("g2", "g3"):
        pool.lab.fault("consul-kill", name)
        wipe(pool.lab.node(name))
    pool.wait("view_lost", began, 90)
    survivor.ok(["sh", "-c", RECOVERY.format(address=survivor.address)])
    pool.wait("view_restored", began, 120)
    assert votes(pool) == ["g1"]
    assert failures(pool.apply("g2,g3")) == []
    pool.until(lambda: votes(pool) == list(SERVERS), "three servers", 120)


#: As docs/consul.md has it.
RECOVERY = r"""
ID=$(sed -n 's/.*"node_id": "\(.*\)".*/\1/p' /etc/consul.d/gluster.json)
systemctl stop consul
cat > /var/lib/consul/raft/peers.json <<EOF
[{{"id": "$ID", "address": "{address}:8300", "non_voter": false}}]
EOF
systemctl start consul
"""


def wipe(node: Node) -> None:
    """Take away everything that an agent keeps: data, votes, its own id."""
    node.ok(["sh", "-c", "find /var/lib/consul -mindepth 1 -delete"])


def votes(pool: Backbone) -> list[str]:
    """Return the servers that vote."""
    rows = [row.split() for row in pool.consul("operator", "raft", "list-peers").splitlines()[1:]]
    return sorted(row[0] for row in rows if row[4:5] == ["true"])


# --- what is not there ---------------------------------------------------------------------------

SCAN = """
import socket, sys
for host in sys.argv[1:]:
    for port in range(1, 10000):
        with socket.socket() as probe:
            probe.settimeout(2)
            if not probe.connect_ex((host, port)):
                print(host, port)
"""
#: A query for the addresses of a name, as dig would send it: over UDP only three are answered.
DNS = """
import socket, sys
name = b"".join(bytes([len(p)]) + p.encode() for p in sys.argv[2].split(".")) + bytes(1)
asked = bytes.fromhex("0001" "0100" "0001" "0000" "0000" "0000") + name + b"\\0\\1\\0\\1"
try:
    line = socket.create_connection((sys.argv[1], 8600), timeout=5)
    line.sendall(len(asked).to_bytes(2, "big") + asked)
    told = line.makefile("rb").read(int.from_bytes(line.recv(2, socket.MSG_WAITALL), "big"))
except OSError:
    sys.exit(print("silent"))
at = len(asked)
for _ in range(int.from_bytes(told[6:8], "big")):  # each: a pointer to the name, A, IN, ttl, 4
    print(socket.inet_ntoa(told[at + 12 : at + 16]))
    at += 16
"""
NAME = "gluster.service.consul"
#: Consul's first byte for a call without TLS; with a server that takes it the line stays open.
PLAIN = """
import socket, sys
with socket.create_connection((sys.argv[1], 8300), timeout=5) as line:
    line.sendall(bytes(1) + bytes(32))
    line.settimeout(5)
    print("closed" if line.recv(10) == b"" else "answered")
"""


def python(node: Node, script: str, *words: str) -> list[str]:
    return node.ok(["python3", "-c", script, *words], timeout=200).splitlines()


def test_nothing_but_gossip_and_the_servers_calls_is_reachable_from_another_node(
    pool: Backbone,
) -> None:
    looks = pool.lab.node("g5")  # not one of the pool
    nodes = {node.name: node.address for node in pool.nodes}
    told = [row.split() for row in python(looks, SCAN, *nodes.values())]
    found = {name: {int(p) for h, p in told if h == where} for name, where in nodes.items()}
    assert found == {name: {8300, 8301} if name in SERVERS else {8301} for name in nodes}
    master = {int(row.split()[1]) for row in python(looks, SCAN, pool.lab.master.address)}
    assert master == {4505, 4506, 8301}
    assert python(looks, DNS, nodes["g1"], NAME) == ["silent"]
    assert python(looks, PLAIN, nodes["g1"]) == ["closed"]  # without TLS nobody is heard


ASKED = {
    "GET": (
        *("kv/?recurse", "kv/gluster/main/canary", "catalog/nodes", "catalog/services"),
        *("catalog/service/gluster", "health/state/any", "health/service/gluster"),
        *("session/list", "agent/self", "agent/members", "agent/services", "agent/checks"),
        *("agent/metrics", "acl/tokens", "acl/policies", "operator/raft/configuration"),
        *("operator/keyring", "snapshot", "internal/ui/nodes", "internal/ui/services"),
    ),
    "PUT": (
        *("kv/gluster/main/hold", "session/create", "agent/leave", "agent/maintenance?enable=true"),
        *("agent/service/register", "catalog/register", "acl/bootstrap", "acl/token", "acl/policy"),
        *("agent/join/127.0.0.1", "agent/force-leave/g4", "agent/reload", "event/fire/x", "txn"),
    ),
}
#: What DNS needs is read without a token too, on the machine itself: nodes, and our service.
OPEN = {
    *("catalog/nodes", "catalog/services", "catalog/service/gluster", "health/state/any"),
    *("health/service/gluster", "agent/members", "agent/services", "agent/checks"),
    *("internal/ui/nodes", "internal/ui/services"),
}
BODIES = {
    "agent/service/register": '{"Name": "gluster"}',
    "catalog/register": '{"Node": "x", "Address": "127.0.0.1"}',
    "acl/policy": '{"Name": "x"}',
    "txn": '[{"KV": {"Verb": "set", "Key": "gluster/main/hold", "Value": "eA=="}}]',
}


def test_who_brings_no_token_sees_who_is_there_and_may_do_nothing(pool: Backbone) -> None:
    wrong = []
    for name in ("g1", "g4", "master"):
        for verb, paths in ASKED.items():
            for path in paths:
                words = ["curl", "-s", "-m", "20", "-w", "\n%{http_code}", "-X", verb]
                body = ["-d", BODIES.get(path, "{}")] if verb == "PUT" else []
                said = pool.lab.node(name).ok([*words, *body, f"http://127.0.0.1:8500/v1/{path}"])
                text, _, code = said.rpartition("\n")
                empty = code == "200" and verb == "GET" and text.strip() in ("[]", "{}", "null")
                if not (empty or int(code) >= 400 or (path in OPEN and code == "200")):
                    wrong.append((name, verb, path, code, text[:200]))
    assert wrong == []
    # The same questions are answered to somebody who may ask.
    assert "g4" in pool.consul("catalog", "nodes")


_NAMES = ("encrypt", "management", "engine", "reader", "agent", "node", "webhook")


def secrets_of(pool: Backbone) -> dict[str, bytes]:
    """Return everything that must stay where it is, under names that may be shown."""
    files = pool.lab.master.ok(["find", VAULT, "-type", "f"]).split()
    found = {name: word.encode() for name, word in PLANTED.items()}
    for path in sorted(files):
        file, text = path.removeprefix(f"{VAULT}/"), pool.lab.master.ok(["cat", path])
        if file.endswith(".key"):
            found[file] = key_of(text)
        elif file.endswith(".json") and file != "servers.json":
            said = json.loads(text)
            for name in _NAMES:
                if said.get(name):
                    found[f"{file} {name}"] = said[name].encode()
            if said.get("key"):
                found[f"{file} key"] = key_of(said["key"])
    return found


def key_of(pem: str) -> bytes:
    """Return the line of a private key that nobody could guess."""
    body = [line for line in pem.splitlines() if line and not line.startswith("-")]
    assert base64.b64decode("".join(body))
    return body[1].encode()


def test_no_secret_is_in_a_log_an_event_the_job_cache_or_where_others_may_read(
    pool: Backbone,
) -> None:
    secrets = secrets_of(pool)
    assert len(secrets) > 4 + 4 * 3
    told, kept = set(), set()
    for node in pool.lab.members:
        for path, inside in files_of(node):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            for name, secret in secrets.items():
                if secret in content:
                    for_all = is_open_to_others(path, node) or _TOLD.intersection(path.parts)
                    (told if for_all else kept).add((node.name, inside, name))
    told |= {("bus", "", n) for n, s in secrets.items() if s in pool.events_file.read_bytes()}
    for node in pool.lab.members:
        words = node.ok(["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"])
        told |= {(node.name, "cmdline", n) for n, s in secrets.items() if s.decode() in words}
    assert told == set()
    # The raft store of a server has every token; nothing else on a node may do everything.
    everything = [row for row in kept if row[2] == "secrets.json management" and row[0] != "master"]
    assert [row for row in everything if not row[1].startswith("consul/raft/")] == []
    # They are where they belong: whoever looks would have found them elsewhere too.
    assert {n for _, _, n in kept} | {"webhook"} == set(secrets)
    repeated = pool.lab.node("g1").ok(["cat", "/etc/salt/minion.d/salt-gluster.conf"])
    assert PLANTED["engine"] in repeated, "its own engine still runs"
    hooks = {name: pool.lab.node(name).ok(["cat", HOOKS]) for name in ("g1", "g2", "g3", "g4")}
    assert OTHERS_HOOK.items() <= json.loads(hooks["g1"]).items()
    assert all(pool.secret("webhook") in text for text in hooks.values())
    for name in hooks:
        assert pool.lab.node(name).ok(["stat", "-c", "%a", HOOKS]).strip() == "600"


def test_what_we_write_others_can_neither_read_nor_change(pool: Backbone) -> None:
    """Whatever lies in our own folders, and the one file among Salt's, of the master and a node."""
    for name, owned in (("master", "/etc/salt/master.d"), ("g1", "/etc/salt/minion.d")):
        node = pool.lab.node(name)
        where = ["/etc/consul.d", "/var/lib/salt-gluster", "/etc/salt/gluster", owned]
        looked = node.run(["find", *where, "-type", "f", "-printf", "%m %u %p\\n"]).stdout
        rows = {path: (mode, user) for mode, user, path in map(str.split, looked.splitlines())}
        ours = {p: row for p, row in rows.items() if "gluster" in p}
        assert f"{owned}/salt-gluster.conf" in ours
        open_ones = {p: row for p, row in ours.items() if row[0] not in ("600", "640")}
        # A marker that a canary was there: its name says all that it has.
        assert {p for p in open_ones if "/canary-" not in p} == set()


#: Folders that people copy around and hand on, whoever may read them here.
_TOLD = {"log", "jobs"}
_NOT_OURS = {"srv", "mnt", "work", "glusterd"}


def files_of(node: Node) -> Iterator[tuple[Path, str]]:
    """Every file of a node that is not the machine's, and its path from the node's folder."""
    roots = [p for p in node.home.iterdir() if p.is_dir() and p.name not in _NOT_OURS]
    holder = node.holder()
    roots += [Path(f"/proc/{holder}/root") / "run"] if holder else []
    for root in roots:
        for folder, _, names in os.walk(root):  # it passes over what has gone meanwhile
            for path in (Path(folder) / name for name in names):
                with contextlib.suppress(FileNotFoundError):
                    if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 26:
                        yield path, str(path.relative_to(root.parent))


def is_open_to_others(path: Path, node: Node) -> bool:
    """Whether somebody without any right on the node can read a file: it and every folder above."""
    if not path.stat().st_mode & stat.S_IROTH:
        return False
    above = [p for p in path.parents if node.home in p.parents or "root" in p.parts[3:4]]
    return all(p.stat().st_mode & stat.S_IXOTH for p in above)


# --- who is named, and who comes ----------------------------------------------------------------


def answered(pool: Backbone, asks: str) -> list[str]:
    """Return whom the DNS on a member answers."""
    found = set(python(pool.lab.node(asks), DNS, "127.0.0.1", NAME))
    return [n.name for n in pool.lab.nodes if n.address in found]


@pytest.mark.capability(5)
def test_a_node_that_only_a_glob_means_waits_for_a_yes_and_is_taken_in_then(
    pool: Backbone,
) -> None:
    began, four = time.time(), [node.name for node in pool.nodes]
    declared = {**PILLAR["gluster"], "nodes": ["g[1-4]", "g*"]}
    pool.lab.write_pillar({"gluster": declared})
    assert failures(pool.apply()) == []
    pid = pool.lab.node("g5").ok(["systemctl", "show", "-P", "MainPID", "salt-minion"])
    wrong = failures(pool.apply("g5"))
    assert len(wrong) == 1 and "g5 gluster-pool" in wrong[0], wrong
    assert "salt-run gluster_remediation.approve g5" in " ".join(wrong[0].split())
    told = pool.wait("proposed", began, 120)
    assert (told["subject"], told["name"]) == ("node", "g5")
    proposed = pool.lab.salt_run("gluster_remediation.proposals")["proposals"]
    assert [(row["action"], row["id"]) for row in proposed] == [("accept node", "g5")]
    assert answered(pool, "g5") == answered(pool, "master") == four
    own = pool.lab.node("g5").ok(["cat", "/var/lib/salt-gluster/consul.json"])
    key = "http://127.0.0.1:8500/v1/kv/gluster/main/accepted/g5"
    words = ["curl", "-s", "-X", "PUT", "-d", "{}", "-H", f"X-Consul-Token: {token(own)}", key]
    assert "Permission denied" in pool.lab.node("g5").ok(words)

    assert pool.lab.salt_run("gluster_remediation.approve", "g5")["approved"] == "g5"
    pool.wait("accepted", began, 60)
    pool.until(lambda: pids_of(pool, "g5") not in ("0\n", pid), "the minion with its sensor", 180)
    pool.lab.wait()
    pool.nodes = pool.lab.nodes
    pool.until(lambda: failures(pool.apply()) == [], "five nodes that are as declared", 400)
    peers = pool.lab.salt_call("g1", "gluster_peer.list")
    assert "g5" in json.dumps(peers)
    assert pool.lab.salt_run("gluster_remediation.proposals")["proposals"] == []
    assert [e["name"] for e in pool.events("proposed", began)] == ["g5"]


def test_dns_answers_with_the_nodes_whose_glusterd_can_be_reached(pool: Backbone) -> None:
    everyone = [node.name for node in pool.lab.nodes]
    pool.until(lambda: answered(pool, "g2") == everyone, "five names", 60)
    pool.lab.fault("glusterd-kill", "g5")
    pool.until(lambda: answered(pool, "g2") == everyone[:4], "g5 to be no answer any more", 90)
    pool.lab.heal("glusterd-kill", "g5")
    pool.until(lambda: answered(pool, "g2") == everyone, "g5 to be an answer again", 90)
    assert python(pool.lab.node("g2"), DNS, "127.0.0.1", "web.service.consul") == []


#: What a machine's resolver does with the domain consul; programs ask it at port 53 only.
RESOLVER = """
import socket
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
here.bind(("127.0.0.1", 53))
while True:
    asked, who = here.recvfrom(4096)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.sendto(asked, ("127.0.0.1", 8600))
        here.sendto(agent.recv(4096), who)
"""


def test_a_mount_by_that_name_says_first_where_it_is_not_known_and_serves_where_it_is(
    pool: Backbone,
) -> None:
    node, at = pool.lab.node("g4"), "/srv/by-name"

    def mounted() -> dict[str, Any]:
        asked = {"name": at, "volume": "data", "servers": "consul"}
        told = pool.lab.salt("g4", "state.single", "gluster_volume.mounted", **asked)["g4"]
        return dict(next(iter(told.values())))

    before = node.ok(["cat", "/etc/fstab"])
    refused = mounted()
    assert (refused["result"], refused["changes"]) == (False, {})
    assert f"{NAME} resolves to nobody" in " ".join(refused["comment"].split())
    assert node.ok(["cat", "/etc/fstab"]) == before
    node.ok(["sh", "-c", "echo nameserver 127.0.0.1 > /etc/resolv.conf"])
    resolver = node.popen(["python3", "-c", RESOLVER])
    try:
        pool.until(lambda: node.run(["getent", "hosts", NAME]).returncode == 0, NAME, 30)
        done = mounted()
        assert done["result"] is True, done
        assert f"{NAME}:/data {at} glusterfs" in " ".join(node.ok(["cat", "/etc/fstab"]).split())
        node.ok(["sh", "-c", f"echo by name > {at}/told && sync {at}/told"])
        assert pool.lab.node("g5").ok(["cat", "/srv/data/told"]) == "by name\n"
        assert (mounted()["result"], mounted()["changes"]) == (True, {})
    finally:
        resolver.kill()
        resolver.wait()
    pool.until(lambda: node.run(["umount", at]).returncode == 0, "the end of the mount", 30)
    node.ok(["tee", "/etc/fstab"], input=before)


def token(kept: str) -> str:
    """Return the token in a node's own file."""
    return str(json.loads(kept)["token"])


def pids_of(pool: Backbone, name: str) -> str:
    return pool.lab.node(name).ok(["systemctl", "show", "-P", "MainPID", "salt-minion"])


# --- at last -------------------------------------------------------------------------------------


def test_a_consul_that_was_wiped_is_not_taken_for_a_new_one(pool: Backbone) -> None:
    """All servers lose everything at once: no rights, no keys, no canary. A person decides."""
    pool.until(pool.is_open, "calm", 200)
    began = time.time()
    for name in SERVERS:
        pool.lab.fault("consul-kill", name)
        wipe(pool.lab.node(name))
    pool.wait("view_lost", began, 90)
    pool.apply()  # which starts the agents; who was there before them only warns
    wrong: list[str] = []

    def all_say_so() -> bool:
        """A node whose agent does not answer yet only warns, as each does in the run before."""
        wrong[:] = failures(pool.apply())
        told = [" ".join(text.split()) for text in wrong if " gluster-in-consul: " in text]
        return len(told) == len(pool.nodes) and all("canary is gone" in text for text in told)

    pool.until(all_say_so, "every node to say that the canary is gone", 200)
    assert [text for text in wrong if "gluster-pool" in text] == []  # the pool itself goes on
    assert pool.events("view_restored", began) == []
    for node in pool.lab.nodes:
        node.ok(["rm", "/var/lib/salt-gluster/canary-main"])
    assert failures(pool.apply()) == []
    pool.wait("view_restored", began, 200)


def test_what_was_set_up_is_taken_back_and_no_secret_is_shown(pool: Backbone) -> None:
    secrets = {name: text.decode() for name, text in secrets_of(pool).items()}
    told = pool.lab.salt_run("gluster.setup", remove=True)
    assert "error" not in told, told
    said = json.dumps(told)
    assert [name for name, text in secrets.items() if text in said] == []
    master = pool.lab.master
    assert master.run(["ls", "/etc/salt/master.d/salt-gluster.conf"]).returncode != 0
    assert master.run(["ls", "/etc/consul.d/gluster.json"]).returncode != 0
    assert master.run(["systemctl", "is-active", "consul"]).stdout.strip() != "active"
    for node in pool.nodes:
        hooks = json.loads(node.ok(["cat", HOOKS]))
        assert hooks == (OTHERS_HOOK if node.name == "g1" else {})
    assert VAULT in told["comment"] and "did not say" not in told["comment"]
    assert "secrets.json" in master.ok(["ls", VAULT])  # the pool's Consul runs on
