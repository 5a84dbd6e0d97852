"""Register the master as a webhook of this node's GlusterFS, and prove that an event arrives.

Each node looks after itself: its daemon posts its own events, so nothing here asks the pool.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from salt_gluster import node
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.gluster.events import PROBE
from salt_gluster.minion.context import Minion
from salt_gluster.node import Eventsd
from salt_gluster.render import state_dict
from salt_gluster.spec import values

SERVICE = "glustereventsd"
#: A datagram may be lost; a daemon that was started just now is not there yet.
SEND_EVERY_S = 1.0
LOOK_EVERY_S = 0.1
ASK_S = 3.0
#: After this long without an event a daemon that runs is started anew, once.
MEND_AFTER_S = 5.0


def subscribed(
    name: str, minion: Minion, url: str, token: str, *, prove: bool = True, wait_s: float = 30
) -> dict[str, Any]:
    """Ensure that this node posts its events to ``url``, and that one arrives."""
    _checked(url, token)
    seen = node.eventsd()
    wanted = with_webhook(seen.webhooks, url, token)
    changes = _webhook(seen.webhooks, wanted, url) | _daemon(minion, seen, wanted)
    if minion.test:
        would = f"would change: {', '.join(changes)}" if changes else f"{url} is registered"
        return state_dict(name, None if changes else True, changes, would)
    _apply(minion, changes, wanted, seen.webhooks)
    if not prove:
        return state_dict(name, True, changes, f"{url} is registered")
    took_s = _proved(minion, url, token, values.seconds(wait_s, "wait_s"), changes)
    if isinstance(took_s, str):
        return state_dict(name, False, changes, took_s)
    return state_dict(
        name, True, changes, f"{url} is registered; an event of this node arrived in {took_s:.1f} s"
    )


def unsubscribed(name: str, minion: Minion, url: str) -> dict[str, Any]:
    """Ensure that this node posts nothing to ``url``; other webhooks stay."""
    seen = node.eventsd()
    if url not in seen.webhooks:
        return state_dict(name, True, {}, f"{url} is not registered")
    wanted = {k: v for k, v in seen.webhooks.items() if k != url}
    changes: dict[str, Any] = {"webhook": {"old": url, "new": None}}
    if seen.since is not None:
        changes[SERVICE] = {"old": "with older webhooks", "new": "running"}
    if not minion.test:
        _apply(minion, changes, wanted, seen.webhooks)
    return state_dict(name, None if minion.test else True, changes, f"{url} is taken out")


def with_webhook(existing: Mapping[str, Any], url: str, token: str) -> dict[str, Any]:
    """Return the webhooks with ours: once, and not beside an older address of ours.

    Ours is what carries our token; everybody else's entry stays as it is.
    """
    kept = {k: v for k, v in existing.items() if k == url or _token(v) != token}
    if _token(kept.get(url)) == token and not _secret(kept[url]):
        return kept
    return kept | {url: {"token": token, "secret": ""}}


def _token(entry: Any) -> str:
    """An older GlusterFS kept the token alone."""
    return str(entry.get("token") or "") if isinstance(entry, Mapping) else str(entry or "")


def _secret(entry: Any) -> str:
    """A secret makes the daemon sign, which it cannot under Python 3: it then posts nothing."""
    return str(entry.get("secret") or "") if isinstance(entry, Mapping) else ""


def _checked(url: str, token: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SpecError("url", f"{url!r} is no address of a webhook.",
                        hint="For example: http://10.0.0.5:24017/gluster.")  # fmt: skip
    if not token:
        raise SpecError("token", "a webhook without a token is open to everybody.",
                        hint="Give it the token of the receiver.")  # fmt: skip


# --- what differs, and what is done about it -----------------------------------------------------


def _webhook(existing: Mapping[str, Any], wanted: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return the difference in words: a token never shows."""
    if dict(existing) == dict(wanted):
        return {}
    old = sorted(set(existing) - set(wanted))
    if url in existing:
        old.append(f"{url} with another token")
    return {"webhook": {"old": ", ".join(old) or None, "new": url}}


