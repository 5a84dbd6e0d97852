"""``salt-run gluster.setup`` and a Consul of the pool's own, or one that is there already."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from a_master import (
    POOL,
    Agent,
    Master,
    secrets_of,
)

from salt_gluster.consul import agent, agent_removal
from salt_gluster.master import jobs
from salt_gluster.master.deploy import deployment, rights


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
