"""Read from when to when a certificate counts: of this node's Consul agent, or one in a pillar."""

from __future__ import annotations

import calendar
import ssl
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

#: Tags of ASN.1: a version stands in the first of them, the two kinds of times in the others.
_VERSION, _UTC_TIME, _LONG_TIME = 0xA0, 0x17, 0x18
_FORMS = {_UTC_TIME: "%y%m%d%H%M%SZ", _LONG_TIME: "%Y%m%d%H%M%SZ"}


def validity(certificate: str) -> tuple[float, float]:
    """Return beginning and end of a certificate (PEM), in seconds since the epoch.

    ``ValueError`` for what is none.
    """
    try:
        (_, whole), *_ = _parts(ssl.PEM_cert_to_DER_cert(certificate))
        (_, body), *_ = _parts(whole)
        parts = [part for part in _parts(body) if part[0] != _VERSION]
        _serial, _algorithm, _issuer, (_, span) = parts[:4]
        begins, ends = (_seconds(tag, text) for tag, text in _parts(span))
    except (IndexError, KeyError, TypeError) as problem:
        raise ValueError(f"no certificate: {problem}") from problem
    return begins, ends


def validities(files: Mapping[str, Path]) -> dict[str, list[float]]:
    """Return beginning and end of each certificate, by its name here.

    One that is not there, or cannot be read, is left out.
    """
    found = {}
    for name, file in files.items():
        try:
            found[name] = list(validity(file.read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return found


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each part of DER."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length >= 0x80:
            size = length - 0x80
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        yield tag, data[at : at + length]
        at += length


def _seconds(tag: int, text: bytes) -> float:
    return float(calendar.timegm(time.strptime(text.decode("ascii"), _FORMS[tag])))
