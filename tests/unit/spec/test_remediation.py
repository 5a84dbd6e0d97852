"""``remediation:`` of the pillar: fields of a policy, or an error that names the key."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import SpecError
from salt_gluster.remediation.policy import Mode, Policy, policy_from
from salt_gluster.spec import parse_pool
from salt_gluster.spec.remediation import COUNTS, DURATIONS, MODES, RUNGS, STEPS, parse_remediation

EXAMPLES = Path(__file__).parents[3] / "pillar-examples"
K = "gluster:remediation"


def test_the_names_are_those_of_the_policy() -> None:
    """The pillar is read in a layer below remediation, so that its names stand in both."""
    told = {f.name: f.metadata["unit"] for f in fields(Policy)}
    assert {*RUNGS, *DURATIONS, *STEPS, *COUNTS} == set(told)
    assert {n for n, unit in told.items() if unit == "mode"} == set(RUNGS)
    assert {n for n in told if n.endswith("_s")} == {*DURATIONS, *STEPS}
    assert set(MODES) == {mode.value for mode in Mode}


def test_what_is_written_becomes_the_policy_and_the_rest_keeps_its_default() -> None:
    said = {
        "restart_brick": {"mode": "propose"}, "down_after": "90s", "gone_after_s": "1h",
        "tick": 5, "person_at_work": "1.5m", "maintenance_max": "2d", "restart_budget": 0,
        "restart_after": ["30s", 60, "2 m"],
    }  # fmt: skip
    pool = parse_pool({"nodes": "g1", "remediation": said})
    policy = policy_from(pool.remediation)
    assert (policy.restart_brick, policy.restart_budget) == (Mode.PROPOSE, 0)
    assert (policy.down_after_s, policy.gone_after_s, policy.tick_s) == (90.0, 3600.0, 5.0)
    assert (policy.person_at_work_s, policy.maintenance_max_s) == (90.0, 172800.0)
    assert policy.restart_after_s == (30.0, 60.0, 120.0)
    assert policy.decide_twice_s == Policy().decide_twice_s
    assert policy_from(parse_pool({"nodes": "g1"}).remediation) == Policy()


def test_a_policy_is_no_part_of_what_the_volumes_are() -> None:
    one, two = (parse_pool({"nodes": "g1", "remediation": {"zeros": n}}) for n in (1, 2))
    assert one.digest() == two.digest() and one.remediation != two.remediation


WRONG: list[tuple[Any, str, str]] = [
    ([], "", "a mapping is expected"),
    ({"restart_bricks": {}}, ":restart_bricks", "Did you mean restart_brick"),
    ({"down_affter": 1}, ":down_affter", "Did you mean down_after"),
    ({"zzz": 1}, ":zzz", "Known are restart_brick"),
    ({"replace_brick": {"mode": "act"}}, ":replace_brick", "not built yet"),
    ({"replace_bricks": {}}, ":replace_bricks", "Did you mean replace_brick"),
    ({"restart_brick": "act"}, ":restart_brick", "restart_brick: {mode: propose}"),
    ({"restart_brick": {}}, ":restart_brick:mode", "is missing"),
    ({"restart_brick": {"mode": "do"}}, ":restart_brick:mode", "Known: act, propose, observe"),
    ({"restart_brick": {"mod": "act"}}, ":restart_brick:mod", "Did you mean mode"),
    ({"down_after": "90"}, ":down_after", "90s, 30m, 1h"),
    ({"down_after": "1h30m"}, ":down_after", "a duration is expected"),
    ({"down_after": "-1s"}, ":down_after", "a duration is expected"),
    ({"down_after": -1}, ":down_after", "a duration is expected"),
    ({"down_after": True}, ":down_after", "a duration is expected"),
    ({"down_after": float("nan")}, ":down_after", "a duration is expected"),
    ({"down_after": float("inf")}, ":down_after", "a duration is expected"),
    ({"down_after": None}, ":down_after", "this is empty"),
    ({"down_after": 1, "down_after_s": 2}, ":down_after_s", "written twice"),
    ({"tick": 0}, ":tick", "at least 1 s"),
    ({"unhealthy_divisor": 0}, ":unhealthy_divisor", "at least 1"),
    ({"zeros": 1.5}, ":zeros", "whole number"),
    ({"restart_after": []}, ":restart_after", "at least one"),
    ({"restart_after": [1, "x"]}, ":restart_after:1", "a duration is expected"),
    ({True: 1}, ":True", "truth value"),
]


@pytest.mark.parametrize(("said", "key", "words"), WRONG, ids=str)
def test_what_is_wrong_is_said_with_its_key(said: Any, key: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_pool({"nodes": "g1", "remediation": said})
    assert caught.value.key == K + key
    assert words in str(caught.value)


NAMES = st.sampled_from([*RUNGS, *DURATIONS, *STEPS, *COUNTS, "down_after", "heal", "x"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(-5, 10**9),
    st.text("0159smhd .-", max_size=5),
    st.fixed_dictionaries({"mode": st.sampled_from([*MODES, "x"])}),
    st.lists(st.sampled_from([1, "5m", "x"]), max_size=3),
)  # fmt: skip


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_anything_is_a_policy_or_an_error_with_a_key(said: dict[str, Any]) -> None:
    try:
        found = parse_remediation(said, K)
    except SpecError as error:
        assert error.key.startswith(K)
        return
    assert policy_from(found).max_unhealthy(5) >= 1


def _examples() -> dict[str, dict[str, Any]]:
    return {p.name: yaml.safe_load(p.read_text())["gluster"] for p in EXAMPLES.glob("*.sls")}


@pytest.mark.parametrize("name", sorted(_examples()))
def test_every_example_is_a_pool_with_a_policy(name: str) -> None:
    policy_from(parse_pool(_examples()[name]).remediation)


def test_what_the_small_example_offers_in_a_comment_is_valid() -> None:
    text = (EXAMPLES / "small.sls").read_text(encoding="utf-8")
    offered = text[text.index("# remediation:") :].replace("# remediation", "remediation")
    lines = [line.removeprefix("  # ") for line in offered.splitlines()]
    said = parse_remediation(yaml.safe_load("\n".join(lines))["remediation"], K)
    assert policy_from(said).restart_brick is Mode.PROPOSE
