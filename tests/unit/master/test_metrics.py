"""``/metrics``: from the copy in Consul, on this machine alone, one read for many scrapes."""

from __future__ import annotations

import logging
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from salt_gluster.consul import cluster_snapshot
from salt_gluster.consul.heartbeat import heartbeat_op
from salt_gluster.consul.known_reports import KnownReports
from salt_gluster.consul.report_parts import write_report
from salt_gluster.errors import SpecError
from salt_gluster.master.metrics import Exporter, begin, serve
from salt_gluster.status.metrics import EngineFigures
from tests.unit.master.test_requests import World
from tests.unit.master.test_status import NODES, report


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A pool of three that its nodes have told, and its leader lives."""
    world = World(tmp_path)
    pool = world.pool()
    for name in NODES:
        told = {**report(name), "after": {"by": "m1", "at": 1995.0, "changed": 1 << 40}}
        write_report(pool.store, f"u-{name}", told)
    pool.client.txn([heartbeat_op(pool.store.keys, "m1", 1995.0)])
    return world


class Time:
    now = 100.0


def exporter(world: World) -> Exporter:
    def figures() -> EngineFigures:
        return EngineFigures("m1", True, True, 1.0, 4)

    return Exporter(lambda: world.pool(reports=True), figures, "m1", clock=lambda: Time.now)


@pytest.fixture
def server(world: World) -> Iterator[Any]:
    made = serve(exporter(world), {"port": 0})
    yield made
    made.shutdown()
    made.server_close()


def scraped(server: Any, path: str = "/metrics") -> str:
    url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return str(answer.read().decode())


def test_a_scrape_tells_pool_automation_and_engine(server: Any) -> None:
    text = scraped(server)
    for line in (
        "gluster_copy_usable 1.0", "gluster_status_code 0.0", 'gluster_node_up{node="g3"} 1.0',
        'gluster_brick_up{node="g1",path="/b",volume="data"} 1.0',
        'gluster_automation_mode{mode="open"} 1.0', 'gluster_engine_leader{engine="m1"} 1.0',
        'gluster_engine_ticks_total{engine="m1"} 4.0',
    ):  # fmt: skip
        assert line in text.splitlines(), text
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        scraped(server, "/")


def test_many_scrapes_cost_consul_one_read_and_none_costs_a_change(world: World) -> None:
    own, before = exporter(world), dict(world.consul.keys)
    own.text()
    first = len(world.consul.requests)
    Time.now += 4
    assert "gluster_copy_read_age_seconds 4.0" in own.text()
    assert len(world.consul.requests) == first
    assert world.consul.keys == before


def test_a_report_is_judged_once_while_it_is_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, judged = cluster_snapshot.report_from, list[str]()

    def counted(data: Any, uuid: str = "") -> Any:
        judged.append(uuid)
        return read(data, uuid)

    monkeypatch.setattr(cluster_snapshot, "report_from", counted)
    known = KnownReports()
    first = known.of(world.pool().snapshot(reports=True))
    assert judged == [f"u-{n}" for n in NODES]
    assert first == world.pool().snapshot(reports=True).reports
    judged.clear()
    pool = world.pool()
    write_report(pool.store, "u-g2", {**report("g2"), "version": "11.2"})
    again = known.of(pool.snapshot(reports=True))
    assert judged == ["u-g2"] and again["u-g2"]["version"] == "11.2"
    assert again["u-g1"] is first["u-g1"]


def test_a_copy_that_cannot_be_shown_is_told_as_that_and_no_pool_is(world: World) -> None:
    pool = world.pool()
    pool.client.txn([heartbeat_op(pool.store.keys, "m1", 1.0)])
    text = exporter(world).text()
    assert "gluster_copy_usable 0.0" in text and "gluster_node_up" not in text
    assert 'gluster_engine_leader{engine="m1"} 1.0' in text
    del world.consul.keys["gluster/main/canary"]
    assert "gluster_copy_usable 0.0" in exporter(world).text()


@pytest.mark.parametrize("wanted", ["x", {"adress": "::1"}, {"port": "x"}, {"port": 70000}])
def test_a_setting_that_is_none_is_named(world: World, wanted: Any) -> None:
    with pytest.raises(SpecError, match="metrics"):
        serve(exporter(world), wanted)


def test_an_engine_starts_without_the_library_and_on_a_port_that_is_taken(
    world: World, server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert begin(exporter(world), False) is None
        assert begin(exporter(world), {"port": server.server_address[1]}) is None
        assert "cannot be served on 127.0.0.1" in caplog.text
        monkeypatch.setitem(sys.modules, "prometheus_client", None)
        assert begin(exporter(world), {}) is None and begin(exporter(world), None) is None
    said = [(r.levelname, "prometheus_client" in r.getMessage()) for r in caplog.records]
    assert said == [("ERROR", False), ("ERROR", True), ("INFO", True)]
