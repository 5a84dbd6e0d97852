"""The pool as samples: every number of the screen, and none for what is not known."""

from __future__ import annotations

import re
from typing import Any

from salt_gluster.master.status import of_copy
from salt_gluster.status.metric_table import BY_NAME, METRICS
from salt_gluster.status.metrics import (
    EngineFigures,
    Sample,
    automation_samples,
    engine_samples,
    node_samples,
    pool_samples,
)
from tests.unit.master.test_status import COPY, report

DATA = of_copy(COPY)


def told(samples: Any) -> dict[tuple[str, ...], float]:
    """Every sample once, and each with the labels that the table names."""
    rows = list(samples)
    assert len({(s.name, s.labels) for s in rows}) == len(rows)
    for row in rows:
        assert len(row.labels) == len(BY_NAME[row.name].labels), row
    return {(s.name, *s.labels): float(s.value) for s in rows}


def test_names_and_units_are_prometheus_conventions() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"gluster(_[a-z]+)+", metric.name), metric.name
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        unit = {"seconds": "ago|Since", "bytes": "[Ss]ize|space"}
        for ending, words in unit.items():
            if metric.name.endswith(ending):
                assert re.search(words, metric.help), metric.name
        assert metric.help and len(metric.help) < 80
    assert len(BY_NAME) == len(METRICS)


def test_every_number_of_the_screen_is_told_per_pool_node_volume_and_brick() -> None:
    rows = told(pool_samples(DATA, COPY.reports))
    assert rows["gluster_status_code",] == 0 and rows["gluster_nodes",] == 3
    assert rows["gluster_node_up", "g2"] == rows["gluster_node_state", "g2", "up"] == 1
    assert rows["gluster_node_state", "g2", "down"] == 0
    assert rows["gluster_report_age_seconds", "g3"] == 240
    assert rows["gluster_volume_state", "data", "ok"] == 1
    assert rows["gluster_volume_bricks_up", "data"] == rows["gluster_volume_bricks", "data"] == 3
    assert rows["gluster_volume_heal_pending_entries", "data"] == 0
    assert rows["gluster_volume_size_bytes", "data"] == 9
    assert rows["gluster_brick_up", "data", "g1", "/b"] == 1
    assert rows["gluster_brick_free_bytes", "data", "g1", "/b"] == 5
    assert rows["gluster_brick_size_bytes", "data", "g1", "/b"] == 9


def test_what_is_not_known_has_no_sample() -> None:
    odd = report("g1")
    odd["bricks"]["data"][0].update(free={"unknown": "x"}, pending={"unknown": "y"})
    row = {**DATA["volumes"]["data"], "to_heal": {"unknown": "y"}, "split_brain": None,
           "free": {"unknown": "x"}, "bricks": {"total": 3, "unknown": "z"}}  # fmt: skip
    rows = told(pool_samples({**DATA, "volumes": {"data": row}, "ages_s": {}}, [odd]))
    names = {key[0] for key in rows}
    assert not names & {
        "gluster_volume_heal_pending_entries", "gluster_volume_split_brain_entries",
        "gluster_volume_free_bytes", "gluster_volume_bricks_up", "gluster_brick_free_bytes",
        "gluster_brick_heal_pending_entries", "gluster_report_age_seconds",
    }  # fmt: skip
    nothing = {"unknown": "glusterd is down"}
    blind = told(pool_samples({**DATA, "volumes": nothing, "nodes": nothing}, []))
    assert not {key[0] for key in blind} & {"gluster_nodes", "gluster_volumes", "gluster_node_up"}


def test_a_brick_that_the_leader_knows_to_be_dead_is_not_up() -> None:
    late = {**DATA, "leader_knows": {"g1:/b": "down, says m1"}}
    rows = told(pool_samples(late, COPY.reports))
    assert rows["gluster_brick_up", "data", "g1", "/b"] == 0
    assert rows["gluster_brick_up", "data", "g2", "/b"] == 1


def test_a_node_tells_what_it_knows_by_itself() -> None:
    rows = told(node_samples(report("g1")))
    assert rows["gluster_peers", "g1"] == rows["gluster_peers_connected", "g1"] == 2
    assert rows["gluster_brick_up", "data", "g1", "/b"] == 1 and rows["gluster_held",] == 0
    alone = {**report("g1"), "peers": {"unknown": "x"}, "bricks": {"unknown": "x"}}
    assert set(told(node_samples(alone))) == {("gluster_held",)}


def test_the_leader_and_each_engine_tell_of_themselves() -> None:
    status = {"mode": "open", "operations": [{"state": "waiting"}, {"state": "waiting"}],
              "refused": [{}], "trouble": [{"kind": "raft"}]}  # fmt: skip
    rows = told(automation_samples(status))
    assert rows["gluster_operations", "waiting"] == 2 and rows["gluster_refused",] == 1
    assert rows["gluster_automation_mode", "open"] == rows["gluster_trouble", "raft"] == 1
    assert list(automation_samples(None)) == []
    figures = EngineFigures("m1", True, True, 2.5, 7, 1, {"intent": 3})
    rows = told(engine_samples(figures))
    assert rows["gluster_engine_leader", "m1"] == 1
    assert rows["gluster_engine_view_age_seconds", "m1"] == 2.5
    assert rows["gluster_engine_decisions_total", "m1", "intent"] == 3
    assert Sample("gluster_engine_ticks_total", 7, ("m1",)) in list(engine_samples(figures))
