"""All nodes' secrets are exchanged: none is without a valid one, whatever ends or is away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from salt_gluster.consul.keyring import fingerprint
from salt_gluster.errors import GlusterError
from salt_gluster.master.deploy import credentials, deployment, exchange, secret_store
from salt_gluster.master.deploy.secret_store import AgentCredentials, SecretStore
from salt_gluster.spec import parse_pool

NODES = ("g1", "g2", "g3")


class Pool:
    """Three nodes with their tokens, what Consul knows of these, and who is away."""

    def __init__(self, kept: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kept, self.spec = kept, parse_pool({"nodes": "g[1-3]"})
        self.conf_file = str(kept.folder.parents[1] / "master")
        self.away: set[str] = set()
        self.asked: list[list[str]] = []
        self.said: list[Any] = []
        self.gossip: str | GlusterError = "exchanged"
        self.uses = {n.name: (n.agent, n.node) for n in kept.nodes()}
        self.valid = {secret for pair in self.uses.values() for secret in pair}
        monkeypatch.setattr(deployment, "grant_agents_and_nodes", self.grant)
        monkeypatch.setattr(deployment, "management", lambda kept: contextlib.nullcontext())
        monkeypatch.setattr(deployment, "exchange_gossip_key", self.exchange_gossip)
        monkeypatch.setattr(exchange, "revoke_secret", self.revoke)

    def grant(self, kept: SecretStore, nodes: Iterable[AgentCredentials]) -> None:
        self.valid |= {secret for n in nodes for secret in (n.agent, n.node)}

    def revoke(self, client: object, secret: str) -> None:
        self.valid.discard(secret)
        assert all(set(pair) <= self.valid for pair in self.uses.values()), "a node has none now"

    def exchange_gossip(self, *words: Any, test: bool) -> dict[str, Any]:
        if isinstance(self.gossip, GlusterError):
            raise self.gossip
        return {"gossip key": self.gossip}

    def ask(self, minions: list[str], function: str) -> dict[str, Any]:
        assert function == exchange.TAKE
        self.asked.append(minions)
        answers: dict[str, Any] = {}
        for name in set(minions) - self.away:
            tokens = credentials.node_credentials(self.kept, self.spec, name)["tokens"]
            assert {tokens["agent"], tokens["node"]} <= self.valid, "handed out before it counts"
            self.uses[name] = (tokens["agent"], tokens["node"])
            answers[name] = {kind: fingerprint(tokens[kind]) for kind in ("agent", "node")}
        self.said.append(answers)
        return answers

    def exchange(self, *, test: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
        return exchange.exchange_secrets(self.conf_file, "main", self.ask, test=test)

    def is_settled(self) -> bool:
        """Whether each token that counts is the one that its node uses, and nothing is left."""
        names = {path.name for path in self.kept.folder.iterdir()}
        used = {secret for pair in self.uses.values() for secret in pair}
        former = [n.name for n in self.kept.nodes() if n.former]
        return (self.valid, former, "exchange.json" in names) == (used, [], False)


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    kept = secret_store.place(tmp_path / "master", "main")
    kept.make()
    for number, name in enumerate(NODES, 1):
        kept.node(name)
        with kept.locked():
            kept.admit(name, f"0000000{number}-0000-4000-8000-000000000000")
    return Pool(kept, monkeypatch)


def test_every_node_gets_other_tokens_and_another_certificate(pool: Pool) -> None:
    before, uses = {n.name: n for n in pool.kept.nodes()}, dict(pool.uses)
    assert sorted(pool.exchange(test=True)[0]) == ["g1", "g2", "g3", "gossip key"]
    assert {n.name: n for n in pool.kept.nodes()} == before and pool.asked == []
    changes, left = pool.exchange()
    assert (sorted(changes), left) == (["g1", "g2", "g3", "gossip key"], {})
    assert pool.is_settled()
    assert all(not {*uses[name]} & {*pool.uses[name]} for name in NODES)
    assert all(n.cert != before[n.name].cert and n.uuid for n in pool.kept.nodes())
    assert [s for s in pool.valid if s in str(changes) + str(pool.said)] == []


def test_a_node_that_is_away_keeps_its_own_and_is_alone_asked_the_next_time(pool: Pool) -> None:
    pool.away = {"g2"}
    changes, left = pool.exchange()
    assert "g2" not in changes and list(left) == ["g2"] and "does not answer" in left["g2"]
    uses = dict(pool.uses)
    pool.away = set()
    assert pool.exchange() == ({"g2": {"old": "in use", "new": "exchanged"}}, {})
    assert pool.asked[1:] == [["g2"]] and pool.is_settled()
    assert {name: pool.uses[name] == uses[name] for name in NODES} == {
        "g1": True, "g2": False, "g3": True,
    }  # fmt: skip


def test_one_that_says_something_else_keeps_its_own(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pillar from Salt's cache, an error, an earlier version of ours."""
    for answer in ({"agent": "x", "node": "y"}, "ERROR: no function", None):
        told = dict.fromkeys(NODES, answer)
        _, left = exchange.exchange_secrets(
            pool.conf_file, "main", lambda *words, told=told: told, test=False
        )
        assert sorted(left) == list(NODES)
    pool.exchange()
    assert pool.is_settled()


def test_where_the_gossip_key_is_refused_the_rest_is_done_and_it_is_left(pool: Pool) -> None:
    pool.gossip = GlusterError("g9 is away", kind="needed")
    changes, left = pool.exchange()
    assert (sorted(changes), left) == (list(NODES), {"gossip key": "g9 is away"})
    pool.gossip = "exchanged"
    assert pool.exchange() == ({"gossip key": "exchanged"}, {})
    assert pool.is_settled()


@pytest.mark.parametrize("where", ["grant", "ask", "settle"])
def test_what_was_interrupted_goes_on(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def end(*words: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if where == "grant":
            patch.setattr(deployment, "grant_agents_and_nodes", end)
        if where == "settle":
            patch.setattr(SecretStore, "settle", end)
        ask = end if where == "ask" else pool.ask
        with pytest.raises(KeyboardInterrupt):
            exchange.exchange_secrets(pool.conf_file, "main", ask, test=False)  # type: ignore[arg-type]
    pool.exchange()
    assert pool.is_settled()
