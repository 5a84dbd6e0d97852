"""The Consul agent's configuration, and who gets which access, without a Consul."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from salt_gluster.consul import agent
from salt_gluster.consul.settings import Access, access
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.master.deploy.ca import Authority
from salt_gluster.minion.automation import consul_agent, engine_config
from salt_gluster.minion.context import Minion

SECRET = "f0e1d2c3-secret"


def told(*, server: bool, expect: int = 3) -> dict[str, Any]:
    tokens = {"agent": f"agent-{SECRET}", "node": f"node-{SECRET}"}
    return {
        "cluster": "main",
        "datacenter": "gluster",
        "servers": {f"g{n}": f"g{n}-storage" for n in range(expect, 0, -1)},
        "is_server": server,
        "expect": expect,
        "encrypt": f"gossip-{SECRET}",
        "tokens": tokens,
        "tls": {"ca": "CA\n", "cert": "CERT\n", "key": f"KEY {SECRET}\n"},
    }


# --- the configuration ---------------------------------------------------------------------------


def test_a_server_waits_for_the_others_and_no_reboot_is_a_departure() -> None:
    made = agent.settings(told(server=True), name="g1", address="10.0.0.1")
    assert (made["server"], made["bootstrap_expect"]) == (True, 3)
    assert made["autopilot"] == {"min_quorum": 3}
    assert made["retry_join"] == ["g1-storage", "g2-storage", "g3-storage"]
    assert (made["leave_on_terminate"], made["skip_leave_on_interrupt"]) == (False, True)
    assert set(made["acl"]["tokens"]) == {"agent"}
    assert agent.own_token(made) == f"agent-{SECRET}"
    assert (
        agent.own_token({"acl": {"tokens": {"agent": "a", "master": "of before"}}}) == "of before"
    )


def test_a_client_has_no_management_and_votes_for_nothing() -> None:
    made = agent.settings(told(server=False), name="g9", address="10.0.0.9")
    assert not made["server"]
    assert {"bootstrap_expect", "autopilot"} & set(made) == set()
    assert set(made["acl"]["tokens"]) == {"agent"}


@pytest.mark.parametrize("server", [True, False])
def test_nobody_without_a_token_is_anybody_and_nothing_listens_outside_but_gossip_and_rpc(
    server: bool,
) -> None:
    made = agent.settings(told(server=server), name="g1", address="10.0.0.1")
    assert made["client_addr"] == "127.0.0.1"  # HTTP, UI and DNS
    assert made["acl"]["enabled"] and made["acl"]["default_policy"] == "deny"
    assert "default" not in made["acl"]["tokens"]  # it would be every anonymous caller's
    assert made["ports"] == {"serf_wan": -1, "https": -1, "grpc": -1}
    assert all(made[key] for key in ("verify_incoming", "verify_outgoing", "encrypt"))
    assert made["verify_server_hostname"]


def test_what_is_done_to_one_configuration_is_not_done_to_the_next() -> None:
    agent.settings(told(server=False), name="g1", address="10.0.0.1")["ports"]["dns"] = -1
    assert "dns" not in agent.settings(told(server=False), name="g1", address="10.0.0.1")["ports"]


def test_a_machine_keeps_its_id_whatever_becomes_of_its_disk() -> None:
    ids = {
        (name, cluster): agent.settings(
            told(server=True) | {"cluster": cluster}, name=name, address=address
        )["node_id"]
        for name in ("g1", "g2")
        for cluster in ("main", "prod")
        for address in ("10.0.0.1", "10.0.0.9")
    }
    assert len(set(ids.values())) == 4
    again = agent.settings(told(server=False), name="g1", address="10.0.0.5")
    assert again["node_id"] == ids["g1", "main"]


def test_a_pillar_that_lacks_something_is_named_without_its_secrets() -> None:
    broken = told(server=True)
    del broken["encrypt"]
    with pytest.raises(SpecError, match="encrypt") as caught:
        agent._files(broken, name="g1", address="10.0.0.1")
    assert SECRET not in str(caught.value)


# --- how it comes to a machine -------------------------------------------------------------------


class Machine:
    """Salt's functions as ``consul/agent.py`` calls them, on a machine that is a few booleans."""

    def __init__(self) -> None:
        self.runs = self.enabled = False
        self.did: list[str] = []

    def __call__(self, function: str, *args: object) -> Any:
        answers: dict[str, Callable[[], Any]] = {
            "service.available": lambda: True,
            "service.status": lambda: self.runs,
            "service.enabled": lambda: self.enabled,
        }
        if function in answers:
            return answers[function]()
        self.did.append(function)
        self.runs |= function in ("service.start", "service.restart")
        self.enabled |= function == "service.enable"
        return True


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """A machine with the program, whose files lie below a temporary directory."""
    here = Machine()
    program = tmp_path / "bin/consul"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.delenv("CONSUL_HTTP_ADDR", raising=False)
    monkeypatch.setattr(agent, "FOLDER", tmp_path / "consul.d")
    monkeypatch.setattr(agent, "FILE", tmp_path / "consul.d/gluster.json")
    monkeypatch.setattr(agent, "DATA", tmp_path / "data")
    monkeypatch.setattr(agent, "KEPT", str(tmp_path / "consul.json"))
    monkeypatch.setattr(agent, "answers", lambda where: here.runs)
    return here


