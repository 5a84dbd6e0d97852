"""Read and exchange the key by which Consul's agents encrypt their gossip.

An agent keeps its keys in its data folder: once it has started, the key in its configuration means
nothing to it (facts.md#K-8.1).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from salt_gluster.consul.client import Client
from salt_gluster.errors import ConsulError, GlusterError

T = TypeVar("T")

_PATH = "/v1/operator/keyring"
#: What a server may be asked to do with the keys, in the order of an exchange.
PHASES = ("look", "install", "use", "remove")
#: For so long an answer is asked for again that lacks an agent: one that is busy, or a datagram
#: lost, and Consul answers with an error after 3.2 s (facts.md#K-8.2).
AGAIN_S, PAUSE_S = 20.0, 0.5
_LACKS_ONE = "nodes reported success"


@dataclass(frozen=True)
class Keyring:
    """The keys of all agents that answer: key -> how many have it, and how many encrypt by it."""

    keys: Mapping[str, int] = field(repr=False)
    primary: Mapping[str, int] = field(repr=False)
    agents: int = 0

    @property
    def in_use(self) -> str:
        """Return the one key by which all agents encrypt, "" where they are not of one mind."""
        return next(iter(self.primary)) if len(self.primary) == 1 else ""


def keyring(client: Client) -> Keyring:
    """Return it; ``client`` may manage."""
    rings = client.transport.get(lambda answer: json.loads(answer.body), _PATH)
    (ring,) = (ring for ring in rings if not ring.get("WAN"))
    return Keyring(ring["Keys"], ring.get("PrimaryKeys") or {}, int(ring["NumNodes"]))


def install(client: Client, key: str) -> None:
    """Let every agent know a key beside its own."""
    _tell(client.transport.post, key)


def use(client: Client, key: str) -> None:
    """Let every agent encrypt by a key that all know."""
    _tell(client.transport.put, key)


def remove(client: Client, key: str) -> None:
    """Let every agent forget a key that none encrypts by."""
    _tell(client.transport.delete, key)


def fingerprint(key: str) -> str:
    """Return what tells two keys apart and shows neither: a key is 256 random bits."""
    return hashlib.sha256(f"salt-gluster {key}".encode()).hexdigest()[:12] if key else ""


def exchange(client: Client, phase: str, new: str) -> dict[str, Any]:
    """Do one phase of an exchange of keys on all agents; return how it stands then.

    ``{agents, have, use, in_use, new}``: how many agents there are, have the new key and encrypt by
    it; the fingerprint of the key that all encrypt by ("" = several), and of the new one. No key.
    ``GlusterError`` where the phase would leave an agent behind.
    """
    if phase not in PHASES:
        raise GlusterError(f"{phase!r} is no phase of an exchange: {', '.join(PHASES)}.",
                           kind="unknown")  # fmt: skip
    if phase != "look" and not new:
        raise GlusterError(
            "this node's pillar has no new gossip key.", kind="needed",
            hint="It has one while salt-run gluster_consul.exchange_gossip_key runs, on a Consul"
            " server only.",
        )  # fmt: skip
    before = _complete(lambda: keyring(client))
    if phase == "install":
        _complete(lambda: install(client, new))
    if phase == "use":
        _refuse_unless(before.keys.get(new, 0), before, "have the new key")
        _complete(lambda: use(client, new))
    if phase == "remove":
        _refuse_unless(before.primary.get(new, 0), before, "encrypt by the new key")
        for old in sorted(set(before.keys) - {new}):
            _complete(lambda key=old: remove(client, key))  # type: ignore[misc]
    after = _complete(lambda: keyring(client))
    return {
        "agents": after.agents, "have": after.keys.get(new, 0), "use": after.primary.get(new, 0),
        "in_use": fingerprint(after.in_use), "new": fingerprint(new),
    }  # fmt: skip


def _complete(ask: Callable[[], T]) -> T:
    """Ask until every agent has answered, for a bounded time; each request may be repeated."""
    end = time.monotonic() + AGAIN_S
    while True:
        try:
            return ask()
        except ConsulError as err:
            lacks_one = err.kind in ("no_leader", "timeout") or _LACKS_ONE in err.text
            if not lacks_one or time.monotonic() > end:
                raise
        time.sleep(PAUSE_S)


def _refuse_unless(count: int, ring: Keyring, what: str) -> None:
    if count != ring.agents:
        raise GlusterError(f"{count} of {ring.agents} agents {what}.", kind="needed",
                           hint="See: consul members.")  # fmt: skip


def _tell(verb: Any, key: str) -> None:
    verb(lambda answer: None, _PATH, data=json.dumps({"Key": key}))
