"""Begin the ACL of the pool's Consul, so that no node ever has the token that may do everything.

Consul 1.8 gives whoever asks first a token of its own choice. That one makes the token of
management that the vault has, and goes: a snapshot of an earlier life of this Consul has the
vault's, too.
"""

from __future__ import annotations

import json
import time
from typing import Any

from salt_gluster.consul.acl import revoke_secret
from salt_gluster.consul.client import Client
from salt_gluster.consul.settings import Access
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.master.deploy.secret_store import SecretStore

#: Consul's own policy of that name, which may do everything.
_MANAGEMENT = "00000000-0000-0000-0000-000000000001"
_UNKNOWN, _BEGUN = "acl not found", "no longer allowed"
#: A Consul that has just begun answers with these for a moment (facts.md#K-5.3).
_EARLY = ("legacy mode", "no cluster leader", "rpc error")
_PAUSE_S = 0.5


def begin(kept: SecretStore, client: Client, *, patience_s: float) -> bool:
    """Make Consul know the vault's token of management, with which ``client`` speaks.

    Return whether it did not before. ``GlusterError`` of kind ``begun`` where somebody else has
    begun the ACL.
    """
    end = time.monotonic() + patience_s
    begun, refusal = False, ""
    while not _knows(client, patient := time.monotonic() < end):
        if time.monotonic() > end + patience_s:
            raise _begun_by_another(refusal)
        first = kept.first_token()
        if not first:
            first, refusal = _first_token(client, patient)
            if first:
                kept.keep_first_token(first)
        if first:
            _make_ours(kept, client, first, patient)
            begun = True
        time.sleep(_PAUSE_S)
    if first := kept.first_token():
        revoke_secret(client, first)
        kept.forget_first_token()
    return begun


def _knows(client: Client, patient: bool) -> bool:
    try:
        client.transport.get(lambda answer: None, "/v1/acl/token/self")
    except ConsulError as err:
        if _says(err, _UNKNOWN) or (patient and _is_early(err)):
            return False
        raise
    return True


def _first_token(client: Client, patient: bool) -> tuple[str, str]:
    """Begin; return Consul's token, or "" and why: it was done before, or is not yet possible."""
    try:
        answer = client.transport.put(_plain, "/v1/acl/bootstrap")
    except ConsulError as err:
        if _says(err, _BEGUN) or (patient and _is_early(err)):
            return "", err.text
        raise
    return str(answer["SecretID"]), ""


def _make_ours(kept: SecretStore, client: Client, first: str, patient: bool) -> None:
    """Make the vault's token by the first one; one of an earlier life of Consul is dropped."""
    body = {
        "SecretID": kept.secrets().management, "Description": "salt-gluster: management",
        "Policies": [{"ID": _MANAGEMENT}],
    }  # fmt: skip
    by = Client(Access(client.where.address, first, client.where.ca))
    try:
        by.transport.put(lambda answer: None, "/v1/acl/token", data=json.dumps(body))
    except ConsulError as err:
        if _says(err, _UNKNOWN):
            kept.forget_first_token()
        elif not (_says(err, "already in use") or (patient and _is_early(err))):
            raise
    finally:
        by.close()


def _says(err: ConsulError, words: str) -> bool:
    return words in f"{err.message} {err.text}".lower()


def _is_early(err: ConsulError) -> bool:
    return err.kind in ("no_leader", "server_error") or any(_says(err, word) for word in _EARLY)


def _begun_by_another(refusal: str) -> GlusterError:
    return ConsulError(
        "the ACL of the pool's Consul was begun by somebody else: it does not know this master's"
        " token, and gives no first one any more.", kind="begun", text=refusal,
        hint="Is there another master with other secrets? Else: docs/consul.md, *An ACL that"
        " somebody else has begun*.",
    )  # fmt: skip


def _plain(answer: Any) -> Any:
    return json.loads(answer.body)