def ensure(machine: Machine, what: dict[str, Any], *, test: bool = False) -> dict[str, Any]:
    return agent.ensure(what, machine, name="g1", address="10.0.0.1", test=test)


@pytest.mark.usefixtures("root")
def test_test_mode_says_what_the_run_does_and_the_second_run_does_nothing(
    machine: Machine,
) -> None:
    would = ensure(machine, told(server=True), test=True)
    assert (machine.did, agent.FILE.exists()) == ([], False)
    assert ensure(machine, told(server=True)) == would
    assert machine.did == ["service.enable", "service.start"]
    machine.did.clear()
    assert ensure(machine, told(server=True)) == {}
    assert machine.did == []
    for path in (agent.FILE, agent.pem("key"), agent.pem("cert"), agent.pem("ca")):
        assert path.stat().st_mode & 0o007 == 0, path
    assert agent.DATA.stat().st_mode & 0o007 == 0  # the snapshots in it hold every token
    assert SECRET not in json.dumps(would)


@pytest.mark.usefixtures("root")
def test_a_file_that_others_may_read_is_closed_again(machine: Machine) -> None:
    ensure(machine, told(server=False))
    agent.pem("key").chmod(0o644)
    agent.DATA.chmod(0o755)
    changes = ensure(machine, told(server=False))
    assert changes[str(agent.pem("key"))]["old"] == "mode 0644"
    assert changes[str(agent.DATA)]["old"] == "mode 0755"
    assert agent.pem("key").stat().st_mode & 0o007 == agent.DATA.stat().st_mode & 0o007 == 0


@pytest.mark.usefixtures("root")
def test_an_agent_that_runs_is_disturbed_only_as_much_as_needed(machine: Machine) -> None:
    def after(**change: Any) -> list[str]:
        machine.did.clear()
        ensure(machine, told(server=False) | change)
        return list(machine.did)

    ensure(machine, told(server=False))
    grown = {**told(server=False)["servers"], "g4": "g4-storage"}
    assert after(servers=grown) == []  # whom to join is read at the next start
    assert after(tls={"ca": "CA\n", "cert": "NEW\n", "key": "NEW\n"}) == ["service.reload"]
    ensure(machine, told(server=False))
    assert after(encrypt="other") == []  # its own keyring goes over it
    assert after(encrypt="other", datacenter="other") == ["service.restart"]


@pytest.mark.usefixtures("root")
def test_a_server_is_not_restarted_without_knowing_that_the_others_have_a_majority(
    machine: Machine,
) -> None:
    ensure(machine, told(server=True))
    machine.did.clear()
    before = agent.FILE.read_text()
    for _ in range(2):  # what was not done is not taken for done by the next run
        with pytest.raises(GlusterError, match="not restarted"):
            ensure(machine, told(server=True) | {"datacenter": "other"})
    with pytest.raises(GlusterError, match="could not leave"):  # also to become a client
        ensure(machine, told(server=False))
    assert (machine.did, agent.FILE.read_text()) == ([], before)
    agent.FILE.write_text("{")  # nor one whose file says nothing any more
    with pytest.raises(GlusterError, match="not restarted"):
        ensure(machine, told(server=True))
    assert machine.did == []


@pytest.mark.usefixtures("root")
def test_a_client_becomes_a_server_although_a_server_is_lost(machine: Machine) -> None:
    ensure(machine, told(server=False))
    machine.did.clear()
    ensure(machine, told(server=True))
    assert machine.did == ["service.restart"]


def test_a_consul_of_somebody_else_that_is_only_down_is_not_mixed_with_ours(
    machine: Machine,
) -> None:
    agent.FOLDER.mkdir()
    theirs = agent.FOLDER / "site.json"
    theirs.write_text('{"datacenter": "dc1"}')
    with pytest.raises(GlusterError, match=r"site\.json.*Start that Consul"):
        ensure(machine, told(server=True))
    assert (machine.did, list(agent.FOLDER.iterdir())) == ([], [theirs])


@pytest.mark.usefixtures("root")
def test_the_file_that_a_package_brings_is_nobodys_configuration(machine: Machine) -> None:
    agent.FOLDER.mkdir()
    (agent.FOLDER / "consul.hcl").write_text('# Full options ...\n\ndata_dir = "/opt/consul"\n')
    ensure(machine, told(server=True))
    assert machine.did == ["service.enable", "service.start"]


def test_a_machine_without_a_package_says_what_to_install(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GlusterError, match=r"no package consul.*Install the program"):
        ensure(machine, told(server=False))
    assert machine.did[-1] == "service.unmask"


