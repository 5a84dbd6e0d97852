"""A lab's Consul by HTTP: what is in it, and emptying it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from consul_world import inside

from lab import Node

PORT = 8500
TIMEOUT_S = 5
#: Consul's own service.
OWN = "consul"


def ask(node: Node, path: str, method: str = "GET", body: Any = None, *, token: str = "") -> Any:
    """Ask the agent of a node and give its answer; OSError when there is none, or no good one."""
    with inside(node):
        line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=TIMEOUT_S)
        with contextlib.closing(line):
            text = None if body is None else json.dumps(body)
            line.request(method, path, text, {"X-Consul-Token": token} if token else {})
            answer = line.getresponse()
            said = answer.read()
    if answer.status == 404:
        return []
    if answer.status != 200:
        raise OSError(f"{node.name}: {path}: {answer.status} {said.decode(errors='replace')}")
    return json.loads(said) if said.strip() else None


def key(node: Node, name: str, *, token: str = "") -> tuple[int, str]:
    """Return Consul's index of a key and its text; 0 and why, if there is no such answer."""
    try:
        rows = ask(node, f"/v1/kv/{name}", token=token)
    except (OSError, http.client.HTTPException) as err:
        return 0, str(err)
    if not rows:
        return 0, "no such key"
    return rows[0]["ModifyIndex"], base64.b64decode(rows[0]["Value"] or "").decode()


def facts(members: Sequence[Node]) -> dict[tuple[str, str], Mapping[str, str]]:
    """Return what Consul and its agents have: keys, sessions, nodes, services, checks, voters."""
    found: dict[tuple[str, str], Mapping[str, str]] = {}
    for node in members:
        try:
            rows = {"agent": "answers"}
            rows |= {f"service {name}": "there" for name in ask(node, "/v1/agent/services")}
            rows |= {f"check {name}": "there" for name in ask(node, "/v1/agent/checks")}
        except (OSError, http.client.HTTPException, ValueError):
            rows = {"agent": "does not answer"}
        found["consul", node.name] = {f"Consul's {what}": value for what, value in rows.items()}
    try:
        found["consul", ""] = _of_all(members[0])
    except (OSError, http.client.HTTPException, ValueError) as err:
        found["consul", ""] = {"Consul": f"no answer: {err}"}
    return found


def _of_all(node: Node) -> dict[str, str]:
    rows = {f"key {row['Key']}": _digest(row) for row in ask(node, "/v1/kv/?recurse=")}
    rows |= {f"session {row['ID']}": row["Node"] for row in ask(node, "/v1/session/list")}
    rows |= {f"node {row['Node']}": row["Address"] for row in ask(node, "/v1/catalog/nodes")}
    rows |= {f"service {name}": "there" for name in ask(node, "/v1/catalog/services")}
    for row in ask(node, "/v1/health/state/any"):
        rows[f"check {row['CheckID']} of {row['Node']}"] = row["Status"]
    servers = ask(node, "/v1/status/peers")
    rows["number of servers"] = str(len(servers))
    return {f"Consul's {what}": value for what, value in rows.items()}


def _digest(row: Mapping[str, Any]) -> str:
    text = f"{row['Value']} {row.get('Flags')} {row.get('Session')}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def empty(members: Sequence[Node], nodes: Sequence[str]) -> None:
    """Remove all that is not Consul's own; of the catalog's nodes those named stay."""
    first = members[0]
    ask(first, "/v1/kv/?recurse=", "DELETE")
    for row in ask(first, "/v1/session/list"):
        ask(first, f"/v1/session/destroy/{row['ID']}", "PUT")
    for node in members:
        with contextlib.suppress(OSError, http.client.HTTPException):
            _empty_agent(node)
    for row in ask(first, "/v1/catalog/nodes"):
        _forget(first, row["Node"], whole=row["Node"] not in nodes)


def _empty_agent(node: Node) -> None:
    for name in ask(node, "/v1/agent/services") or ():
        ask(node, f"/v1/agent/service/deregister/{quote(name, safe='')}", "PUT")
    for name in ask(node, "/v1/agent/checks") or ():
        ask(node, f"/v1/agent/check/deregister/{quote(name, safe='')}", "PUT")


def _forget(first: Node, name: str, *, whole: bool) -> None:
    """Take off the catalog what no agent takes off: what was written there and not registered."""
    if whole:
        ask(first, "/v1/catalog/deregister", "PUT", {"Node": name})
        return
    row = ask(first, f"/v1/catalog/node/{quote(name, safe='')}")
    for service in (row or {}).get("Services") or ():
        if service != OWN:
            body = {"Node": name, "ServiceID": service}
            ask(first, "/v1/catalog/deregister", "PUT", body)
