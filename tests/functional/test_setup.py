"""``salt-run gluster.setup`` against the way in which Salt reads a master's configuration."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import salt.client
import salt.config
import salt.loader

import salt_gluster
from salt_gluster import node
from salt_gluster.consul import agent, agent_removal, pool
from salt_gluster.consul.admission_proof import proof
from salt_gluster.master import jobs
from salt_gluster.master.deploy import deployment, rights, secret_store
from salt_gluster.master.rate_limit import RateLimit
from salt_gluster.remediation.salt_events import admission, request

FORMULA = str(Path(salt_gluster.__file__).parent / "formula")
ADMIT = f"{FORMULA}/reactor/admit.sls"
DEFAULT_ROOTS = salt.config.DEFAULT_MASTER_OPTS["file_roots"]["base"]


class Master:
    """A master's configuration directory, and what Salt makes of it."""

    def __init__(self, folder: Path) -> None:
        self.conf = folder / "master"
        self.conf.write_text(f"root_dir: {folder}\n")
        self.drop_ins = folder / "master.d"
        self.file = self.drop_ins / "salt-gluster.conf"
        self.vault = secret_store.place(self.conf, "main")

    def says(self, text: str, name: str = "") -> None:
        """Add to the master's own file, or write one of master.d."""
        self.drop_ins.mkdir(exist_ok=True)
        file = self.drop_ins / name if name else self.conf
        with file.open("a") as out:
            out.write(text + "\n")

    def has_minions(self, *names: str, pillar: dict[str, Any]) -> None:
        """Accept keys, and let all of them have this pillar."""
        roots, keys = self.conf.parent / "pillar", Path(self.opts()["pki_dir"]) / "minions"
        for folder in (roots, keys):
            folder.mkdir(parents=True, exist_ok=True)
        if not self.conf.read_text().count("pillar_roots"):
            self.says(f"pillar_roots: {{base: [{roots}]}}")
        (roots / "top.sls").write_text("base: {'*': [all]}")
        (roots / "all.sls").write_text("#!json\n" + json.dumps(pillar))
        for name in names:
            (keys / name).write_text("key")

    def opts(self) -> dict[str, Any]:
        """Read as the master does when it starts."""
        return dict(salt.config.master_config(str(self.conf)))

    def setup(self, **arguments: Any) -> dict[str, Any]:
        """Run it as salt-run does: with the configuration as it is now, read afresh."""
        runners = salt.loader.runner(self.opts())
        return dict(runners["gluster.setup"](**arguments))


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


def engines(opts: dict[str, Any]) -> list[str]:
    """The names, in order, as Salt would start them."""
    return [e if isinstance(e, str) else next(iter(e)) for e in opts["engines"]]


def reacts(opts: dict[str, Any], tag: str) -> list[str]:
    """The SLS files that Salt's reactor finds for a tag."""
    from salt.utils.reactor import Reactor

    reactor = Reactor(copy.deepcopy(opts))
    try:
        return list(reactor.list_reactors(tag))
    finally:
        reactor.minion.destroy()


def test_a_plain_master_gets_engine_reactor_and_formula(master: Master) -> None:
    told = master.setup()
    assert told["then"] == "systemctl restart salt-master"
    assert list(told["changes"]) == [str(master.file)]
    opts = master.opts()
    assert engines(opts) == ["reactor", "gluster_consul", "gluster_events"]
    assert opts["file_roots"]["base"] == [*DEFAULT_ROOTS, FORMULA]
    assert opts["ext_pillar"] == [{"gluster_consul": {}}]
    assert reacts(opts, request("prod", "p-1", "g1", 1.0)["tag"]) == []
    assert reacts(opts, admission("prod", "g1", "u", 1.0)["tag"]) == [ADMIT]
    assert reacts(opts, "salt/gluster/prod/remediation/p-1/done") == []


def test_the_second_run_changes_nothing(master: Master) -> None:
    master.says("engines: [{http_logstash: {url: 'http://h'}}]\nreactor: [{'a/*': [/a.sls]}]")
    master.says("file_roots: {base: [/one], dev: [/two]}")
    master.setup()
    first = master.file.read_text()
    told = master.setup()
    assert (told["changes"], told["then"]) == ({}, "")
    assert master.file.read_text() == first


OWN = """
engines: [{http_logstash: {url: 'http://h'}}]
reactor: [{'salt/minion/*/start': [/a.sls]}, {'salt/gluster/*': [/mine.sls]}]
file_roots: {base: [/one], dev: [/two, /three]}
ext_pillar: [{cmd_json: 'echo {}'}]
"""


