"""Read and exchange the key by which Consul's agents encrypt their gossip.

An agent keeps its keys in its data folder: once it has started, the key in its configuration means
nothing to it (facts.md#K-8.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from salt_gluster.consul.client import Client

_PATH = "/v1/operator/keyring"


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


def _tell(verb: Any, key: str) -> None:
    verb(lambda answer: None, _PATH, data=json.dumps({"Key": key}))
