"""Every error this project raises.

::

    GlusterError                    kind, text (gluster's own words), hint (what to do next)
      CommandFailed                 gluster ran and said no: op_ret, op_errno, argv
        NotFound                    the volume, brick, peer … is not there
        AlreadyExists               it is there: done, or taken by something else; compare
        Conflict                    another transaction holds the lock; worth a retry
        QuorumLost                  server quorum forbids the change
      OutcomeUnknown                  timeout or killed: it may have happened. Read back first
      Unreadable                    output that cannot be parsed: unknown, never zero
      SpecError                     the pillar or an argument is wrong: key, what was expected
      ConsulError                     Consul gave no answer or said no: kind, maybe_done, failed
        NoLeader                      it cannot know now: no view of Consul
        Fenced                        another engine leads: nothing was written

A refusal is not an error: it is data (``model.Refusal``). Only the classes live here; which gluster
text means which kind stands in ``gluster/error_texts.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any


class GlusterError(Exception):
    """Base of the family. ``str()`` is one readable paragraph: message, gluster's words, hint."""

    default_kind = "error"

    #: Whose words ``text`` is.
    speaker = "gluster"
    #: What was changed before it failed, as a state's changes.
    changed: Mapping[str, Any] = MappingProxyType({})
    #: The peers that refused, where gluster names them.
    hosts: tuple[str, ...] = ()

    def __init__(self, message: str, *, kind: str = "", text: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind or self.default_kind
        self.text = text
        self.hint = hint

    def __str__(self) -> str:
        told = self.text and self.text not in self.message
        said = f" {self.speaker} said: {self.text}" if told else ""
        if said and self.hint and not said.endswith((".", "?", "!", ":")):
            said += "."
        more = said + (f" {self.hint}" if self.hint else "")
        is_ended = not more or self.message.endswith((".", "?", "!", ":"))
        return self.message + ("" if is_ended else ".") + more

    def as_dict(self) -> dict[str, str]:
        """Return plain data for ``--out json`` and events."""
        return {"kind": self.kind, "message": self.message, "text": self.text, "hint": self.hint}


class CommandFailed(GlusterError):
    """Gluster ran the command and refused it."""

    default_kind = "command_failed"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "",
        text: str = "",
        hint: str = "",
        op_ret: int = -1,
        op_errno: int = 0,
        argv: Sequence[str] = (),
    ) -> None:
        super().__init__(message, kind=kind, text=text, hint=hint)
        self.op_ret = op_ret
        self.op_errno = op_errno
        self.argv = tuple(argv)


class NotFound(CommandFailed):
    """What was named is not there."""


class AlreadyExists(CommandFailed):
    """What should be made is there already, perhaps with other content."""


class Conflict(CommandFailed):
    """Another transaction holds the lock."""


class QuorumLost(CommandFailed):
    """Server quorum is lost; glusterd refuses changes."""


class OutcomeUnknown(GlusterError):
    """The command was cut off: it may have been carried out."""

    default_kind = "outcome_unknown"

    #: Until about when the pool or the volume stays locked after a time-out; None when it does not.
    locked_until: float | None = None


class Unreadable(GlusterError):
    """Output that is not what this command prints."""

    default_kind = "unreadable"


class SpecError(GlusterError):
    """The declaration is wrong; nothing was changed.

    ``key`` is the path in the pillar or the argument, such as ``volumes.data.replica``.
    """

    default_kind = "spec"

    def __init__(self, key: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{key}: {message}", hint=hint)
        self.key = key


class ConsulError(GlusterError):
    """Consul gave no answer or refused; ``kind`` says which (``consul/transport.py``).

    ``maybe_done`` is true of a write whose answer is missing: read back before repeating it.
    ``failed`` names the operations that a transaction stumbled over: (verb, key, Consul's words).
    """

    default_kind = "consul"
    speaker = "Consul"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "",
        text: str = "",
        hint: str = "",
        maybe_done: bool = False,
        failed: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        super().__init__(message, kind=kind, text=text, hint=hint)
        self.maybe_done = maybe_done
        self.failed = tuple(failed)


class NoLeader(ConsulError):
    """Consul has no leader, or this agent cannot reach it: what it tells may be old."""

    default_kind = "no_leader"


class Fenced(ConsulError):
    """The lock or the epoch is not ours (any more); nothing was written."""

    default_kind = "fenced"


# --- for the loader folders ----------------------------------------------------------------------


@contextmanager
def errors_as(kind: type[Exception]) -> Iterator[None]:
    """Raise this library's errors as ``kind``: Salt's own class, which is not imported here."""
    try:
        yield
    except GlusterError as problem:
        raise kind(str(problem)) from problem


def or_error(act: Callable[[], Any], code: int = 1) -> Any:
    """Return what ``act`` returns, or its error in the form that makes salt-run exit with it."""
    try:
        return act()
    except GlusterError as problem:
        return {"error": str(problem), "retcode": code}
