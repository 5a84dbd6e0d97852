"""The gossip key of the vault and the one in use: compared, taken, exchanged."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from salt_gluster.consul import agent, keyring
from salt_gluster.consul.settings import Access
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.master.deploy import credentials, deployment, gossip, secret_store
from salt_gluster.master.deploy.secret_store import SecretStore
from salt_gluster.minion.automation import gossip_exchange
from salt_gluster.spec import parse_pool


class Agents:
    """Consul's agents as its API shows them; ``lame`` of them take no new key."""

    def __init__(self, key: str, count: int) -> None:
        self.count, self.lame = count, 0
        self.keys, self.primary = {key: count}, {key: count}
        self.did: list[str] = []
        self.transport = self
        #: How many of the next answers lack an agent; what was asked is done all the same.
        self.incomplete = 0

    def close(self) -> None:
        """As a client's."""

    def _answered(self) -> None:
        if self.incomplete:
            self.incomplete -= 1
            text = "1 error occurred:\n\t* gluster (LAN) error: 2/3 nodes reported success"
            raise ConsulError("Consul failed.", kind="server_error", text=text)

    def get(self, callback: Any, path: str) -> Any:
        assert path == "/v1/operator/keyring"
        self._answered()
        ring = {"WAN": False, "Keys": self.keys, "PrimaryKeys": self.primary}
        rings = [{"WAN": True, "Keys": {}, "NumNodes": 0}, {**ring, "NumNodes": self.count}]
        return callback(type("Answer", (), {"body": json.dumps(rings)})())

    def post(self, callback: Any, path: str, data: str) -> None:
        self.did.append("install")
        self.keys = {**self.keys, json.loads(data)["Key"]: self.count - self.lame}
        self._answered()

    def put(self, callback: Any, path: str, data: str) -> None:
        self.did.append("use")
        key = json.loads(data)["Key"]
        assert self.keys[key] == self.count, "an agent does not know it"
        self.primary = {key: self.count}
        self._answered()

    def delete(self, callback: Any, path: str, data: str) -> None:
        self.did.append("remove")
        key = json.loads(data)["Key"]
        assert key not in self.primary
        self.keys = {k: n for k, n in self.keys.items() if k != key}
        self._answered()


@pytest.fixture
def kept(tmp_path: Path) -> SecretStore:
    """A vault with two nodes that were admitted, one that was not, and a master."""
    made = secret_store.place(tmp_path / "master", "main")
    made.make()
    made.master("m")
    for n in (1, 2, 3):
        made.node(f"g{n}")
    with made.locked():
        for n in (1, 2):
            made.admit(f"g{n}", f"0000000{n}-0000-4000-8000-000000000000")
    return made


def test_where_both_are_the_same_nothing_is_to_be_done(kept: SecretStore) -> None:
    agents: Any = Agents(kept.secrets().encrypt, 3)
    assert gossip.follow(kept, agents, test=False) == ({}, "")


