"""One answer of the gluster CLI: the envelope around what a subject's parser reads.

Only the envelope lives here. Whether an answer is an error, and of which kind, is decided in
``gluster/error_texts.py``: opErrstr holds success texts too (facts.md#G-0.6).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from salt_gluster.errors import Unreadable

_DECLARATION = "<?xml"
_END = "</cliOutput>"
_HINT = "Run the command by hand and look at its whole output; nothing is known from this answer."


@dataclass(frozen=True)
class CliAnswer:
    """What gluster answered. ``root`` is None for a command that prints text.

    ``text`` is opErrstr, or ``<output>`` where opErrstr is empty, or the plain text itself.
    ``raw`` is everything that was printed.
    """

    op_ret: int
    op_errno: int
    text: str
    root: Element | None
    raw: str

    @property
    def ok(self) -> bool:
        """Whether gluster says it went well. A task it started can still fail (facts.md#G-0.6)."""
        return self.op_ret == 0

    def element(self, path: str) -> Element:
        """Return the element at ``path``; raise ``Unreadable`` naming it when it is not there."""
        if self.root is None:
            raise Unreadable(f"the answer is text, not XML with <{path}>", text=_start(self.raw))
        element = self.root.find(path)
        if element is None:
            raise Unreadable(f"the answer has no <{path}>", text=_start(self.raw), hint=_HINT)
        return element


def is_document(text: str) -> bool:
    """Return whether ``text`` begins as an XML document."""
    return text.lstrip().startswith(_DECLARATION)


def parse_answer(stdout: str, stderr: str = "", rc: int = 0) -> CliAnswer:
    """Return the envelope of one ``--xml`` answer.

    Raises ``Unreadable`` for anything but exactly one well-formed ``<cliOutput>``: text before or
    after it, a truncated document, entities, another root. The exit code does not count: it is 0
    for most failures and 1 for some answers that are complete (facts.md#G-1.2).
    """
    try:
        root = cast(Element, fromstring(stdout.strip(), forbid_dtd=True))
    except (ParseError, DefusedXmlException, ValueError) as exc:
        printed = _start(stdout.strip() or stderr.strip()) or f"nothing (exit code {rc})"
        raise Unreadable(f"not an XML answer of gluster: {exc}.", text=printed, hint=_HINT) from exc
    if root.tag != "cliOutput":
        raise Unreadable(f"the answer's root is <{root.tag}>, not <cliOutput>", hint=_HINT)
    text = (root.findtext("opErrstr") or "").strip() or (root.findtext("output") or "").strip()
    raw = stdout if not stderr.strip() else f"{stdout}\n{stderr}"
    return CliAnswer(_int(root, "opRet"), _int(root, "opErrno"), text, root, raw)


def text_answer(stdout: str, stderr: str, rc: int) -> CliAnswer:
    """Return the answer of a command that never prints XML; ``op_ret`` is 0 for exit code 0."""
    both = "\n".join(part.strip() for part in (stdout, stderr) if part.strip())
    return CliAnswer(0 if rc == 0 else -1, 0, both, None, both)


def split_documents(stdout: str) -> list[str]:
    """Return the pieces of a ``--xml`` stream fed on stdin, in order (facts.md#C-K.1).

    There is no separator: a document ends at ``</cliOutput>``. Text that is no document (usage
    after an unknown word, "Connection failed") is a piece of its own.
    """
    pieces: list[str] = []
    for chunk in re.split(r"(?=<\?xml)", stdout):
        if is_document(chunk) and _END in chunk:
            end = chunk.rindex(_END) + len(_END)
            parts = [chunk[:end], chunk[end:]]
        else:
            parts = [chunk]
        pieces += [part.strip() for part in parts if part.strip()]
    return pieces


def _int(root: Element, name: str) -> int:
    text = root.findtext(name)
    try:
        return int(text or "")
    except ValueError:
        raise Unreadable(f"<{name}> is {text!r}, not a number", hint=_HINT) from None


def _start(text: str) -> str:
    return text[:300]
