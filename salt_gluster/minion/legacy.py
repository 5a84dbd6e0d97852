"""What Salt's own module ``glusterfs`` asked and returned, for a Salt that has none (3008).

The shapes are those of Salt 3007. Lines come from the table of commands, as a list of words: no
name can add a word or a command (facts.md#S-6.1).
"""

from __future__ import annotations

import logging
import posixpath
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from salt_gluster import node
from salt_gluster.errors import Conflict, GlusterError, OutcomeUnknown, SpecError, Unreadable
from salt_gluster.gluster.cli import TRIES
from salt_gluster.gluster.commands import Command, command
from salt_gluster.gluster.error_texts import classify
from salt_gluster.gluster.parse.answer import is_document, split_documents

log = logging.getLogger(__name__)

#: Runs these words for at most so many seconds, and returns all that was printed.
Run = Callable[[Sequence[str], int], str]
#: In ``volume status`` these stand where a brick's host name does, beside the two with a place of
#: their own in the answer.
_HEALER, _NFS = "Self-heal Daemon", "NFS Server"


class Legacy:
    """Gluster as Salt's old module asked it; ``why`` is what the last refusal said."""

    def __init__(self, run: Run, sleep: Callable[[float], None] = time.sleep) -> None:
        self._run, self._sleep = run, sleep
        self.why = ""

    def ask(self, name: str, **arguments: Any) -> Element | None:
        """Run a command of the table; return its answer, or None where gluster refuses.

        A lock of another transaction is waited for. Raises ``SpecError`` for a bad argument, and
        ``GlusterError`` where gluster did not answer at all.
        """
        row = command(name)
        argv = ["gluster", "--mode=script", f"--timeout={row.deadline_s}", "--xml"]
        argv += row.words(**arguments)
        for left in range(TRIES - 1, -1, -1):
            root = self._once(row, argv)
            if (root.findtext("opRet") or "").strip() == "0":
                self.why = ""
                return root
            error = _refusal(row, root)
            if not (isinstance(error, Conflict) and left):
                break
            self._sleep(0.1 + 0.4 * random.random())
        self.why = str(error)
        log.error("gluster refused %s: %s", " ".join(argv[4:]), error)
        return None

    def _once(self, row: Command, argv: Sequence[str]) -> Element:
        ended = node.note_sent(argv[4:]) if row.changes else None
        printed = self._run(argv, row.deadline_s)
        if ended:
            ended()
        document = next((d for d in split_documents(printed) if is_document(d)), "")
        try:
            root: Element = fromstring(document, forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError):
            raise _no_answer(row, printed.strip()) from None
        return root


def _refusal(row: Command, root: Element) -> GlusterError:
    text = (root.findtext("opErrstr") or "").strip() or (root.findtext("output") or "").strip()
    return classify(text, command=row.name, changes=row.changes)


def _no_answer(row: Command, printed: str) -> GlusterError:
    """Glusterd that is down answers in text; other text says nothing of what was done."""
    error = classify(printed, command=row.name, changes=row.changes)
    if error.kind != "other":
        return error
    message = f"{row.name}: no XML was printed."
    if not row.changes:
        return Unreadable(message, text=printed[:300])
    hint = "It may have been carried out: read back the result."
    return OutcomeUnknown(message, kind="unreadable", text=printed[:300], hint=hint)


# --- arguments -----------------------------------------------------------------------------------


def brick_list(bricks: str | Iterable[str]) -> list[str]:
    """Return ``HOST:/path`` in plain form, one or many; ``SpecError`` for what is no brick."""
    given = [bricks] if isinstance(bricks, str) else list(bricks)
    found = []
    for brick in given:
        host, sep, path = str(brick).partition(":/")
        if not sep or not host or ":" in host:
            raise SpecError("bricks", f"a brick is HOST:/absolute/path, not {brick!r}")
        found.append(f"{host}:{posixpath.normpath(f'/{path}')}")
    return found


def shape(
    stripe: Any, replica: Any, device_vg: Any, transport: str, arbiter: Any
) -> dict[str, Any] | str:
    """Return the arguments of ``volume_create`` for a shape, or why gluster has none such."""
    gone = "stripe" if stripe else "device_vg" if device_vg else ""
    if gone:
        return f"GlusterFS has no {gone} any more."
    if arbiter and replica != 3:
        raise SpecError("arbiter", "an arbiter is only in a volume with replica 3")
    wanted = {"replica": replica or None, "arbiter": 1 if arbiter else None}
    return {**wanted, "transport": None if transport == "tcp" else transport}


def as_number(value: Any) -> Any:
    """Return a number that was given as text as a number."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


# --- answers -------------------------------------------------------------------------------------


def as_dict(element: Element) -> Any:
    """Return an element as Salt's module did: a dict of its children, else its text."""
    return {child.tag: as_dict(child) for child in element} or element.text


def peers(root: Element) -> dict[str, dict[str, Any]]:
    """Return each peer by uuid, with ``hostnames`` and what else gluster says of it."""
    found = {}
    for peer in root.iter("peer"):
        names = [e.text for e in (*peer.findall("hostname"), *peer.findall("hostnames/hostname"))]
        rest = {e.tag: e.text for e in peer if e.tag not in ("uuid", "hostname", "hostnames")}
        found[peer.findtext("uuid") or ""] = {"hostnames": list(dict.fromkeys(names)), **rest}
    return found


def infos(root: Element) -> dict[str, dict[str, Any]]:
    """Return each volume by name; bricks and options as dicts."""
    found = {}
    for volume in root.iter("volume"):
        bricks = {
            f"brick{number}": {
                "path": brick.text,
                **{e.tag: e.text for e in brick if e.tag != "name"},
                **brick.attrib,
            }
            for number, brick in enumerate(volume.iter("brick"), start=1)
        }
        options = {o.findtext("name") or "": o.findtext("value") for o in volume.iter("option")}
        name = volume.findtext("name") or ""
        found[name] = {**as_dict(volume), "bricks": bricks, "options": options}
    return found


def rows(root: Element) -> dict[str, dict[str, Any]]:
    """Return ``volume status``: bricks by ``HOST:/path``, daemons by host.

    A daemon of a node that has no brick of the volume stands under the name that gluster gives it.
    Daemons of bitrot and quota are no bricks: they are left out.
    """
    nodes = [{**as_dict(e), "host": e.findtext("hostname")} for e in root.iter("node")]
    for row in nodes:
        row["online"] = row.get("status") == "1"
    bricks = [row for row in nodes if str(row.get("path") or "").startswith("/")]
    hosts = {row.get("peerid"): row["host"] for row in bricks}

    def daemons(kind: str) -> dict[str, Any]:
        mine = [row for row in nodes if row["host"] == kind]
        return {str(hosts.get(row.get("peerid"), row.get("path"))): row for row in mine}

    named = {f"{row['host']}:{row['path']}": row for row in bricks}
    return {"bricks": named, "nfs": daemons(_NFS), "healers": daemons(_HEALER)}


def option_value(root: Element) -> str | dict[str, Any]:
    """Return the value of ``volume get``, in the forms of GlusterFS 3.7 and later."""
    values = [e.text for top in root.iter("volGetopts") for e in top.iter("Value")]
    return values[-1] or "" if values else {}


def limits(root: Element) -> dict[str, Any]:
    """Return the limits of a quota by path."""
    return {one.findtext("path") or "": as_dict(one) for one in root.iter("limit")}