@pytest.mark.parametrize("name", ["", "a.conf", "zz.conf"])
def test_what_the_master_has_stays_once_wherever_it_stands(master: Master, name: str) -> None:
    master.says(OWN, name)
    before = master.opts()
    master.setup()
    opts = master.opts()
    assert sorted(engines(opts)) == ["gluster_consul", "gluster_events", "http_logstash", "reactor"]
    assert [e for e in opts["engines"] if "http_logstash" in e] == before["engines"]
    assert len(opts["reactor"]) == 3
    assert sorted(next(iter(e)) for e in opts["ext_pillar"]) == ["cmd_json", "gluster_consul"]
    assert [r for r in opts["reactor"] if r in before["reactor"]] == before["reactor"]
    assert sorted(opts["file_roots"]["base"]) == sorted(["/one", FORMULA])
    assert opts["file_roots"]["dev"] == ["/two", "/three"]
    tag = admission("prod", "g1", "u", 1.0)["tag"]
    assert sorted(reacts(opts, tag)) == sorted(["/mine.sls", ADMIT])


def test_what_the_own_file_gains_later_is_taken_up(master: Master) -> None:
    """The lists that Salt sees come from our file then: they must not hide the own file's."""
    master.setup()
    master.says("engines: [{http_logstash: {url: 'http://h'}}]")
    assert "http_logstash" not in engines(master.opts())
    assert list(master.setup()["changes"]) == [str(master.file)]
    added = ["reactor", "gluster_consul", "gluster_events"]
    assert engines(master.opts()) == ["http_logstash", *added]


def test_what_another_file_loses_later_is_gone(master: Master) -> None:
    master.says("engines: [{http_logstash: {url: 'http://h'}}]", "other.conf")
    master.setup()
    (master.drop_ins / "other.conf").unlink()
    assert engines(master.opts()) == ["reactor", "gluster_consul", "gluster_events"]


def test_an_engine_that_somebody_has_configured_is_not_written_twice(master: Master) -> None:
    theirs = ["reactor", {"gluster_consul": {"address": "http://10.0.0.1:8500"}},
              {"gluster_events": {"address": "10.0.0.1"}}]  # fmt: skip
    master.says(f"engines: {json.dumps(theirs)}")
    master.setup()
    assert master.opts()["engines"] == theirs


def test_test_mode_says_what_would_be_written_and_writes_nothing(master: Master) -> None:
    master.says(OWN)
    shown = master.setup(test=True)["changes"]
    assert shown == {
        str(master.file): {
            "old": "absent",
            "new": "written: engines: http_logstash, reactor, gluster_consul, gluster_events;"
            " reactor: salt/minion/*/start, salt/gluster/*, salt/gluster/*/node/*/admit;"
            " file_roots: base, dev; ext_pillar: cmd_json, gluster_consul",
        }
    }
    assert not master.file.exists()
    assert master.setup()["changes"] == shown


def test_what_the_site_keeps_secret_is_for_the_master_alone_and_on_no_screen(
    master: Master, caplog: pytest.LogCaptureFixture
) -> None:
    """Salt's merge of lists makes us repeat what stands in the master's own file."""
    planted = [f"planted-{kind}" for kind in ("engine", "reactor", "pillar", "root")]
    master.says(
        f"engines: [{{http_logstash: {{url: 'http://u:{planted[0]}@h'}}}}]\n"
        f"reactor: [{{'a/*': ['salt://x.sls?saltenv={planted[1]}']}}]\n"
        f"ext_pillar: [{{mysql: {{pass: {planted[2]}}}}}]\n"
        f"file_roots: {{base: [/srv/{planted[3]}]}}"
    )
    shown: list[Any] = []
    with caplog.at_level("DEBUG", "salt_gluster"):
        shown += [master.setup(test=True), master.setup()]
        text = master.file.read_text()
        assert [word for word in planted if word not in text] == [], "its own still works"
        assert master.file.stat().st_mode & 0o7777 == 0o600
        master.file.chmod(0o644)
        shown.append(master.setup())
        assert shown[-1]["changes"][str(master.file)]["old"] == "mode 0644"
        assert master.file.stat().st_mode & 0o7777 == 0o600
        master.says("gluster_events: {port: 1}")
        shown += [master.setup(remove=True, test=True), master.setup(remove=True)]
    assert [s["changes"].keys() for s in shown] == [{str(master.file)}] * 5
    said = json.dumps(shown) + "".join(r.getMessage() for r in caplog.records)
    assert [word for word in planted if word in said] == []


