"""Which gluster uuid a minion has that asks for its admission: by its own word, with a proof."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any

from salt_gluster.consul.admission_proof import proven_uuid
from salt_gluster.errors import GlusterError
from salt_gluster.master.deploy.secret_store import AgentCredentials

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Whether an answer is of the minion that was asked.
Believes = Callable[[Any], bool]

_ASKS_AGAIN = (
    "Nothing was admitted; the node asks again. By hand its highstate comes first, which writes its"
    " access to Consul: state.apply gluster."
)


def own_uuid(before: AgentCredentials, uuid: str, says: Callable[[str, Believes], Any]) -> str:
    """Return a node's gluster uuid by its own word; ``uuid`` is what it has to be, "" = any.

    A request comes without: what others could put there would keep the node's own one out. Its own
    word is what its own token proves: anybody may answer on Salt's bus in its name.
    """
    if uuid and not _UUID.fullmatch(uuid):
        raise GlusterError(f"{uuid!r} is no gluster uuid.", kind="no_identity")
    if uuid and before.uuid == uuid:
        return uuid
    minion, nonce = before.name, f"n{secrets.token_hex(16)}"  # never a number to Salt

    def proven(answer: Any) -> str:
        return proven_uuid(answer, before.node, minion, nonce)[:60]

    said = proven(says(nonce, lambda answer: bool(proven(answer))))
    if uuid and said != uuid:
        raise GlusterError(
            f"{minion} itself says that its gluster uuid is {said or 'not known'}, not {uuid}.",
            kind="mismatch", hint=_ASKS_AGAIN,
        )  # fmt: skip
    if _UUID.fullmatch(said):
        return said
    if not before.uuid:  # else it is busy: its rights are of the node that it was
        raise GlusterError(
            f"{minion} does not say its gluster uuid, with the proof that it is {minion}.",
            kind="no_identity", hint=_ASKS_AGAIN,
        )  # fmt: skip
    return before.uuid
