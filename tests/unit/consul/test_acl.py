"""What each role may do in Consul, as text; that Consul takes it so is shown in the lab."""

from __future__ import annotations

from salt_gluster.consul.acl import (
    agent_rules,
    anonymous_rules,
    engine_rules,
    grants,
    node_rules,
    reader_rules,
)

UUID = "00000001-0000-4000-8000-000000000000"
NODE = {"name": "g1.example", "agent": "secret-a", "node": "secret-n", "uuid": UUID, "first": True}


def writes(rules: dict[str, dict[str, dict[str, str]]]) -> set[tuple[str, str]]:
    return {
        (kind, name)
        for kind, one in rules.items()
        for name, policy in one.items()
        if policy["policy"] not in ("read", "list")
    }


def test_a_node_writes_what_is_its_own_and_only_the_first_the_canary() -> None:
    own = {("key", f"gluster/prod/{w}/{UUID}") for w in ("nodes", "identity", "submitted")}
    own |= {("key_prefix", f"{name}/") for _, name in own}
    own |= {("key_prefix", f"gluster/prod/outcomes/{UUID}/"), ("service", "gluster")}
    own |= {("key", f"gluster/prod/{name}") for name in ("rev", "changed")}
    assert writes(node_rules("prod", "g1", UUID, first=False)) == own
    canary = {("key", "gluster/prod/canary")}
    assert writes(node_rules("prod", "g1", UUID, first=True)) == own | canary
    assert node_rules("prod", "g1", UUID, first=False)["agent"] == {"g1": {"policy": "read"}}


def test_the_other_roles() -> None:
    assert writes(reader_rules("prod")) == writes(anonymous_rules()) == set()
    assert "key_prefix" not in anonymous_rules()
    assert writes(engine_rules("prod")) == {("key_prefix", "gluster/prod/"), ("session_prefix", "")}
    assert writes(agent_rules("g1.example")) == {("node", "g1.example")}


def test_a_grant_keeps_its_accessor_and_shows_no_secret() -> None:
    made = grants("prod", engine="secret-e", reader="secret-r", nodes=[NODE], masters={"m": "s-m"})
    assert [g.role for g in made] == ["engine", "reader", "anonymous", "agent", "agent", "node"]
    assert len({g.accessor for g in made}) == 6
    again = grants("prod", engine="other", reader="other", nodes=[NODE], masters={"m": "s-m"})
    assert [g.accessor for g in again] == [g.accessor for g in made]
    assert "secret" not in repr(made) + "".join(g.policy + g.told + g.accessor for g in made)


def test_before_a_node_has_its_uuid_only_its_agent_is_let_in() -> None:
    made = grants("prod", engine="e", reader="r", nodes=[{**NODE, "uuid": ""}])
    assert [g.role for g in made] == ["engine", "reader", "anonymous", "agent"]
