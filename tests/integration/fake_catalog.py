"""The catalog of one cluster, written by the test, and what engines told of it."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from consul_world import inside
from engine_process import Process
from recorded_pool import UUID, identity, plain, replicated, report
from waiting import pace, until

from lab import Node
from salt_gluster.consul import service
from salt_gluster.consul.client import Client
from salt_gluster.consul.documents import Document
from salt_gluster.consul.leader_lock import current_leader
from salt_gluster.consul.service import Member
from salt_gluster.consul.settings import Access
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.model import Change

#: With the real lease: a killed holder's session lives 20 s, the lock-delay 15 s; an election
#: begins both anew.
HAND_OVER_S = 120
LOOKS_EVERY_S = 60.0


class Consul:
    """The catalog of a cluster, written through one node's agent."""

    #: When Consul's leader last looked for nodes to take away, by lab.
    looked_at: ClassVar[dict[str, float]] = {}

    def __init__(self, node: Node, cluster: str, access: Access | None = None) -> None:
        self.cluster, self._node, self._lab = cluster, node, str(node.lab.directory)
        self._client = Client(access or Access())
        self.store = Store(self._client, cluster)
        self.keys = self.store.keys
        self._names: list[str] = []
        until(self.answers, 60, "Consul")
        with inside(node):
            self._client.kv_put(self.keys.canary, "here")

    def answers(self) -> bool:
        with inside(self._node), contextlib.suppress(ConsulError):
            return self._client.kv_put("probe", "1")
        return False

    def has(self, key: str) -> bool:
        with inside(self._node):
            return self._client.kv_get(key) is not None

    def leader(self) -> str:
        """Return who holds the lock, by its own words."""
        with inside(self._node):
            lead = current_leader(self._client, self.cluster)
        return lead.holder if lead.held else ""

    def register(self, number: int) -> str:
        """Put a node with the service into the catalog.

        Without a serfHealth: Consul's leader takes away who has one and is not in its gossip.
        """
        name = f"{self.cluster}-n{number}"
        me = Member(UUID.format(number), name, name, self.cluster)
        body = {
            "Node": name, "Address": "198.18.255.1",
            "Service": {"Service": service.SERVICE, "ID": service.SERVICE, "Meta": me.meta()},
        }  # fmt: skip
        self._put("/v1/catalog/register", body)
        self._names.append(name)
        return name

    def tell(self, nodes: int, value: int) -> None:
        """Write the reports of these nodes, as if a person had set an option on the first."""
        now, names = time.time(), [f"n{number}" for number in range(nodes)]
        change = Change(now, f"volume set data user.value {value}", ours=False)
        for number in range(nodes):
            by_hand = None if number else change
            self._report(number, report(number, names, plain(value), now, change=by_hand))

    def declare(self, nodes: int, policy: Mapping[str, Any]) -> list[str]:
        """Register a whole pool with a replicated volume, all well, and submit this policy."""
        now, names = time.time(), [self.register(number) for number in range(nodes)]
        for number, name in enumerate(names):
            self._report(number, report(number, names, replicated(names), now))
            with inside(self._node):
                self.store.write(self.keys.identity(UUID.format(number)),
                                 identity(number, name, replicated(names), now))  # fmt: skip
        said = {"schema": 1, "at": now, "by": names[0], "spec": {"nodes": names}, "policy": policy}
        with inside(self._node):
            for number in range(nodes):
                self.store.submit(UUID.format(number), said)
        return names

    def lose_brick(self, number: int, names: list[str]) -> None:
        """Let the brick of one node have no process any more, as its sensor would tell it."""
        volume, now = replicated(names), time.time()
        self._report(number, report(number, names, volume, now, dead={number}))
        check = {"Node": names[number], "CheckID": "gluster:bricks", "Name": "bricks",
                 "ServiceID": service.SERVICE, "Status": "critical"}  # fmt: skip
        self._check(names[number], check)

    def mode(self) -> str:
        """Return the fleet's mode as the leader has written it."""
        with inside(self._node):
            found = self.store.read(self.keys.status)
        return "" if found is None else str(found.data["mode"])

    def operations(self) -> list[dict[str, Any]]:
        """Return every operation that was ever claimed."""
        with inside(self._node):
            return [d.data for d in self.store.operations() if isinstance(d, Document)]

    def _report(self, number: int, said: dict[str, Any]) -> None:
        with inside(self._node):
            self.store.write(self.store.keys.node(UUID.format(number)), said)

    def version(self) -> int:
        """Return the number of the current version of the configuration."""
        with inside(self._node):
            found = self.store.current()
        return 0 if found is None else int(found.data["version"])

    def serf(self, name: str, status: str) -> None:
        check = {"Node": name, "CheckID": "serfHealth", "Name": "serf", "Status": status}
        self._check(name, check)

    def just_looked(self, needs_s: float = 20.0) -> None:
        """Wait until Consul's leader will not look for so long who is not in its gossip.

        It does so every 60 s, and takes away who is not there and has a serfHealth, service and
        all.
        """
        next_at = self.looked_at.get(self._lab, -math.inf) + LOOKS_EVERY_S
        if next_at - time.monotonic() > needs_s * pace():
            return
        bait = f"{self.cluster}-bait"
        self.serf(bait, "passing")

        def is_gone() -> bool:
            with inside(self._node):
                return not self._client.in_catalog(bait)

        until(is_gone, 90, "the look of Consul's leader", step_s=0.1)
        self.looked_at[self._lab] = time.monotonic()

    def _check(self, name: str, check: dict[str, str]) -> None:
        body = {"Node": name, "Address": "198.18.255.1", "SkipNodeUpdate": True, "Check": check}
        self._put("/v1/catalog/register", body)

    def clear(self) -> None:
        for name in self._names:
            self._put("/v1/catalog/deregister", {"Node": name})
        with inside(self._node):
            self._client.kv_delete(self.keys.root, recurse=True)

    def _put(self, path: str, body: dict[str, Any]) -> None:
        with inside(self._node):
            put = self._client.library.http.put
            put(lambda answer: answer, path, data=json.dumps(body))


def named(process: Process, event: str) -> dict[str, set[str]]:
    """Return name -> the ids under which the event was fired for it."""
    ids: dict[str, set[str]] = {}
    for told in process.fired(event):
        ids.setdefault(told["data"]["name"], set()).add(told["data"]["id"])
    return ids


def leads(process: Process, consul: Consul) -> bool:
    return consul.leader() == process.folder.name
