"""Define the rights of each role in a Consul of our own, and write them as policies and tokens.

Everything is denied that is not written here: the agents' default policy is ``deny``. The rules are
plain data; ``Registrar`` makes policies and tokens that are missing or differ, and changes nothing
else. Rights name a node and a gluster uuid: what one node may write, no other may.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from salt_gluster.consul.client import Client
from salt_gluster.consul.keys import REPORT_PARTS, Keys
from salt_gluster.consul.service import SERVICE
from salt_gluster.consul.settings import Access
from salt_gluster.consul.transport import HttpResponse
from salt_gluster.errors import ConsulError

T = TypeVar("T")
Rules = dict[str, Any]
#: Ours among the accessors: a token keeps its own through every repetition.
_SPACE = uuid.UUID("6f0f6a51-31d2-4b8e-9d7e-0c6c0a6a2f11")
#: Consul's own for who brings no token; its secret is this word.
_ANONYMOUS, ANONYMOUS = "00000000-0000-0000-0000-000000000002", "anonymous"
#: A Consul that has just begun answers with these for a moment (facts.md#K-5.3).
_EARLY = ("legacy mode", "acl not found", "no cluster leader", "rpc error")
_PAUSE_S = 0.5


def _may(*, operator: str = "", **rules: Mapping[str, str]) -> Rules:
    named = {kind: {n: {"policy": p} for n, p in names.items()} for kind, names in rules.items()}
    return {**named, **({"operator": operator} if operator else {})}


def agent_rules(cluster: str, name: str, *, server: bool = False) -> Rules:
    """What an agent needs to keep its own node in the catalog, and to leave.

    The first is the same as Consul's own node identity, which takes no dot in a name. To leave it
    sees who votes. A server also exchanges the gossip key, which Consul takes on servers only, and
    holds the lock under which one server a time restarts: it has no token that may do everything.
    """
    own = _may(
        node={name: "write"}, node_prefix={"": "read"}, service_prefix={"": "read"},
        agent={name: "write"}, operator="read",
    )  # fmt: skip
    if not server:
        return own
    lock = _may(key={Keys(cluster).restart_lock: "write"}, session={name: "write"})
    return {**own, **lock, "keyring": "write"}


def node_rules(cluster: str, name: str, gluster_uuid: str, *, first: bool) -> Rules:
    """What a node of the pool needs: read all of the pool, write what is its own.

    Its documents are keys named here one by one, so that it cannot fill Consul, nor whoever reads
    the reports of all nodes; below ``outcomes`` alone the engine gives the names (``pruning.py``).
    ``rev`` is a counter that wakes the others, ``changed/<uuid>`` the last change that this node
    made; only the first of ``nodes`` makes the canary. A session of its own node alone is its
    sensor's.
    """
    keys = Keys(cluster)
    own = [
        keys.node(gluster_uuid), keys.answer(gluster_uuid),
        *(keys.report_part(gluster_uuid, part) for part in REPORT_PARTS),
        keys.identity(gluster_uuid), keys.submitted(gluster_uuid),
    ]  # fmt: skip
    below = [keys.outcome(gluster_uuid, "")]
    exact = [*own, keys.rev, keys.change_of(gluster_uuid), *([keys.canary] if first else [])]
    return _may(
        key=dict.fromkeys(exact, "write"),
        key_prefix={keys.root: "list", **dict.fromkeys(below, "write")},
        service={SERVICE: "write"},
        node_prefix={"": "read"},
        agent={name: "read"},
        session={name: "write"},
    )


def engine_rules(cluster: str) -> Rules:
    """What the engine on a master needs: read catalog and health, write the pool's keys, lock.

    With ``operator`` it reads how Consul's servers are.
    """
    return _may(
        key_prefix={Keys(cluster).root: "write"}, session_prefix={"": "write"},
        node_prefix={"": "read"}, service_prefix={"": "read"}, agent_prefix={"": "read"},
        operator="read",
    )  # fmt: skip


def reader_rules(cluster: str) -> Rules:
    """Return what reading all of the pool needs."""
    return _may(
        key_prefix={Keys(cluster).root: "list"}, node_prefix={"": "read"},
        service_prefix={"": "read"}, agent_prefix={"": "read"},
    )  # fmt: skip


def anonymous_rules() -> Rules:
    """Return what is seen without a token, as by a DNS query: the nodes and our service.

    Agents answer on their own machine only.
    """
    return _may(node_prefix={"": "read"}, service={SERVICE: "read"})


@dataclass(frozen=True)
class Grant:
    """One token with the one policy of its role. The secret shows in no ``repr``."""

    role: str
    whose: str
    secret: str = field(repr=False)
    rules: Rules
    #: Tells tokens of one grant apart while one is exchanged; "" = it never was.
    turn: str = ""

    @property
    def accessor(self) -> str:
        """The token's public id, the same whoever makes it."""
        if self.role == ANONYMOUS:
            return _ANONYMOUS
        named = f"{self.role}/{self.whose}" + (f"/{self.turn}" if self.turn else "")
        return str(uuid.uuid5(_SPACE, named))

    @property
    def policy(self) -> str:
        """The policy's name: Consul takes no dot there, so it cannot be the minion's."""
        return f"gluster-{self.role}-{replace(self, turn='').accessor}"

    @property
    def description(self) -> str:
        """The description that Consul's UI shows beside it."""
        return f"salt-gluster: {self.role} {self.whose}"