def _daemon(minion: Minion, seen: Eventsd, wanted: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    is_installed = bool(minion.call("service.available", SERVICE))
    if not is_installed and not minion.test:  # in test mode it may be about to be installed
        raise GlusterError(
            f"this node has no {SERVICE}, so GlusterFS tells no events.", kind="not_installed",
            hint="Install the package that holds it: glusterfs-server on Debian, glusterfs-events"
            " elsewhere.",
        )  # fmt: skip
    if seen.mode is None or seen.mode & 0o077:
        old = None if seen.mode is None else f"{seen.mode:04o}"
        changes["folder"] = {"old": old, "new": "0700"}
    if not is_installed or not minion.call("service.enabled", SERVICE):
        changes["boot"] = {"old": "disabled", "new": "enabled"}
    if seen.since is None:
        changes[SERVICE] = {"old": "stopped", "new": "running"}
    elif not seen.is_current or dict(seen.webhooks) != dict(wanted):
        changes[SERVICE] = {"old": "with older webhooks", "new": "running"}
    return changes


def _apply(
    minion: Minion, changes: Mapping[str, Any],
    wanted: Mapping[str, Any], existing: Mapping[str, Any],
) -> None:  # fmt: skip
    if "folder" in changes:
        node.close_events_folder()
    if "webhook" in changes:
        gone = set(existing) - set(wanted)

        def change(now: dict[str, Any]) -> dict[str, Any]:
            """Others may have added theirs since we looked."""
            ours = {k: v for k, v in wanted.items() if existing.get(k) != v}
            return {k: v for k, v in now.items() if k not in gone} | ours

        node.write_webhooks(change)
    if "boot" in changes:
        minion.call("service.enable", SERVICE)
    if SERVICE in changes:
        _start(minion, stopped=changes[SERVICE]["old"] == "stopped")


def _start(minion: Minion, *, stopped: bool) -> None:
    """Start it anew: a reload reaches no daemon whose pid file is gone."""
    done = minion.call("service.start" if stopped else "service.restart", SERVICE)
    if not done:
        raise GlusterError(
            f"{SERVICE} does not start.", kind="daemon_down",
            hint=f"See journalctl -u {SERVICE} and /var/log/glusterfs/events.log.",
        )  # fmt: skip


# --- the proof -----------------------------------------------------------------------------------


def _proved(
    minion: Minion, url: str, token: str, wait_s: float, changes: dict[str, Any]
) -> float | str:
    """Return after how long an event that this node sent had arrived, or why none did."""
    driver = minion.driver()
    began = driver.now()
    ask = _Asked(url, token)
    while driver.now() - began < wait_s:
        if ask.has_arrived(driver.now, driver.sleep):
            return float(driver.now() - began)
        if ask.answers and SERVICE not in changes and driver.now() - began > MEND_AFTER_S:
            changes[SERVICE] = {"old": "posting nothing", "new": "running"}
            _start(minion, stopped=False)
    return _why_not(url, ask, node.eventsd())


class _Asked:
    """One event on its way: sent again and again under one sign, and asked for."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._sign = uuid.uuid4().hex
        self._said: bool | str = False

    @property
    def answers(self) -> bool:
        """Whether the receiver can be asked."""
        return isinstance(self._said, bool)

    @property
    def why(self) -> str:
        """Why it cannot."""
        return "" if isinstance(self._said, bool) else self._said

    def has_arrived(
        self, now: Callable[[], float], sleep: Callable[[float], object]
    ) -> bool:  # fmt: skip
        """Send once, and look for a moment whether it is there."""
        node.send_event(node.eventsd().port, PROBE, self._sign)
        until = now() + SEND_EVERY_S
        while now() < until:
            sleep(LOOK_EVERY_S)
            self._said = node.arrived(self._url, self._token, self._sign, ASK_S)
            if self._said is True:
                return True
        return False


def _why_not(url: str, ask: _Asked, seen: Eventsd) -> str:
    """Return a sentence that says where to look."""
    if ask.why:
        return (
            f"{url} is registered here, but {ask.why}. On the master: does the engine"
            " gluster_events run at that address, with this token?"
        )
    if seen.since is None:
        why = f"{SERVICE} does not run: see journalctl -u {SERVICE}"
    elif seen.listens != seen.port:
        why = (
            f"{SERVICE} listens at port {seen.listens}, glusterd sends to {seen.port}:"
            " gluster-eventsapi config-reset port, then run this again"
        )
    else:
        why = "see /var/log/glusterfs/events.log"
    return f"{url} is registered here and answers, but no event arrived: {why}."
