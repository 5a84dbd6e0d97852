"""Being in a node of the lab with one thread, and Consul's own programs there."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

from waiting import until

from lab import Node
from salt_gluster.consul.client import Client
from salt_gluster.consul.heartbeat import heartbeat_op
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.consul.settings import Access
from salt_gluster.errors import ConsulError
from salt_gluster.model import LEASE, Lease

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(node: Node) -> Iterator[None]:
    """Let this thread, and no other, live in the node's network; sockets made here stay there."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{node.holder()}/ns/net", os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(own)
        os.close(own)
        os.close(there)


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """Let this thread, and what it starts, live in a network that holds nothing but a loopback."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if _LIBC.unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        _enter(own)
        os.close(own)


def _enter(handle: int) -> None:
    if _LIBC.setns(handle, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Candidate:
    """An engine's session on one node: its thread renews every second until stopped.

    ``tells_time``: as a leader it writes its time, by which the nodes' looks are dated.
    """

    def __init__(
        self, node: Node, cluster: str, lease: Lease = LEASE, pause_s: float = 1.0,
        *, tells_time: bool = False,
    ) -> None:  # fmt: skip
        self._keys, self._tells_time = Keys(cluster), tells_time
        self.node = node
        self.client = Client(Access(), timeout_s=lease.renew_timeout_s)
        self.lock = LeaderLock(self.client, cluster, node.name, lease=lease)
        self.beats = 0
        self._pause_s = pause_s
        self._stop = threading.Event()
        #: Held while it renews; whoever holds it keeps it from renewing.
        self.renewing = threading.Lock()
        self._clean = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with inside(self.node):
            while not self._stop.is_set():
                with self.renewing:
                    self._renew()
                self.beats += 1
                self._stop.wait(self._pause_s)
            if self._clean:
                self.lock.stop()

    def _renew(self) -> None:
        if self.lock.renew() and self._tells_time:
            with contextlib.suppress(ConsulError):
                self.lock.write([heartbeat_op(self._keys, self.node.name, time.time())])

    def end(self, *, clean: bool = True) -> None:
        """Stop beating: with a hand-over, or as a process that was killed."""
        self._clean = clean
        self._stop.set()
        self._thread.join(20)


def consul_leader(nodes: list[Node]) -> Node:
    """Return the node whose agent leads Consul."""
    for node in nodes:
        done = node.run(["consul", "operator", "raft", "list-peers"])
        for line in done.stdout.splitlines():
            if " leader " in f" {' '.join(line.split())} ":
                return next(n for n in nodes if n.name == line.split()[0])
    raise AssertionError("Consul has no leader")


ACL = {
    "acl": {
        "enabled": True, "default_policy": "deny", "enable_key_list_policy": True,
        "tokens": {"master": "aaaaaaaa-0000-0000-0000-000000000001"},
    },
    "disable_update_check": True, "session_ttl_min": "1s",
    "ports": {"http": 18500, "dns": -1, "grpc": -1, "server": 18300, "serf_lan": 18301,
              "serf_wan": 18302},
}  # fmt: skip
ROOT_TOKEN = "aaaaaaaa-0000-0000-0000-000000000001"
FENCED_ADDRESS = "http://127.0.0.1:18500"


@contextlib.contextmanager
def agent_with_acl(node: Node) -> Iterator[None]:
    """Run one more Consul in the node, closed to everybody without a token."""
    node.ok(["sh", "-c", "cat > /run/acl.json"], input=json.dumps(ACL))
    agent = node.popen(
        ["sh", "-c", "exec consul agent -dev -config-file /run/acl.json >/run/acl.log 2>&1"]
    )
    try:
        with inside(node):
            root = Client(Access(FENCED_ADDRESS, ROOT_TOKEN))
            until(lambda: _answers(root), 60, "the closed Consul")
        yield
    finally:
        agent.kill()
        agent.wait(10)


def _answers(client: Client) -> bool:
    try:
        return client.kv_put("probe", "1")
    except Exception:
        return False


def make_token(root: Client, name: str, rules: str) -> str:
    """Make a policy and a token with it; return the token."""

    def secret(told: Any) -> Any:
        return json.loads(told.body)

    put = root.library.http.put
    put(secret, "/v1/acl/policy", data=json.dumps({"Name": name, "Rules": rules}))
    body = {"Policies": [{"Name": name}]}
    return str(put(secret, "/v1/acl/token", data=json.dumps(body))["SecretID"])
