"""Prove that an answer is of the minion that is asked, by its own token for Consul. Pure.

What minions answer comes over Salt's bus, where another accepted minion may put an answer in any
name (facts.md#S-10.3). Its token a node has from its pillar, which the master encrypts for its key
alone, and the vault knows it: whoever else answers cannot prove the uuid, for no question is put
twice.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any


def proof(token: str, minion: str, uuid: str, nonce: str) -> str:
    """Return the proof that this minion says this uuid to this question."""
    said = json.dumps(["salt-gluster admission", minion, uuid, nonce]).encode()
    return hmac.new(token.encode(), said, "sha256").hexdigest()


def proven_uuid(answer: Any, token: str, minion: str, nonce: str) -> str:
    """Return the uuid in an answer, "" where it has none or does not prove it."""
    if not isinstance(answer, Mapping) or not token:
        return ""
    uuid, shown = answer.get("uuid"), answer.get("proof")
    if not isinstance(uuid, str) or not isinstance(shown, str):
        return ""
    expected = proof(token, minion, uuid, nonce)
    return uuid if hmac.compare_digest(shown.encode(), expected.encode()) else ""
