"""What Salt's own pillar gets from the vault: each node its own, everybody else nothing."""

from __future__ import annotations

import json
import time
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.pillar

from salt_gluster.master.deploy import secret_store
from salt_gluster.master.deploy.secret_store import SecretStore

GLUSTER = {
    "nodes": "g[1-4]",
    "addresses": {"g2": "g2-storage"},
    "volumes": {"data": {"replica": 3}},
}


class Master:
    """A master's configuration with our line, and one pillar for all its minions."""

    def __init__(self, folder: Path) -> None:
        self.conf = folder / "master"
        self.roots = folder / "pillar"
        self.roots.mkdir()
        self.declare({"gluster": GLUSTER})
        said = {
            "root_dir": str(folder), "pillar_roots": {"base": [str(self.roots)]},
            "ext_pillar": [{"gluster_consul": {}}],
        }  # fmt: skip
        self.conf.write_text(json.dumps(said))

    def declare(self, pillar: dict[str, Any]) -> None:
        (self.roots / "top.sls").write_text("base: {'*': [all]}")
        (self.roots / "all.sls").write_text("#!json\n" + json.dumps(pillar))

    def compiled(self, minion: str) -> dict[str, Any]:
        """As the master answers a minion."""
        opts = salt.config.master_config(str(self.conf))
        made = salt.pillar.Pillar(opts, {"id": minion}, minion, "base")
        return dict(made.compile_pillar())


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


@pytest.fixture
def kept(master: Master) -> SecretStore:
    made = secret_store.place(master.conf, "main")
    made.make()
    return made


def test_a_node_gets_its_own_and_a_server_no_more_than_that(
    master: Master, kept: SecretStore
) -> None:
    for minion in ("g1", "g4"):
        told = master.compiled(minion)["gluster_consul"]
        mine = kept.known(minion)
        assert mine is not None
        server = minion == "g1"
        tokens = {"agent": mine.agent, "node": mine.node}
        assert told == {
            "cluster": "main", "datacenter": "gluster",
            "servers": {"g1": "g1", "g2": "g2-storage", "g3": "g3"},
            "is_server": server, "expect": 3, "encrypt": kept.secrets().encrypt, "tokens": tokens,
            "tls": {"ca": kept.authority().certificate, "cert": mine.cert, "key": mine.key},
            "first": "g1",
        }  # fmt: skip


def test_a_node_is_told_where_to_post_gluster_s_events(master: Master, kept: SecretStore) -> None:
    assert "webhook" not in master.compiled("g1")["gluster_consul"]
    kept.take_events("10.0.0.5", 24017)
    token = kept.secrets().webhook
    url = "http://10.0.0.5:24017/gluster"
    assert master.compiled("g1")["gluster_consul"]["webhook"] == {"url": url, "token": token}
    kept.take_events("2001:db8::5", 9)
    assert (
        master.compiled("g1")["gluster_consul"]["webhook"]["url"]
        == "http://[2001:db8::5]:9/gluster"
    )
    assert set(master.compiled("web1")) == {"gluster"}


def test_no_two_nodes_share_what_is_one_nodes_own(master: Master, kept: SecretStore) -> None:
    told = [master.compiled(f"g{n}")["gluster_consul"] for n in range(1, 5)]
    own = [t["tokens"][k] for t in told for k in ("agent", "node")] + [
        t["tls"]["key"] for t in told
    ]
    assert len(set(own)) == len(own) == 12
    text = json.dumps(told)
    assert [s for s in astuple(kept.secrets())[1:4] if s in text] == []
    assert json.dumps(kept.authority().key)[1:-1] not in text


def test_it_is_the_same_every_time(master: Master, kept: SecretStore) -> None:
    first = master.compiled("g1")
    assert master.compiled("g1") == first


def test_who_is_no_node_gets_nothing_and_leaves_no_trace(master: Master, kept: SecretStore) -> None:
    assert set(master.compiled("web1")) == {"gluster"}
    master.declare({"other": 1})
    assert master.compiled("g1") == {"other": 1}
    assert kept.nodes() == [] and kept.servers() == ()


def test_a_glob_means_the_minions_whose_keys_are_accepted(
    master: Master, kept: SecretStore
) -> None:
    pki = Path(salt.config.master_config(str(master.conf))["pki_dir"])
    for state, minions in {"minions": ("g1", "g2", "g3", "web1"), "minions_pre": ("g4",)}.items():
        (pki / state).mkdir(parents=True, exist_ok=True)
        for minion in minions:
            (pki / state / minion).write_text("a key")
    master.declare({"gluster": {**GLUSTER, "nodes": "g*"}})
    told = master.compiled("g2")["gluster_consul"]
    assert told["servers"] == {"g1": "g1", "g2": "g2-storage", "g3": "g3"}
    assert (told["first"], told["is_server"]) == ("g1", True)
    assert set(master.compiled("web1")) == {"gluster"}


def test_without_a_vault_the_pillar_is_as_it_was(master: Master) -> None:
    assert master.compiled("g1") == {"gluster": GLUSTER}
    assert not (master.conf.parent / "gluster").exists()


def test_a_pillar_that_says_where_consul_is_stays_as_it_is(
    master: Master, kept: SecretStore
) -> None:
    said = {"gluster": GLUSTER, "gluster_consul": {"address": "http://10.0.0.1:8500"}}
    master.declare(said)
    assert master.compiled("g1") == said


@pytest.mark.parametrize(
    "body",
    ["g1", {"nodes": "g[1-"}, {"nodes": "x*"}, {"nodes": 7}, {"nodes": "g1", "cluster": "/"}, []],
)
def test_a_declaration_that_is_wrong_costs_nobody_the_pillar(
    master: Master, kept: SecretStore, body: Any
) -> None:
    master.declare({"gluster": body, "other": 1})
    told = master.compiled("g1")
    assert told == {"gluster": body, "other": 1}


def test_a_damaged_vault_costs_nobody_the_pillar(master: Master, kept: SecretStore) -> None:
    for name in ("ca.pem", "secrets.json"):
        (kept.folder / name).write_text("nothing")
        assert set(master.compiled("g1")) == {"gluster"}


def test_it_is_quick(master: Master, kept: SecretStore) -> None:
    """A pillar is compiled for every minion and every job."""
    from salt_gluster.master.deploy import credentials

    pillar = {"gluster": GLUSTER}
    credentials.for_pillar(str(master.conf), "g1", pillar)
    began = time.process_time()
    for _ in range(100):
        credentials.for_pillar(str(master.conf), "g1", pillar)
    took_ms = (time.process_time() - began) * 10
    print(f"FIGURE a node's access in its pillar: {took_ms:.2f} ms")
    assert took_ms < 25
