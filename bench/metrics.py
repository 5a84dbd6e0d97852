"""Measure one scrape of ``/metrics``: 300 nodes and 200 volumes, the copy in a Consul in memory.

The real reader, the real documents, no network. Beside the scrape stands what the reader behind it
takes: the first time, and while no report is new. What a real Consul needs to send comes to that.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import engine as servers

sys.path.insert(0, str(servers.ROOT / "tests/support"))

from fake_consul import FakeConsul
from reports import T0, Nodes

from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.heartbeat import heartbeat_op
from salt_gluster.consul.pool import PoolClient
from salt_gluster.consul.report_parts import write_report
from salt_gluster.consul.store import Store
from salt_gluster.master import metrics, status
from salt_gluster.render.exposition import exposition
from salt_gluster.status.freshness import PoolCopy, copy_of
from salt_gluster.status.metrics import EngineFigures, pool_samples

LEADER = "m1"


def filled(nodes: Nodes) -> FakeConsul:
    """Return a Consul where every node has told its report, and a leader lives."""
    consul = FakeConsul()
    client = consul.client()
    session = client.session_create("engine", ttl_s=10, lock_delay_s=0)
    client.kv_put("gluster/main/canary", "1")
    client.kv_put("gluster/main/leader", json.dumps({"holder": LEADER}), acquire=session)
    store = Store(client, "main")
    client.txn([heartbeat_op(store.keys, LEADER, T0)])
    store.write(store.keys.status, {"schema": 1, "at": T0, "by": LEADER, "mode": "open"})
    after = {"by": LEADER, "at": T0, "changed": 1 << 40}
    for n, uuid in enumerate(nodes.uuids):
        write_report(store, uuid, {**nodes.report(n, T0), "after": after})
    return consul


def measured(consul: FakeConsul, folder: Path) -> dict[str, float]:
    """Return the seconds of a scrape, and of what the reader behind it does."""

    def pool() -> PoolClient:
        marker = FileMarker(folder)
        return PoolClient({}, reports=True, marker=marker, client=consul.client(), now=lambda: T0)

    with pool() as at:
        kept = status.stored(at.snapshot(reports=True), LEADER, T0)
    read_at = time.perf_counter()
    assert not isinstance(kept, str), kept
    copy = copy_of(kept)
    assert isinstance(copy, PoolCopy), copy
    data = status.of_copy(copy)
    judged_at = time.perf_counter()
    samples = list(pool_samples(data, copy.reports))
    text = exposition(samples)
    written_at = time.perf_counter()
    own = metrics.Exporter(pool, lambda: EngineFigures(LEADER, True, True, 1.0), LEADER)
    first_s, again_s = own.read(), own.read()
    own.text()
    begun = time.perf_counter()
    own.text()
    return {
        "scrape_s": round(time.perf_counter() - begun, 3), "first_read_s": round(first_s, 2),
        "again_read_s": round(again_s, 2), "judge_s": round(judged_at - read_at, 2),
        "write_s": round(written_at - judged_at, 2), "samples": len(samples), "bytes": len(text),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=300)
    parser.add_argument("--volumes", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sgm") as folder:
        told = measured(filled(Nodes(args.nodes, args.volumes)), Path(folder))
    print(json.dumps({"bench": "metrics", **vars(args), **told}))


if __name__ == "__main__":
    main()
