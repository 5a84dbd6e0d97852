"""Consul with an intent for gfn2, and gfn2."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from executing import Pool
from fleet import CLUSTER, SEAT

from salt_gluster import node
from salt_gluster.consul import canary
from salt_gluster.consul.service import Member
from salt_gluster.minion import report
from salt_gluster.minion.automation import registration, remediate


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pool:
    pool = Pool()
    me = Member(SEAT, "gfn2", "gfn2", CLUSTER)
    monkeypatch.setattr(canary, "FOLDER", tmp_path)
    monkeypatch.setattr(registration, "load_registration", lambda: me)
    monkeypatch.setattr(remediate, "connect", lambda settings, timeout_s: pool.consul.client())
    monkeypatch.setattr(report, "collect_report", lambda site: pool.place.report())
    monkeypatch.setattr(node, "one_job", lambda wait_s: contextlib.nullcontext())
    monkeypatch.setattr(node, "one_executor", contextlib.nullcontext)
    monkeypatch.setattr(node, "accepts", lambda host, port, limit: port in pool.place.listens)
    monkeypatch.setattr(node.LocalState, "get", lambda self, key: None)
    monkeypatch.setattr(node.LocalState, "put", lambda self, key, record: None)
    return pool
