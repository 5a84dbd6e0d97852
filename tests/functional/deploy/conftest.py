"""A master of its own for each test, and no Consul agent on the test's machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import salt.client
import salt.config
import salt.loader
from a_master import Agent, Master

from salt_gluster import node
from salt_gluster.consul import agent
from salt_gluster.master import jobs


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


@pytest.fixture
def own_agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    made = Agent()
    monkeypatch.setattr(agent, "ensure", made.ensure)
    monkeypatch.setattr(agent, "answers", lambda where: False)
    monkeypatch.setattr(
        node, "reaches_from", lambda host, port: "192.0.2.1" if host == "192.0.2.2" else ""
    )
    for name in [n for n in os.environ if n.startswith("CONSUL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(salt.client, "get_local_client", lambda mopts: made)
    monkeypatch.setattr(jobs, "ask", made.ask)
    return made