def test_one_that_an_operator_exchanged_is_named_and_taken(kept: SecretStore) -> None:
    before, agents = kept.secrets(), Agents("bmV3", 3)
    said = gossip.follow(kept, agents, test=True)  # type: ignore[arg-type]
    assert kept.secrets() == before
    assert gossip.follow(kept, agents, test=False) == said  # type: ignore[arg-type]
    assert said[0]["gossip key"]["old"] == "not the one that Consul uses" and said[1] == ""
    assert "bmV3" not in str(said)
    assert kept.secrets().encrypt == "bmV3"
    assert kept.secrets().management == before.management
    assert (kept.folder / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_an_exchange_that_is_not_ended_is_said_and_nothing_is_taken(kept: SecretStore) -> None:
    before, agents = kept.secrets(), Agents("bmV3", 2)
    agents.primary = {"bmV3": 1, before.encrypt: 1}
    changes, why = gossip.follow(kept, agents, test=False)  # type: ignore[arg-type]
    assert (changes, kept.secrets()) == ({}, before)
    assert "by 2 keys" in why and "bmV3" not in why


# --- the exchange --------------------------------------------------------------------------------


class Pool:
    """A master whose agent is a client, and the minions of the servers; what is said between."""

    def __init__(
        self, kept: SecretStore, agents: Agents, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        self.kept, self.agents, self.spec = kept, agents, parse_pool({"nodes": "g[1-3]"})
        kept.servers(self.spec)
        self.away: set[str] = set()
        self.silent: set[str] = set()
        #: How many of the next lists of members have g2 as failed.
        self.unheard = 0
        self.ends_after = ""
        self.said: list[Any] = []
        self.granted: list[Any] = []
        configuration = tmp_path / "gluster.json"
        tokens = {"agent": "of-the-agent"}
        written = {"server": True, "client_addr": "127.0.0.1", "acl": {"tokens": tokens}}
        configuration.write_text(json.dumps(written))
        monkeypatch.setattr(agent, "FILE", configuration)
        for module in (gossip, keyring):
            monkeypatch.setattr(module, "PAUSE_S", 0)
            monkeypatch.setattr(module, "AGAIN_S", 0.05)
        monkeypatch.setattr(gossip_exchange, "Client", self._client_of_a_server)
        monkeypatch.setattr(deployment, "_management", lambda kept: contextlib.nullcontext(self))
        monkeypatch.setattr(
            deployment, "_registered", lambda kept, grants: self.granted.extend(grants)
        )
        self.transport = self

    def _client_of_a_server(self, where: Access) -> Agents:
        assert where.token == "of-the-agent"
        return self.agents

    def close(self) -> None:
        """As a client's; the master's own agent takes nothing of the keys."""

    def get(self, callback: Any, path: str) -> Any:
        raise ConsulError("Consul refused it (500).", kind="refused",
                          text="keyring operations must run against a server node")  # fmt: skip

    def agent_members(self) -> list[dict[str, Any]]:
        names = ("g1", "g2", "m")
        if self.unheard:
            self.unheard -= 1
            return [{"Name": name, "Status": 4 if name == "g2" else 1} for name in names]
        return [{"Name": name, "Status": 4 if name in self.away else 1} for name in names]

    def ask(self, minions: list[str], function: str, *arguments: Any) -> dict[str, Any]:
        """As Salt: the job and the returns are seen by others."""
        assert function == "gluster_consul.exchange_gossip"
        answers: dict[str, Any] = {}
        for name in set(minions) - self.silent:
            pillar = credentials.node_credentials(self.kept, self.spec, name)
            try:
                answers[name] = gossip_exchange.exchange(pillar, *arguments)
            except GlusterError as err:
                answers[name] = f"ERROR: {err}"
        self.said += [arguments, answers]
        if self.ends_after in arguments:
            raise KeyboardInterrupt
        return answers

    def exchange(self, *, test: bool = False) -> dict[str, Any]:
        conf_file = str(self.kept.folder.parents[1] / "master")
        return deployment.exchange_gossip_key(conf_file, "main", self.ask, test=test)


@pytest.fixture
def pool(kept: SecretStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pool:
    return Pool(kept, Agents(kept.secrets().encrypt, 3), monkeypatch, tmp_path)


def test_an_exchange_leaves_one_new_key_everywhere_and_no_job_has_it(pool: Pool) -> None:
    old = pool.kept.secrets().encrypt
    assert pool.exchange(test=True)["gossip key"]["old"] == "in use"
    assert (pool.agents.did, pool.kept.secrets().encrypt, pool.granted) == ([], old, [])
    assert pool.kept.new_gossip_key() == ""
    done = pool.exchange()
    new = pool.kept.secrets().encrypt
    assert new != old and pool.agents.keys == pool.agents.primary == {new: 3}
    assert pool.agents.did == ["install", "use", "remove"]
    assert new not in str(done) + str(pool.said) and old not in str(pool.said)
    assert pool.kept.new_gossip_key() == ""
    servers = [g.whose for g in pool.granted if g.rules.get("keyring") == "write"]
    assert servers == ["main/g1", "main/g2", "main/g3"]


def test_the_new_key_is_in_the_pillar_of_servers_while_the_exchange_is_open(pool: Pool) -> None:
    told = lambda name: credentials.node_credentials(  # noqa: E731
        pool.kept, parse_pool({"nodes": "g[1-4]"}), name
    ).get("new_gossip_key")
    assert (told("g1"), told("g4")) == (None, None)
    new = pool.kept.begin_gossip_exchange()
    assert (told("g1"), told("g4")) == (new, None)
    assert pool.kept.begin_gossip_exchange() == new
    assert (pool.kept.folder / "gossip.json").stat().st_mode & 0o777 == 0o600


def test_an_agent_that_is_busy_for_a_moment_is_asked_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Consul's answer is an error of all where one is late, and gossip takes it for dead."""
    monkeypatch.setattr(keyring, "AGAIN_S", 60)
    monkeypatch.setattr(gossip, "AGAIN_S", 60)
    ask, pool.unheard = pool.ask, 2

    def busy(*words: Any) -> dict[str, Any]:
        pool.agents.incomplete = 3
        return ask(*words)

    monkeypatch.setattr(pool, "ask", busy)
    pool.exchange()
    new = pool.kept.secrets().encrypt
    assert pool.agents.keys == pool.agents.primary == {new: 3}


@pytest.mark.parametrize("phase", ["install", "use", "remove"])
def test_one_that_stays_silent_is_named_and_the_next_call_goes_on(pool: Pool, phase: str) -> None:
    ask = pool.ask

    def late(minions: list[str], function: str, *arguments: Any) -> dict[str, Any]:
        pool.agents.incomplete = 10**9 if phase in arguments else 0
        return ask(minions, function, *arguments)

    pool.ask = late  # type: ignore[method-assign]
    with pytest.raises(GlusterError, match="2/3 nodes reported success"):
        pool.exchange()
    pool.ask = ask  # type: ignore[method-assign]
    pool.agents.incomplete = 0
    pool.exchange()
    assert pool.agents.keys == pool.agents.primary == {pool.kept.secrets().encrypt: 3}


@pytest.mark.parametrize("phase", ["install", "use", "remove"])
def test_what_was_interrupted_goes_on_with_the_same_key(pool: Pool, phase: str) -> None:
    pool.ends_after = phase
    with pytest.raises(KeyboardInterrupt):
        pool.exchange()
    new, pool.ends_after = pool.kept.new_gossip_key(), "nothing"
    assert new in pool.agents.keys
    pool.exchange()
    assert pool.agents.keys == pool.agents.primary == {new: 3}
    assert (pool.kept.secrets().encrypt, pool.kept.new_gossip_key()) == (new, "")


@pytest.mark.parametrize(
    ("away", "count", "lame", "did"),
    [({"g2"}, 3, 0, []), (set(), 2, 0, []), (set(), 3, 1, ["install"])],
    ids=["one is away", "one does not answer", "one takes no key"],
)
def test_where_an_agent_would_be_left_behind_the_old_key_stays(
    pool: Pool, away: set[str], count: int, lame: int, did: list[str]
) -> None:
    before = pool.kept.secrets()
    pool.away, pool.agents.lame = away, lame
    pool.agents.count, pool.agents.keys = count, {before.encrypt: count}
    with pytest.raises(GlusterError, match="run this again") as refused:
        pool.exchange()
    assert refused.value.kind == "needed" and all(name in str(refused.value) for name in away)
    assert (pool.agents.did, set(pool.agents.primary), pool.kept.secrets()) == (
        did, {before.encrypt}, before,
    )  # fmt: skip


def test_no_key_goes_while_an_agent_encrypts_by_another(pool: Pool) -> None:
    """By hand as well: a phase out of order leaves every agent its key."""
    old = pool.kept.secrets().encrypt
    assert "no new gossip key" in pool.ask(["g1"], gossip.FUNCTION, "remove")["g1"]
    pool.kept.begin_gossip_exchange()
    assert "0 of 3 agents encrypt" in pool.ask(["g1"], gossip.FUNCTION, "remove")["g1"]
    assert "0 of 3 agents have" in pool.ask(["g1"], gossip.FUNCTION, "use")["g1"]
    assert "is no phase" in pool.ask(["g1"], gossip.FUNCTION, "all")["g1"]
    assert (pool.agents.did, pool.agents.keys) == ([], {old: 3})


def test_a_server_that_is_silent_is_passed_over_and_without_any_nothing_is_begun(
    pool: Pool,
) -> None:
    pool.silent = {"g1"}
    pool.exchange()
    pool.silent = {"g1", "g2", "g3"}
    with pytest.raises(GlusterError, match="no minion of Consul's servers"):
        pool.exchange()
    assert pool.kept.new_gossip_key() == ""


def test_a_pillar_that_has_another_new_key_ends_it_before_any_is_used(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One from Salt's pillar cache: the agents would use a key that nobody keeps."""
    given = credentials.node_credentials

    def cached(*words: Any) -> dict[str, Any]:
        return {**given(*words), "new_gossip_key": "b2xk"}

    monkeypatch.setattr(credentials, "node_credentials", cached)
    with pytest.raises(GlusterError, match="another new key than this master"):
        pool.exchange()
    assert pool.agents.did == ["install"]


def test_a_master_whose_agent_is_a_client_compares_through_a_server_s_minion(
    pool: Pool, kept: SecretStore
) -> None:
    assert deployment._gossip(kept, pool.ask, test=False) == ({}, "")
    pool.agents.keys = pool.agents.primary = {"bmV3": 3}
    changes, why = deployment._gossip(kept, pool.ask, test=False)
    assert changes == {} and "salt-run gluster_consul.exchange_gossip_key" in why
    assert "bmV3" not in str(pool.said)
    pool.silent = {"g1", "g2", "g3"}
    assert "is not known" in deployment._gossip(kept, pool.ask, test=False)[1]