def test_a_declaration_that_is_no_yaml_is_not_quoted(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PoolClient", lambda settings: contextlib.nullcontext())
    file = master.conf.parent / "pool.yml"
    file.write_text("gluster:\n  password: planted\n  nodes: [planted\n x: planted: {\n")
    said = salt.loader.runner(master.opts())["gluster.import"](str(file), reason="x")
    assert "pool.yml cannot be read as YAML, line" in str(said)
    assert "planted" not in str(said)


def test_remove_takes_only_our_file_away(master: Master) -> None:
    master.says(OWN)
    before = master.opts()
    master.setup()
    assert master.setup(remove=True, test=True)["changes"] and master.file.exists()
    assert master.setup(remove=True)["then"]
    assert not master.file.exists()
    after = master.opts()
    keys = ("engines", "reactor", "file_roots", "ext_pillar")
    assert {k: after[k] for k in keys} == {k: before[k] for k in keys}
    assert master.setup(remove=True)["changes"] == {}


def test_a_file_of_somebody_else_is_left_alone(master: Master) -> None:
    master.says("engines: []", "salt-gluster.conf")
    for arguments in ({}, {"remove": True}):
        told = master.setup(**arguments)
        assert told["retcode"] == 1 and "was not written by this command" in told["error"]
    assert master.file.read_text() == "engines: []\n"


@pytest.mark.parametrize(
    ("text", "name", "word"),
    [("engines: {x: {}}", "a.conf", "engines"), ("reactor: /etc/salt/reactor.conf", "", "reactor")],
)
def test_what_cannot_be_added_to_is_an_error_that_says_so(
    master: Master, text: str, name: str, word: str
) -> None:
    master.says(text, name)
    told = master.setup()
    assert f"{word} in" in told["error"] and "as a list" in told["error"]
    assert not master.file.exists()


def test_a_file_that_overrides_ours_is_told(master: Master) -> None:
    """What the own file includes is read after master.d and replaces its lists."""
    (master.conf.parent / "more").write_text("engines: [thorium]\n")
    master.says("include: more")
    said = master.setup()
    assert "engines" in said["error"] and "no effect" in said["error"]
    assert "reactor" not in said["error"].split("will have")[0].split("its")[1]


# --- a Consul of the pool's own ------------------------------------------------------------------

POOL = {"gluster": {"nodes": "g[1-4]", "addresses": {"g2": "192.0.2.2"}}}


class Agent:
    """Stands for the agent of the test's own machine, which must not get one."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, Any], str, str, bool]] = []
        self.error: Exception | None = None
        #: The nodes on which its file is; no master runs here that could ask them.
        self.on: set[str] = set()
        #: By how many seconds the nodes' clocks are behind this one.
        self.behind_s = 0.0

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(
        self, client: object, target: list[str], function: str, arguments: Any, *, silence_s: float
    ) -> dict[str, Any]:
        if function == "status.time":
            return {name: f"{time.time() - self.behind_s:.0f}" for name in target}
        assert (function, *arguments) == ("file.file_exists", "/etc/consul.d/gluster.json")
        return {name: name in self.on for name in target}

    def ensure(
        self, told: Any, call: Any, *, name: str, address: str = "", test: bool = False
    ) -> dict[str, Any]:
        if self.error:
            raise self.error
        assert call("test.echo", "x") == "x"
        first = not self.told
        self.told.append((told, name, address, test))
        return {"/etc/consul.d/gluster.json": {"old": "absent", "new": "written"}} if first else {}


@pytest.fixture
def own_agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    made = Agent()
    monkeypatch.setattr(agent, "ensure", made.ensure)
    monkeypatch.setattr(agent, "answers", lambda where: False)
    monkeypatch.setattr(
        node, "reaches_from", lambda host, port: "192.0.2.1" if host == "192.0.2.2" else ""
    )
    for name in [n for n in os.environ if n.startswith("CONSUL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(salt.client, "get_local_client", lambda mopts: made)
    monkeypatch.setattr(jobs, "ask", made.ask)
    return made


def secrets_of(master: Master) -> list[str]:
    """Every text that must never be shown."""
    shared, found = master.vault.secrets(), []
    for one in [*master.vault.nodes(), *master.vault.masters()]:
        found += [one.agent, one.node, one.key]
    found += [shared.encrypt, shared.management, shared.engine, shared.reader, shared.webhook]
    found += ["PRIVATE KEY"]
    return [text for text in found if text]


def test_a_pool_gets_secrets_servers_and_an_agent_beside_the_master(
    master: Master, own_agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    master.has_minions("a-web", "g2", "g1", pillar=POOL)
    with caplog.at_level("DEBUG"):
        said = master.setup()
    assert set(said) == {"changes", "test", "then"} and said["then"]
    assert set(said["changes"]) == {
        str(master.file), str(master.vault.folder), "servers", "events",
        "/etc/consul.d/gluster.json",
    }  # fmt: skip
    there = {"old": None, "new": "http://192.0.2.1:24017/gluster"}
    assert said["changes"]["events"] == there
    assert said["changes"]["servers"] == {"old": [], "new": ["g1", "g2", "g3"]}
    ((told, name, _, test),) = own_agent.told
    assert (name, test) == (master.opts()["id"], False)
    assert told["servers"] == {"g1": "g1", "g2": "192.0.2.2", "g3": "g3"}
    assert (told["is_server"], set(told["tokens"])) == (False, {"agent"})
    shown = json.dumps(said) + caplog.text
    assert [text for text in secrets_of(master) if text in shown] == []


def test_once_made_nothing_changes_any_more(master: Master, own_agent: Agent) -> None:
    master.has_minions("g1", pillar=POOL)
    master.setup()
    before = {f: f.read_bytes() for f in master.vault.folder.rglob("*") if f.is_file()}
    again = master.setup()
    assert (again["changes"], again["then"]) == ({}, "")
    after = {f: f.read_bytes() for f in master.vault.folder.rglob("*") if f.is_file()}
    assert set(after) - set(before) <= {master.vault.folder / "nodes/g1.json"}  # its pillar by now
    assert {f: after[f] for f in before} == before


def test_a_server_that_left_the_pool_is_exchanged_one_a_run(
    master: Master, own_agent: Agent
) -> None:
    master.has_minions("g3", pillar=POOL)
    master.setup()
    master.has_minions(pillar={"gluster": {"nodes": "g[3-6]"}})
    shown = master.setup(test=True)["changes"]["servers"]
    steps = [master.setup()["changes"].get("servers") for _ in range(3)]
    assert shown == steps[0] == {"old": ["g1", "g2", "g3"], "new": ["g2", "g3", "g4"]}
    assert steps[1:] == [{"old": ["g2", "g3", "g4"], "new": ["g3", "g4", "g5"]}, None]


def test_with_a_consul_that_runs_but_is_away_servers_and_rights_stay(
    master: Master, own_agent: Agent
) -> None:
    master.has_minions("g3", pillar=POOL)
    master.setup()
    master.vault.node("g1")
    with master.vault.locked():
        master.vault.admit("g1", "00000001-0000-4000-8000-000000000000")
    master.has_minions(pillar={"gluster": {"nodes": "g[3-6]"}})
    said = master.setup()
    assert "servers" not in said["changes"] and "stay as they are" in said["comment"]
    assert master.vault.servers() == ("g1", "g2", "g3") and master.vault.known("g1")


def test_who_left_before_anything_ran_is_forgotten(master: Master, own_agent: Agent) -> None:
    master.has_minions("g3", pillar=POOL)
    master.setup()
    for name in ("g3", "g4"):
        master.vault.node(name)
    master.has_minions(pillar={"gluster": {"nodes": "g[1-3]"}})
    assert "access of g4" in master.setup(test=True)["changes"]
    assert master.vault.known("g4")
    told = master.setup()
    assert ("access of g4" in told["changes"], told["then"]) == (True, "")
    assert [one.name for one in master.vault.nodes()] == ["g3"]


@pytest.mark.parametrize("arguments", [{}, {"test": True}])
def test_a_second_master_never_makes_a_second_set_of_secrets(
    master: Master, own_agent: Agent, arguments: dict[str, bool]
) -> None:
    master.has_minions("g3", pillar=POOL)
    own_agent.on = {"g2"}
    said = master.setup(**arguments)
    assert said["retcode"] == 1 and f"not here ({master.vault.folder})" in said["error"]
    assert not master.vault.folder.parent.exists() and own_agent.told == []
    if not arguments:
        master.vault.make()  # as a copy of the first one's
        assert "error" not in master.setup()


@pytest.mark.parametrize("arguments", [{}, {"test": True}])
def test_a_master_whose_clock_is_ahead_makes_no_authority(
    master: Master, own_agent: Agent, arguments: dict[str, bool]
) -> None:
    """It would not count yet, no agent would speak to another, and nobody would say why."""
    master.has_minions("g3", pillar=POOL)
    own_agent.behind_s = 2 * 86400
    said = master.setup(**arguments)
    assert said["retcode"] == 1 and "clock is 48.0 h ahead of" in said["error"]
    assert not master.vault.folder.parent.exists() and own_agent.told == []
    own_agent.behind_s = 120.0
    words = json.dumps(master.setup(**arguments))
    assert "The clocks differ from this master's: g1 by -1" in words


def test_test_mode_makes_no_secret_and_no_agent(master: Master, own_agent: Agent) -> None:
    master.has_minions("g1", pillar=POOL)
    said = master.setup(test=True)["changes"]
    assert said["servers"] == {"old": [], "new": ["g1", "g2", "g3"]}
    assert {str(master.vault.folder), "consul", "events"} < set(said)
    assert not master.vault.folder.parent.exists() and own_agent.told == []


def test_where_gluster_s_events_are_taken_is_found_or_said(
    master: Master, own_agent: Agent
) -> None:
    from salt_gluster.master.deploy import credentials

    master.has_minions("g1", pillar=POOL)
    assert credentials.events_access(str(master.conf)) == {}
    master.setup()
    token = master.vault.secrets().webhook
    assert credentials.events_access(str(master.conf)) == {
        "address": "192.0.2.1", "port": 24017, "token": token, "cluster": "main",
    }  # fmt: skip
    master.says("gluster_events: {address: 198.51.100.7, port: 9000}")
    assert master.setup()["changes"] == {
        "events": {
            "old": "http://192.0.2.1:24017/gluster", "new": "http://198.51.100.7:9000/gluster"
        }
    }  # fmt: skip
    assert master.setup()["changes"] == {}


def test_a_master_that_is_a_node_gets_the_agent_of_that_node(
    master: Master, own_agent: Agent
) -> None:
    master.has_minions("g2", pillar=POOL)
    (master.conf.parent / "minion").write_text(f"id: g2\nroot_dir: {master.conf.parent}\n")
    master.setup()
    ((told, name, address, _),) = own_agent.told
    assert (name, address, told["is_server"]) == ("g2", "192.0.2.2", True)
    mine = master.vault.known("g2")
    assert mine is not None and told["tokens"]["agent"] == mine.agent


# --- from where a pillar comes -------------------------------------------------------------------


class Environments:
    """Two pillar environments, and minions that name theirs, or do not answer."""

    def __init__(self, master: Master, own_agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
        self.named: dict[str, Any] = {}
        self.asked: list[tuple[str, ...]] = []
        self._own_agent, self._master = own_agent, master
        self.roots: dict[str, Path] = {}
        keys = Path(master.opts()["pki_dir"]) / "minions"
        keys.mkdir(parents=True)
        for name in ("base", "dev"):
            self.roots[name] = master.conf.parent / name
            self.roots[name].mkdir()
        for minion in ("g1", "g2"):
            (keys / minion).write_text("key")
        roots = {name: [str(folder)] for name, folder in self.roots.items()}
        master.says(f"pillar_roots: {json.dumps(roots)}")
        monkeypatch.setattr(jobs, "ask", self.ask)

    def has(self, environment: str, pillar: dict[str, Any]) -> None:
        folder = self.roots[environment]
        (folder / "top.sls").write_text(f"{environment}: {{'*': [all]}}")
        (folder / "all.sls").write_text("#!json\n" + json.dumps(pillar))

    def ask(
        self, client: object, target: list[str], function: str, arguments: Any, *,
        silence_s: float, **how: Any,
    ) -> dict[str, Any]:  # fmt: skip
        if function == "gluster_consul.identity":
            return {name: self.proven(name, *arguments) for name in target}
        if function == "config.get":
            self.asked.append(tuple(target))
            assert arguments == ("pillarenv",)
            return {name: self.named[name] for name in target if name in self.named}
        return dict(self._own_agent.ask(client, target, function, arguments, silence_s=silence_s))

    def proven(self, minion: str, nonce: str) -> dict[str, str]:
        """Say the uuid as a minion does that has the token of its pillar."""
        (kept,) = secret_store.all_of(self._master.opts()["conf_file"])
        mine = kept.known(minion)
        return {"uuid": UUID, "proof": proof(mine.node if mine else "", minion, UUID, nonce)}

    def admit(self, minion: str) -> dict[str, Any]:
        """Ask for an admission as if the last one were long ago."""
        shutil.rmtree(Path(self._master.opts()["cachedir"]) / "gluster", ignore_errors=True)
        runners = salt.loader.runner(self._master.opts())
        return dict(runners["gluster_consul.admit"](minion, UUID))


UUID = "00000001-0000-4000-8000-000000000000"


@pytest.fixture
def environments(master: Master, own_agent: Agent, monkeypatch: pytest.MonkeyPatch) -> Environments:
    return Environments(master, own_agent, monkeypatch)


def test_the_pool_is_that_of_the_minions_own_environment(
    master: Master, environments: Environments
) -> None:
    environments.has("base", {"gluster": {"nodes": "web[1-2]"}})
    environments.has("dev", POOL)
    environments.named = {"g1": "dev", "g2": "dev"}
    for _ in range(3):
        said = master.setup(test=True)
        assert said["changes"]["servers"]["new"] == ["g1", "g2", "g3"], said
    assert set(environments.asked) == {("g1", "g2")}
    master.setup()
    assert "own Consul agent does not answer" in environments.admit("g1")["error"]
    assert environments.asked[-1] == ("g1",), "of one request only who asks is asked"
    environments.named["g1"] = "base"
    assert "is no node of a pool" in environments.admit("g1")["error"]


def test_requests_in_the_name_of_every_minion_are_bounded_together(
    master: Master, environments: Environments
) -> None:
    """Any minion can fire them under any name; each costs a pillar, and a question to a minion."""
    environments.has("dev", POOL)
    environments.named = {"g1": "dev", "g2": "dev"}
    master.setup()
    runners, asked = salt.loader.runner(master.opts()), len(environments.asked)
    folder = Path(master.opts()["cachedir"]) / "gluster" / "admit"
    with contextlib.ExitStack() as under_way:
        assert all(under_way.enter_context(RateLimit(folder).slot(4)) for _ in range(4))
        for minion in ("g1", "g2"):
            assert "other minions" in runners["gluster_consul.admit"](minion)["error"]
        assert len(environments.asked) == asked, "nothing is compiled, nobody asked"
    assert "own Consul agent" in runners["gluster_consul.admit"]("g1")["error"]


@pytest.mark.parametrize("named", [{}, {"g1": None, "g2": None}, {"g1": "x", "g2": "x"}])
def test_where_the_environment_is_not_known_that_is_said_and_nothing_is_taken_away(
    master: Master, environments: Environments, named: dict[str, Any]
) -> None:
    environments.has("base", {"gluster": {"nodes": "g[1-2]"}})
    environments.has("dev", POOL)
    environments.named = {"g1": "dev", "g2": "dev"}
    master.setup()
    master.vault.node("g4")
    before = {f: f.read_bytes() for f in master.vault.folder.rglob("*") if f.is_file()}
    environments.named = named
    said = master.setup()
    assert said["changes"] == {} and "nothing was taken away" in said["comment"]
    assert "g1: " in said["comment"] and "env" in said["comment"]
    assert "is not known" in environments.admit("g1")["error"]
    after = {f: f.read_bytes() for f in master.vault.folder.rglob("*") if f.is_file()}
    assert {f: after[f] for f in before} == before  # a pillar that was compiled may add a node's


def test_a_pillar_with_an_error_is_not_known_rather_than_empty(
    master: Master, own_agent: Agent
) -> None:
    master.has_minions("g1", pillar=POOL)
    master.setup()
    (master.conf.parent / "pillar" / "all.sls").write_text("planted: {{ 1 / 0 }}")
    said = master.setup()
    assert said["changes"] == {} and "g1: its pillar has errors" in said["comment"]
    assert "planted" not in json.dumps(said)


def test_external_pillars_before_files_are_refused_by_every_runner_that_reads_a_pillar(
    master: Master, environments: Environments
) -> None:
    """Salt asks us before it has read who is a node: nobody would get an access, without a word."""
    import salt.pillar

    environments.has("dev", POOL)
    environments.named = {"g1": "dev", "g2": "dev"}
    master.setup()
    opts = master.opts()
    assert "gluster_consul" in salt.pillar.Pillar(opts, {}, "g1", "base").compile_pillar()
    master.says("ext_pillar_first: True")
    before = master.file.read_text()
    runners = salt.loader.runner(master.opts())
    refused = [
        master.setup(), master.setup(test=True), runners["gluster_consul.prepare"](),
        environments.admit("g1"),
    ]  # fmt: skip
    for said in refused:
        assert (said["retcode"], "ext_pillar_first" in said["error"]) == (1, True), said
        assert "Take it out of the master's configuration" in said["error"]
    assert master.file.read_text() == before
    for minion, errors in (("g1", 1), ("web", 0)):
        made = salt.pillar.Pillar(master.opts(), {}, minion, "base").compile_pillar()
        assert len(made.get("_errors", [])) == errors, minion
    assert "error" not in master.setup(remove=True, test=True)


# --- a master that is not root -------------------------------------------------------------------


class AsSalt:
    """A master whose user is not root: what its minion is asked, and what that answers."""

    def __init__(self, own_agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {}
        self.closed: set[str] = set()
        self.own_agent = own_agent
        monkeypatch.setattr(rights, "is_root", lambda: False)
        monkeypatch.setattr(jobs, "ask", self.ask)
        access = os.access
        monkeypatch.setattr(
            os, "access", lambda path, how: str(path) not in self.closed and access(path, how)
        )

    def ask(
        self, client: object, target: list[str], function: str, arguments: Any, *, silence_s: float
    ) -> dict[str, Any]:
        if function.startswith("gluster_consul."):
            self.asked.append((tuple(target), function, *arguments))
            return {name: self.answers[function] for name in target if function in self.answers}
        return {}


@pytest.fixture
def as_salt(own_agent: Agent, monkeypatch: pytest.MonkeyPatch) -> AsSalt:
    return AsSalt(own_agent, monkeypatch)


@pytest.mark.parametrize("arguments", [{"test": True}, {}, {"remove": True}, {"restart": True}])
def test_what_a_master_may_not_write_is_told_before_anything_is_written(
    master: Master, as_salt: AsSalt, arguments: dict[str, bool]
) -> None:
    master.has_minions("g1", pillar=POOL)
    folder = master.conf.parent
    as_salt.closed = {
        str(folder)
    }  # as the packages have it: master.d is the user's, its folder not
    before = sorted(folder.rglob("*"))
    said = master.setup(**arguments)
    assert said["retcode"] == 1 and "runs as the user" in said["error"]
    assert f"-m 0750 {folder}/gluster; then run this again" in said["error"]
    assert sorted(f for f in folder.rglob("*") if "cache" not in f.parts) == before
    (folder / "gluster" / "main").mkdir(parents=True)
    as_salt.closed = {str(folder / "gluster" / "main")}  # made when the master still was root
    assert "chown -R" in master.setup(**arguments)["error"]


def test_root_s_part_is_done_by_the_minion_of_the_machine_and_no_secret_is_in_its_job(
    master: Master, as_salt: AsSalt
) -> None:
    master.has_minions("g1", pillar=POOL)
    (master.conf.parent / "minion").write_text(f"id: m\nroot_dir: {master.conf.parent}\n")
    would = master.setup(test=True)
    assert (as_salt.asked, "comment" in would) == ([], False)
    as_salt.answers["gluster_consul.master_agent"] = {"changes": {"consul": {"new": "x"}}}
    told = master.setup(restart=True)
    assert told["changes"]["consul"] == {"new": "x"} and "comment" not in told
    assert told["then"] == "systemctl restart salt-master", "no restart is claimed"
    asked = (("m",), "gluster_consul.master_agent", str(master.conf), False)
    assert as_salt.asked == [asked]
    assert as_salt.own_agent.told == []
    assert (master.vault.folder / "agent.json").stat().st_mode & 0o777 == 0o600
    deployment.bring_about_agent(str(master.conf), lambda *words: words[-1], test=False)
    ((credentials, name, _, test),) = as_salt.own_agent.told
    assert (name, test, set(credentials["tokens"])) == (master.opts()["id"], False, {"agent"})
    as_salt.answers["gluster_consul.leave"] = {"changes": {"consul": {"new": "left"}}}
    gone = master.setup(remove=True)
    assert gone["changes"]["consul"] == {"new": "left"}
    assert as_salt.asked[-1] == (("m",), "gluster_consul.leave", False)
    said = json.dumps([told, gone, as_salt.asked])
    assert [text for text in secrets_of(master) if text in said] == []


def test_root_s_part_is_one_command_where_no_minion_does_it(
    master: Master, as_salt: AsSalt
) -> None:
    master.has_minions("g1", pillar=POOL)
    command = f"salt-call --local gluster_consul.master_agent {master.conf}"
    assert command in master.setup(test=True)["comment"]
    told = master.setup()
    assert command in told["comment"] and "consul" not in told["changes"]
    assert master.vault.exists and master.file.exists(), "the rest is done"
    assert "salt-call --local gluster_consul.leave" in master.setup(remove=True)["comment"]


@pytest.mark.parametrize(
    "said",
    [
        "gluster_consul: {address: 'http://192.0.2.9:8500'}",
        "engines: [{gluster_consul: {address: 'http://192.0.2.9:8500'}}]",
    ],
)
def test_an_existing_consul_that_is_configured_is_used(
    master: Master, own_agent: Agent, said: str
) -> None:
    master.has_minions("g1", pillar=POOL)
    master.says(said)
    told = master.setup()
    assert "http://192.0.2.9:8500" in told["comment"]
    assert list(told["changes"]) == [str(master.file)]
    assert not master.vault.folder.parent.exists() and own_agent.told == []


def test_an_existing_consul_that_answers_or_that_the_pillar_names_is_used(
    master: Master, own_agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {**POOL, "gluster_consul": {"address": "http://192.0.2.9:8500"}}
    master.has_minions("g1", pillar=named)
    assert "the pillar names http://192.0.2.9:8500" in master.setup()["comment"]
    monkeypatch.setattr(agent, "answers", lambda where: True)
    monkeypatch.setattr(agent, "is_ours", lambda: False)
    master.has_minions("g1", pillar=POOL)
    assert "one answers at" in master.setup()["comment"]
    assert not master.vault.folder.parent.exists() and own_agent.told == []


def test_without_a_pool_there_is_the_file_and_a_word(master: Master, own_agent: Agent) -> None:
    master.has_minions("web", pillar={"gluster": {"nodes": "g[1-4]"}})
    told = master.setup()
    assert list(told["changes"]) == [str(master.file)]
    assert "run this again" in told["comment"] and own_agent.told == []


def test_an_agent_that_cannot_be_is_an_error_and_the_rest_is_done(
    master: Master, own_agent: Agent
) -> None:
    from salt_gluster.errors import GlusterError

    own_agent.error = GlusterError("the package manager has no package consul.", hint="Install it.")
    master.has_minions("g1", pillar=POOL)
    told = master.setup()
    assert (told["retcode"], told["error"]) == (1, f"{own_agent.error}")
    assert master.file.exists() and master.vault.exists


class Removal:
    """Nodes that are asked to take a webhook out, and an agent on this machine."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.done: set[str] = set()
        self.agents: list[bool] = []

    def ask(
        self, client: object, target: list[str], *words: Any, silence_s: float
    ) -> dict[str, Any]:
        self.asked.append((tuple(target), *words))
        right = {"x": {"result": True, "changes": {}, "comment": ""}}
        return {n: right if n in self.done else ["Rendering failed"] for n in target[1:]}

    def remove(self, call: Any, *, test: bool = False) -> dict[str, Any]:
        self.agents.append(test)
        return {"consul": {"old": "running", "new": "left"}}


@pytest.fixture
def removal(own_agent: Agent, monkeypatch: pytest.MonkeyPatch) -> Removal:
    made = Removal()
    monkeypatch.setattr(jobs, "ask", own_agent.ask)
    monkeypatch.setattr(agent_removal, "remove", made.remove)
    return made


def test_remove_takes_agent_and_webhooks_away_and_leaves_the_secrets_and_says_so(
    master: Master, removal: Removal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from salt_gluster.master.deploy import credentials

    master.has_minions("g1", pillar=POOL)
    master.setup()
    monkeypatch.setattr(jobs, "ask", removal.ask)
    for name in ("g1", "g2", "g3"):
        master.vault.node(name)
    url, before = "http://192.0.2.1:24017/gluster", master.file.read_text()
    would = master.setup(remove=True, test=True)
    assert (removal.asked, removal.agents) == ([], [True])
    assert master.file.read_text() == before and master.vault.events()
    removal.done = {"g2"}
    told = master.setup(remove=True)
    assert told["changes"] == would["changes"] == {
        str(master.file): {"old": "written", "new": None},
        f"webhook {url}": {"old": "handed out to the nodes", "new": None},
        "consul": {"old": "running", "new": "left"},
    }  # fmt: skip
    absent = ("state.single", ("gluster_events.webhook_absent", url))
    assert removal.asked == [(("g1", "g2", "g3"), *absent)]
    left = f"salt -L g1,g3 state.single gluster_events.webhook_absent {url}"
    assert left in told["comment"] and f"{master.vault.folder} stays" in told["comment"]
    assert master.vault.exists and not master.file.exists()
    assert credentials.events_access(str(master.conf)) == {}, "and no pillar hands it out again"
    said = json.dumps([would, told])
    assert [text for text in secrets_of(master) if text in said] == []


def test_remove_leaves_the_agent_of_a_machine_that_is_a_node(
    master: Master, removal: Removal, monkeypatch: pytest.MonkeyPatch
) -> None:
    master.has_minions("g2", pillar=POOL)
    (master.conf.parent / "minion").write_text(f"id: g2\nroot_dir: {master.conf.parent}\n")
    master.setup()
    monkeypatch.setattr(jobs, "ask", removal.ask)
    told = master.setup(remove=True)
    assert removal.agents == [] and "that of the node g2" in told["comment"]


def test_the_engine_and_the_runners_use_what_was_made(master: Master, own_agent: Agent) -> None:
    from salt_gluster.master import approvals

    assert approvals.settings_of(master.opts()) == {}
    master.has_minions("g1", pillar=POOL)
    master.setup()
    token = master.vault.secrets().engine
    made = {"address": "http://127.0.0.1:8500", "token": token, "cluster": "main"}
    opts = master.opts()
    assert approvals.settings_of(opts) == made
    assert approvals.settings_of({**opts, "__role": "minion"}) == {}
    for said in ({"address": "http://192.0.2.9:8500"}, {"token": "theirs"}):
        assert approvals.settings_of({**opts, "gluster_consul": said}) == said


def test_the_line_in_the_file_gives_a_node_its_access(master: Master, own_agent: Agent) -> None:
    import salt.pillar

    master.has_minions("g1", pillar=POOL)
    master.setup()
    for minion, has in (("g1", True), ("g4", True), ("web", False)):
        made = salt.pillar.Pillar(master.opts(), {"id": minion}, minion, "base").compile_pillar()
        assert ("gluster_consul" in made) is has
