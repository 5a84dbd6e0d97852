"""From where the master's runners take a minion's pillar."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import salt.client
import salt.config
import salt.loader
from a_master import (
    POOL,
    UUID,
    Agent,
    Master,
)

from salt_gluster.consul.admission_proof import proof
from salt_gluster.master import jobs
from salt_gluster.master.deploy import secret_store
from salt_gluster.master.rate_limit import RateLimit


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
        if function in ("gluster_consul.identity", "config.get"):
            assert how["limit_s"] <= 30, "it takes a slot meanwhile"
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
