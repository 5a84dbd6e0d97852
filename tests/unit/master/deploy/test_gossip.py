"""The gossip key of the vault and the one in use: compared, taken, exchanged."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.master.deploy import deployment, gossip, secret_store
from salt_gluster.master.deploy.secret_store import SecretStore


class Agents:
    """Consul's agents as its API shows them; ``lame`` of them take no new key."""

    def __init__(self, key: str, count: int) -> None:
        self.count, self.lame = count, 0
        self.keys, self.primary = {key: count}, {key: count}
        self.did: list[str] = []
        self.transport = self

    def get(self, callback: Any, path: str) -> Any:
        assert path == "/v1/operator/keyring"
        ring = {"WAN": False, "Keys": self.keys, "PrimaryKeys": self.primary}
        rings = [{"WAN": True, "Keys": {}, "NumNodes": 0}, {**ring, "NumNodes": self.count}]
        return callback(type("Answer", (), {"body": json.dumps(rings)})())

    def post(self, callback: Any, path: str, data: str) -> None:
        self.did.append("install")
        self.keys = {**self.keys, json.loads(data)["Key"]: self.count - self.lame}

    def put(self, callback: Any, path: str, data: str) -> None:
        self.did.append("use")
        key = json.loads(data)["Key"]
        assert self.keys[key] == self.count, "an agent does not know it"
        self.primary = {key: self.count}

    def delete(self, callback: Any, path: str, data: str) -> None:
        self.did.append("remove")
        key = json.loads(data)["Key"]
        assert key not in self.primary
        self.keys = {k: n for k, n in self.keys.items() if k != key}


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


def test_an_exchange_leaves_one_new_key_everywhere(kept: SecretStore) -> None:
    old = kept.secrets().encrypt
    agents: Any = Agents(old, 3)
    assert gossip.exchange(kept, agents, test=True)["gossip key"]["old"] == "in use"
    assert (agents.did, kept.secrets().encrypt) == ([], old)
    done = gossip.exchange(kept, agents, test=False)
    new = kept.secrets().encrypt
    assert new != old and agents.keys == agents.primary == {new: 3}
    assert agents.did == ["install", "use", "remove"]
    assert new not in str(done)


@pytest.mark.parametrize(("count", "lame", "did"), [(2, 0, []), (3, 1, ["install"])])
def test_where_an_agent_would_be_left_behind_the_old_key_stays(
    kept: SecretStore, count: int, lame: int, did: list[str]
) -> None:
    before = kept.secrets()
    agents: Any = Agents(before.encrypt, count)
    agents.lame = lame
    with pytest.raises(GlusterError) as refused:
        gossip.exchange(kept, agents, test=False)
    assert refused.value.kind == "needed"
    assert (agents.did, set(agents.primary), kept.secrets()) == (did, {before.encrypt}, before)


def test_a_master_whose_agent_is_no_server_compares_nothing_and_says_where_it_is_done(
    kept: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Consul 1.8.7 answers a client; that it is always so there, no `setup` has to repeat."""

    def refuse(callback: Any, path: str) -> Any:
        raise ConsulError("Consul refused it (500).", kind="refused",
                          text="keyring operations must run against a server node")  # fmt: skip

    agents = Agents(kept.secrets().encrypt, 3)
    monkeypatch.setattr(agents, "get", refuse)
    monkeypatch.setattr(deployment, "_management", lambda kept: contextlib.nullcontext(agents))
    assert deployment._gossip(kept, test=False) == ({}, "")
    with pytest.raises(GlusterError, match="on its servers only"):
        deployment.exchange_gossip_key(str(kept.folder.parents[1] / "master"), "main", test=False)
    assert agents.did == []