# --- whose Consul it is --------------------------------------------------------------------------


def state(machine: Machine, said: dict[str, Any], **opts: Any) -> dict[str, Any]:
    pillar = {"gluster": {"nodes": ["g1"]}}
    minion = Minion({"id": "g1", "test": True, **opts}, {}, {}, pillar)
    return consul_agent.deployed("agent", minion, said)


def test_an_agent_of_somebody_else_is_left_as_it_is(machine: Machine) -> None:
    machine.runs = True
    ret = state(machine, told(server=True))
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "existing Consul" in ret["comment"]


def test_a_consul_that_the_configuration_names_is_used_as_it_is(machine: Machine) -> None:
    ret = state(machine, told(server=True), gluster_consul={"address": "http://10.9.9.9:8500"})
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "http://10.9.9.9:8500" in ret["comment"]


def test_without_any_consul_there_is_nothing_to_do_and_it_says_what_would_help(
    machine: Machine,
) -> None:
    ret = state(machine, {})
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "gluster.setup" in ret["comment"]


@pytest.mark.parametrize(
    ("made_at", "words"),
    [(3 * 86400.0, "the authority of the pool counts only from"),
     (-40 * 365 * 86400.0, "the authority of the pool has ended")],
)  # fmt: skip
def test_an_authority_that_does_not_count_by_this_clock_is_named_and_nothing_is_written(
    machine: Machine, made_at: float, words: str
) -> None:
    """It was made while the master's clock was ahead: all that Consul said was bad certificate."""
    authority = Authority.new("salt-gluster main", time.time() + made_at)
    said = told(server=True)
    ret = state(machine, {**said, "tls": {**said["tls"], "ca": authority.certificate}})
    assert (ret["result"], ret["changes"]) == (False, {})
    assert words in ret["comment"] and "gluster.setup" in ret["comment"]
    assert machine.did == []


def test_a_consul_that_the_pillar_names_is_kept_for_everything_on_this_node(
    machine: Machine,
) -> None:
    ret = state(machine, {"address": "http://10.9.9.9:8500", "token": SECRET})
    assert ret["result"] is None
    assert list(ret["changes"]) == [agent.KEPT]
    assert SECRET not in str(ret)


# --- this node's access --------------------------------------------------------------------------


def test_what_is_given_wins_over_the_environment_and_both_over_what_the_node_keeps(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "consul.json"
    kept.write_text(json.dumps({"address": "http://127.0.0.1:8500", "token": "own"}))
    assert access({}, {}, kept) == Access("http://127.0.0.1:8500", "own")
    assert access({}, {"CONSUL_HTTP_TOKEN": "env"}, kept).token == "env"
    given = {"token": "given"}
    assert access(given, {"CONSUL_HTTP_TOKEN": "env"}, kept).token == "given"
    assert access({}, {}, tmp_path / "nothing") == Access()


def test_a_nodes_token_goes_to_its_own_agent_only(tmp_path: Path) -> None:
    kept = tmp_path / "consul.json"
    kept.write_text(json.dumps({"address": "http://127.0.0.1:8500", "token": "own"}))
    assert access({"address": "http://10.9.9.9:8500"}, {}, kept).token == ""
    assert access({}, {"CONSUL_HTTP_ADDR": "10.9.9.9:8500"}, kept).token == ""


# --- the sensor's line ---------------------------------------------------------------------------

OURS = engine_config.ENGINE


@pytest.mark.parametrize(
    ("own", "others", "engines"),
    [
        ({}, {}, [{OURS: {}}]),
        ({"engines": ["reactor"]}, {}, ["reactor", {OURS: {}}]),
        # A list of minion.d has replaced that of the own file, and is joined with ours.
        ({"engines": ["reactor"]}, {"engines": ["thorium"]}, [{OURS: {}}]),
    ],
)
def test_the_engines_that_a_minion_has_stay(
    own: dict[str, Any], others: dict[str, Any], engines: list[Any]
) -> None:
    text = engine_config.wanted(own, others, json.dumps)
    assert text is not None
    assert json.loads(text.splitlines()[-1]) == {"engines": engines}


@pytest.mark.parametrize("said", [[{OURS: {}}], ["reactor", {OURS: {"cluster": "prod"}}], [OURS]])
def test_an_engine_that_somebody_has_configured_is_not_written_again(
    said: list[Any], tmp_path: Path
) -> None:
    assert engine_config.wanted({"engines": said}, {}, json.dumps) is None
    assert engine_config.wanted({}, {"engines": said}, json.dumps) is None
    assert engine_config.bring_about(tmp_path / "x.conf", None, test=False) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / engine_config.NAME
    file.write_text("engines: []\n")
    with pytest.raises(GlusterError, match="not written by this state"):
        engine_config.bring_about(file, engine_config.wanted({}, {}, json.dumps), test=False)
    assert file.read_text() == "engines: []\n"
