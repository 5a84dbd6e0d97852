"""Rolling restart lock: one Consul server at a time may be away.

All servers may find at the same moment that they have to restart, and each sees two others to
spare. So there is a lock in Consul itself: it is held while a server is away, and released
when the others can do without one again.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator

from salt_gluster.consul.client import Client
from salt_gluster.consul.keys import Keys
from salt_gluster.errors import ConsulError, GlusterError

#: A server that never comes back holds the others up for twice this, and no longer
#: (facts.md#K-4.1).
TTL_S = 60
#: Four others may be before us, each away for some seconds and an election.
PATIENCE_S = 180.0
#: How long Consul may take to be whole again, once our agent answers.
WHOLE_S = 60.0
PAUSE_S = 1.0
#: These do not pass by themselves.
_HOPELESS = ("forbidden", "unreachable")


@contextlib.contextmanager
def restart_lock(client: Client, cluster: str, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Let one server at a time do what takes it away, and only while the others have a majority.

    ``GlusterError`` of kind ``needed`` where that does not come to pass; nothing was done then.
    ``client`` has the token of the server's own agent.
    """
    session = _acquire(client, Keys(cluster).restart_lock, patience_s)
    try:
        yield
        with contextlib.suppress(ConsulError):  # the next one looks for itself
            _until(lambda: _spare(client) > 0, WHOLE_S)
    finally:
        with contextlib.suppress(ConsulError):
            client.session_destroy(session)


def _acquire(client: Client, key: str, patience_s: float) -> str:
    """Take the lock and return the session that holds it."""
    session, why = "", ""

    def has_it() -> bool:
        nonlocal session, why
        try:
            name = "salt-gluster restart"
            session = session or client.session_create(name, ttl_s=TTL_S, lock_delay_s=0)
            client.session_renew(session)
            taken = client.kv_put(key, "", acquire=session)
            why = "no other may be lost now" if taken else "another server restarts"
            return taken and _spare(client) > 0
        except ConsulError as err:  # the one before us may have been Consul's leader
            # A token that has just made a session is unknown only to a leader that is new.
            if err.kind in _HOPELESS and not (session and "ACL not found" in err.text):
                raise
            session, why = "" if err.kind in ("not_found", "session_gone") else session, str(err)
            return False

    try:
        if _until(has_it, patience_s):
            return session
    except ConsulError as err:
        why = str(err)
    with contextlib.suppress(ConsulError):
        client.session_destroy(session)
    needs = "the agent needs another configuration and was not restarted"
    raise GlusterError(
        f"{needs}: {why.rstrip('.')}.", kind="needed",
        hint="Nothing was changed. Bring the other servers back and apply this again.",
    )  # fmt: skip


def _spare(client: Client) -> int:
    """Return how many servers may be lost; 0 as well where that cannot be seen at this moment."""
    try:
        health = client.transport.get(
            lambda answer: json.loads(answer.body), "/v1/operator/autopilot/health"
        )
    except ConsulError as err:
        if err.kind in _HOPELESS:
            raise
        return 0  # Consul answers 429 while it is not whole
    return int(health.get("FailureTolerance", 0))


def _until(check: Callable[[], bool], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE_S)
    return True
