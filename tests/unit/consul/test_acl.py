"""What each role may do in Consul, as text; that Consul takes it so is shown in the lab."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from salt_gluster.consul.acl import (
    Grant,
    Registrar,
    agent_rules,
    anonymous_rules,
    engine_rules,
    grants,
    node_rules,
    reader_rules,
)
from salt_gluster.errors import ConsulError

UUID = "00000001-0000-4000-8000-000000000000"
NODE = {"name": "g1.example", "agent": "secret-a", "node": "secret-n", "uuid": UUID, "first": True}


def writes(rules: dict[str, dict[str, dict[str, str]]]) -> set[tuple[str, str]]:
    return {
        (kind, name)
        for kind, one in rules.items()
        if isinstance(one, dict)
        for name, policy in one.items()
        if policy["policy"] not in ("read", "list")
    }


def test_a_node_writes_what_is_its_own_and_only_the_first_the_canary() -> None:
    own = {("key", f"gluster/prod/{w}/{UUID}") for w in ("nodes", "identity", "submitted")}
    own |= {("key", f"gluster/prod/nodes/{UUID}/{w}") for w in ("answer", "volumes", "members")}
    own |= {("key_prefix", f"gluster/prod/outcomes/{UUID}/"), ("service", "gluster")}
    own |= {("session", "g1")}  # of no other node: a sensor is heard by it
    own |= {("key", f"gluster/prod/{name}") for name in ("rev", f"changed/{UUID}")}
    assert writes(node_rules("prod", "g1", UUID, first=False)) == own
    canary = {("key", "gluster/prod/canary")}
    assert writes(node_rules("prod", "g1", UUID, first=True)) == own | canary
    assert node_rules("prod", "g1", UUID, first=False)["agent"] == {"g1": {"policy": "read"}}


def test_the_other_roles() -> None:
    assert writes(reader_rules("prod")) == writes(anonymous_rules()) == set()
    assert "key_prefix" not in anonymous_rules()
    assert writes(engine_rules("prod")) == {("key_prefix", "gluster/prod/"), ("session_prefix", "")}
    assert engine_rules("prod")["operator"] == "read"  # how Consul's servers are
    own = {("node", "g1.example"), ("agent", "g1.example")}
    assert writes(agent_rules("prod", "g1.example")) == own
    assert "keyring" not in agent_rules("prod", "g1.example")
    server = agent_rules("prod", "g1.example", server=True)
    assert writes({k: v for k, v in server.items() if k != "keyring"}) == own | {
        ("key", "gluster/prod/turn"), ("session", "g1.example"),
    }  # fmt: skip
    assert (server["keyring"], server["operator"]) == ("write", "read")


def test_a_grant_keeps_its_accessor_and_shows_no_secret() -> None:
    made = grants("prod", engine="secret-e", reader="secret-r", nodes=[NODE], masters={"m": "s-m"})
    assert [g.role for g in made] == ["engine", "reader", "anonymous", "agent", "agent", "node"]
    assert len({g.accessor for g in made}) == 6
    again = grants("prod", engine="other", reader="other", nodes=[NODE], masters={"m": "s-m"})
    assert [g.accessor for g in again] == [g.accessor for g in made]
    assert "secret" not in repr(made) + "".join(g.policy + g.description + g.accessor for g in made)


def test_before_a_node_has_its_uuid_only_its_agent_is_let_in() -> None:
    made = grants("prod", engine="e", reader="r", nodes=[{**NODE, "uuid": ""}])
    assert [g.role for g in made] == ["engine", "reader", "anonymous", "agent"]


# --- how they come into Consul -------------------------------------------------------------------


class Acl:
    """The policies and tokens of a Consul, below its API; ``written`` is what was asked of it."""

    def __init__(self) -> None:
        self.policies: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.written: list[str] = []
        self.transport = self

    def get(self, read: Callable[[Any], Any], path: str) -> Any:
        words = path.removeprefix("/v1/acl/").split("/")
        if words == ["policies"]:
            return read(SimpleNamespace(body="[]"))
        found = self.tokens if words[0] == "token" else self.policies
        if words[-1] not in found:
            raise ConsulError("Consul failed.", kind="server_error", text="ACL not found")
        return read(SimpleNamespace(body=json.dumps(found[words[-1]])))

    def put(self, read: Callable[[Any], Any], path: str, *, data: str) -> Any:
        self.written.append(path)
        body = json.loads(data)
        if "policy" in path:
            self.policies[body["Name"]] = {"ID": f"id-{body['Name']}", **body}
        else:
            self.tokens[body["AccessorID"]] = body
        return read(SimpleNamespace(body=data))

    def delete(self, read: Callable[[Any], Any], path: str) -> Any:
        self.written.append(path)
        name = path.rsplit("/", 1)[-1]
        self.tokens.pop(name, None)
        self.policies = {k: p for k, p in self.policies.items() if p["ID"] != name}
        return read(SimpleNamespace(body="true"))


def given(secret: str = "secret-n", **changed: Any) -> Grant:
    rules = node_rules("prod", "g1", UUID, first=False)
    return Grant(
        **{"role": "node", "whose": "prod/g1", "secret": secret, "rules": rules, **changed}
    )


def ensured(acl: Acl, grant: Grant) -> list[str]:
    acl.written.clear()
    return Registrar(acl).ensure([grant])  # type: ignore[arg-type]


@pytest.fixture
def acl() -> Acl:
    acl = Acl()
    assert ensured(acl, given()) == [given().description]
    return acl


def test_a_grant_is_one_policy_and_one_token_with_it_alone(acl: Acl) -> None:
    token = acl.tokens[given().accessor]
    assert token["SecretID"] == "secret-n"
    assert token["Policies"] == [{"Name": given().policy}]
    assert json.loads(acl.policies[given().policy]["Rules"]) == given().rules
    assert (ensured(acl, given()), acl.written) == ([], []), "what is so is not written again"


def test_a_right_that_was_added_by_hand_or_is_no_longer_meant_is_taken_back(acl: Acl) -> None:
    wide = json.dumps({"key_prefix": {"": {"policy": "write"}}})
    acl.policies[given().policy]["Rules"] = wide
    assert ensured(acl, given()) == [given().description]
    assert json.loads(acl.policies[given().policy]["Rules"]) == given().rules


@pytest.mark.parametrize(
    "policies", [[], None, [{"Name": "global-management"}], "one more"], ids=str
)
def test_a_token_has_its_own_policy_and_no_other(acl: Acl, policies: Any) -> None:
    own = {"Name": given().policy}
    wrong = [own, {"Name": "global-management"}] if policies == "one more" else policies
    acl.tokens[given().accessor]["Policies"] = wrong
    assert ensured(acl, given()) == [given().description]
    assert acl.tokens[given().accessor]["Policies"] == [own]


def test_the_secret_of_before_opens_nothing_any_more(acl: Acl) -> None:
    """The secrets were made anew: an accessor cannot get another one, so it is made anew too."""
    assert ensured(acl, given("secret-2")) == [given().description]
    assert f"/v1/acl/token/{given().accessor}" in acl.written
    assert acl.tokens[given().accessor]["SecretID"] == "secret-2"


def test_who_is_sent_away_keeps_neither_token_nor_policy(acl: Acl) -> None:
    other = given(whose="prod/g2", secret="secret-2")
    Registrar(acl).ensure([other])  # type: ignore[arg-type]
    assert Registrar(acl).revoke(given()) is True  # type: ignore[arg-type]
    assert (set(acl.tokens), set(acl.policies)) == ({other.accessor}, {other.policy})
    assert Registrar(acl).revoke(given()) is False  # type: ignore[arg-type]


def test_a_right_that_cannot_be_read_is_no_missing_one(acl: Acl) -> None:
    def forbidden(read: Any, path: str) -> Any:
        raise ConsulError("no", kind="forbidden", text="Permission denied")

    acl.get = forbidden  # type: ignore[method-assign]
    with pytest.raises(ConsulError):
        ensured(acl, given())
    assert acl.written == []


def test_an_exchanged_token_has_another_accessor_and_the_same_policy() -> None:
    """Both count while it is exchanged; one accessor has one secret only."""
    before = grants("prod", engine="e", reader="r", nodes=[NODE])[-1]
    after = grants("prod", engine="e", reader="r", nodes=[{**NODE, "turn": "1f"}])[-1]
    assert (before.policy, before.rules) == (after.policy, after.rules)
    assert before.accessor != after.accessor
