"""Read from when to when the certificates of this node's Consul agent count."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path


def validity(files: Mapping[str, Path]) -> dict[str, list[float]]:
    """Return beginning and end of each certificate in seconds since the epoch, by its name here.

    One that is not there, or cannot be read, is left out. OpenSSL reads it, in this process.
    """
    found = {}
    for name, file in files.items():
        try:
            decoded = ssl._ssl._test_decode_cert(str(file))  # type: ignore[attr-defined]
            found[name] = [
                float(ssl.cert_time_to_seconds(decoded[key])) for key in ("notBefore", "notAfter")
            ]
        except (AttributeError, KeyError, OSError, ValueError):
            continue
    return found
