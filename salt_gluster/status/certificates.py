"""What a node's report says of the certificates that its Consul agent uses. Pure.

Each with the time from which and the time until which it counts. The times are the certificate's
own, no node's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: What a certificate is called: the key in a report -> its name for operators.
NAMES = {"cert": "certificate", "ca": "authority"}


def certificates_in(
    report: Mapping[str, Any], node: str
) -> Iterator[tuple[str, str, float, float]]:
    """Yield name, node, beginning and end of each that can be read."""
    rows = report.get("certificates")
    known = rows if isinstance(rows, Mapping) else {}
    for key, name in NAMES.items():
        row = known.get(key)
        if isinstance(row, list) and len(row) == 2 and all(map(_is_time, row)):
            yield name, node, float(row[0]), float(row[1])


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e11