def grants(
    cluster: str, *, engine: str, reader: str, nodes: Sequence[Mapping[str, Any]] = (),
    masters: Mapping[str, str] | None = None,
) -> list[Grant]:  # fmt: skip
    """Return every grant of a pool.

    A node is ``{name, agent, node, uuid, first, server}``; without its uuid only its agent is
    admitted.
    ``masters`` are the names of the agents beside it, with their tokens.
    """
    grants = [
        Grant("engine", cluster, engine, engine_rules(cluster)),
        Grant("reader", cluster, reader, reader_rules(cluster)),
        Grant(ANONYMOUS, cluster, ANONYMOUS, anonymous_rules()),
    ]
    for name, token in sorted((masters or {}).items()):
        grants.append(Grant("agent", f"{cluster}/{name}", token, agent_rules(cluster, name)))
    for node in nodes:
        whose = f"{cluster}/{node['name']}"
        rules = agent_rules(cluster, node["name"], server=bool(node.get("server")))
        turn = str(node.get("turn") or "")
        grants.append(Grant("agent", whose, node["agent"], rules, turn))
        if node["uuid"]:
            rules = node_rules(cluster, node["name"], node["uuid"], first=node["first"])
            grants.append(Grant("node", whose, node["node"], rules, turn))
    return grants


def revoke_secret(client: Client, secret: str) -> None:
    """Take a token away of which only the secret is known; one that is gone is no error."""
    by = Client(Access(client.where.address, secret, client.where.ca))
    try:
        accessor = by.transport.get(_plain, "/v1/acl/token/self")["AccessorID"]
    except ConsulError as err:
        if "acl not found" not in f"{err.message} {err.text}".lower():
            raise
        return
    finally:
        by.close()
    client.transport.delete(_plain, f"/v1/acl/token/{accessor}")


class Registrar:
    """Policies and tokens in Consul; its client has a token that may manage them."""

    def __init__(self, client: Client, *, patience_s: float = 15.0) -> None:
        self._client = client
        self._patience_s = patience_s

    def ensure(self, wanted: Sequence[Grant]) -> list[str]:
        """Make or correct what is not so; return in words what was done."""
        self.patiently(lambda: self._get("/v1/acl/policies"))
        done = []
        for grant in wanted:
            changed = self.patiently(partial(self._policy, grant))
            made = self.patiently(partial(self._token, grant))
            done += [grant.description] if made or changed else []
        return done

    def tokens(self, wanted: Sequence[Grant]) -> None:
        """Make tokens that are missing for policies that are there; no policy is changed."""
        for grant in wanted:
            self.patiently(partial(self._token, grant))

    def revoke(self, grant: Grant) -> bool:
        """Take a token and its policy away; return whether there was one."""
        token = self._find(f"/v1/acl/token/{grant.accessor}")
        if token is not None:
            self._client.transport.delete(_plain, f"/v1/acl/token/{grant.accessor}")
        policy = self._find(f"/v1/acl/policy/name/{grant.policy}")
        if policy is not None:
            self._client.transport.delete(_plain, f"/v1/acl/policy/{policy['ID']}")
        return token is not None

    def _policy(self, grant: Grant) -> bool:
        rules = json.dumps(grant.rules, sort_keys=True)
        body = {"Name": grant.policy, "Description": grant.description, "Rules": rules}
        existing = self._find(f"/v1/acl/policy/name/{grant.policy}")
        if existing is None:
            return self._make("/v1/acl/policy", body)
        if existing.get("Rules") == rules:
            return False
        self._put(f"/v1/acl/policy/{existing['ID']}", {**body, "ID": existing["ID"]})
        return True

    def _token(self, grant: Grant) -> bool:
        body = {
            "AccessorID": grant.accessor, "SecretID": grant.secret,
            "Description": grant.description, "Policies": [{"Name": grant.policy}],
        }  # fmt: skip
        existing = self._find(f"/v1/acl/token/{grant.accessor}")
        if existing is not None and existing.get("SecretID") != grant.secret:
            # An accessor cannot get another secret: the vault was made anew.
            self._client.transport.delete(_plain, f"/v1/acl/token/{grant.accessor}")
            existing = None
        if existing is None:
            return self._make("/v1/acl/token", body)
        if [p.get("Name") for p in existing.get("Policies") or ()] == [grant.policy]:
            return False
        self._put(f"/v1/acl/token/{grant.accessor}", body)
        return True

    def _make(self, path: str, body: Mapping[str, Any]) -> bool:
        """Make it; False where another one was faster."""
        try:
            self._put(path, body)
        except ConsulError as err:
            if not any(word in err.text for word in ("already exists", "already in use")):
                raise
            return False
        return True

    def _find(self, path: str) -> Mapping[str, Any] | None:
        """Return what is there; Consul says of what is not there that the *ACL* is not found."""
        try:
            answer = self._get(path)
        except ConsulError as err:
            if err.kind == "not_found" or "ACL not found" in err.text:
                return None
            raise
        return answer if isinstance(answer, Mapping) else None

    def _get(self, path: str) -> Any:
        return self._client.transport.get(_plain, path)

    def _put(self, path: str, body: Mapping[str, Any]) -> None:
        self._client.transport.put(_plain, path, data=json.dumps(body))

    def patiently(self, ask: Callable[[], T]) -> T:
        """Ask until a Consul that has just begun knows its own first token."""
        end = time.monotonic() + self._patience_s
        while True:
            try:
                return ask()
            except ConsulError as err:
                text = f"{err.message} {err.text}".lower()
                early = err.kind in ("no_leader", "server_error") or any(w in text for w in _EARLY)
                if not early or time.monotonic() > end:
                    raise
            time.sleep(_PAUSE_S)


def _plain(response: HttpResponse) -> Any:
    return json.loads(response.body) if str(response.body).strip() else None
