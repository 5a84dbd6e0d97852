"""Find address, token and CA of Consul: as given, configured or kept on this node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from salt_gluster.errors import SpecError

#: Where a node keeps address and token of its own agent, 0600 (``agent.py`` writes it).
KEPT = "/var/lib/salt-gluster/consul.json"


@dataclass(frozen=True)
class Access:
    """Where the agent is and who we are: ``http(s)://host:port`` or ``unix:///path``."""

    address: str = "http://127.0.0.1:8500"
    token: str = ""
    ca: str = ""

    def __repr__(self) -> str:
        return f"Access({self.address!r}, token={'set' if self.token else 'none'}, ca={self.ca!r})"


def access(
    given: Mapping[str, Any], environment: Mapping[str, str], kept: str | Path = KEPT
) -> Access:
    """Return what was given (``address``, ``token``, ``ca``), else ``CONSUL_HTTP_ADDR`` and so on.

    The only place that reads these variables. What this node keeps in the file ``kept`` comes
    last; its token is for the address there and goes nowhere else. ``SpecError`` on an address
    that is none.
    """
    own = _kept(Path(kept))
    named = given.get("address") or environment.get("CONSUL_HTTP_ADDR")
    address = str(named or own.get("address") or Access.address)
    if "://" not in address:
        secure = environment.get("CONSUL_HTTP_SSL", "").lower() == "true"
        address = f"{'https' if secure else 'http'}://{address}"
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good and not address.startswith("unix:///"):
        raise SpecError(
            "consul:address", f"{address!r} is no address of an agent.",
            hint="Such as http://127.0.0.1:8500 or unix:///run/consul/http.sock.",
        )  # fmt: skip
    own = own if address == own.get("address") else {}
    return Access(
        address,
        str(given.get("token") or environment.get("CONSUL_HTTP_TOKEN") or own.get("token") or ""),
        str(given.get("ca") or environment.get("CONSUL_CACERT")
            or environment.get("CONSUL_HTTP_CACERT") or own.get("ca") or ""),
    )  # fmt: skip


def _kept(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # not there, or not for this user: then Consul says what right is missing
    return data if isinstance(data, dict) else {}
