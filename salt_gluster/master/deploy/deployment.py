"""Deploy a Consul for a pool: choose its servers, make its secrets, admit its nodes.

The nodes do their part with the state ``gluster_consul.agent``. Here: who are the servers, the
client agent beside the master, and the rights of a node once it has its gluster uuid. How Salt is
asked is handed in; nothing imports Salt.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from salt_gluster import node
from salt_gluster.consul import admitted, agent, raft
from salt_gluster.consul.acl import Grant, Registrar, grants, revoke_secret
from salt_gluster.consul.client import Client
from salt_gluster.consul.settings import Access
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.gluster.events import PORT, url
from salt_gluster.master.deploy import acl_beginning, clocks, gossip, rights, secret_store
from salt_gluster.master.deploy import servers as voting
from salt_gluster.master.deploy.admitted_uuid import Believes, own_uuid
from salt_gluster.master.deploy.credentials import (
    Minions,
    first_of,
    master_credentials,
    node_credentials,
    pool_of,
    voters,
)
from salt_gluster.master.deploy.pillar_environment import CompiledPillar
from salt_gluster.master.deploy.secret_store import AgentCredentials, SecretStore
from salt_gluster.spec import PoolSpec

#: How long a Consul may take that has only just begun, or an agent that has just joined it.
_PATIENCE_S = 15.0
NO_POOL = (
    "No minion's pillar declares a pool yet, so no Consul was prepared: run this again when it does"
    " and the minions' keys are accepted."
)

#: Followed by which minion it is, and why.
UNKNOWN_POOL = (
    "Which pool is declared is not known, so no Consul was prepared and nothing was taken away: run"
    " this again when it is."
)

Call = Callable[..., Any]


@dataclass(frozen=True)
class Master:
    """One master: its configuration, and how it is asked.

    ``minions`` are the accepted ones; ``pillar`` compiles what one gets; ``call`` gives execution
    functions of this machine; ``minion`` is the machine's own name as a minion, "" = it is none.
    ``ask(minions, function, *arguments)`` gives what minions return. ``is_root``: this process is.
    ``configured`` is what its configuration says of an existing Consul, ``events`` what it says of
    where GlusterFS's own events are taken.
    """

    conf_file: str
    name: str
    minions: Callable[[], Iterable[str]]
    pillar: Callable[[str], CompiledPillar]
    call: Callable[[], Call]
    configured: Mapping[str, Any]
    minion: str = ""
    owner: tuple[int, int] | None = None
    ask: Callable[..., Mapping[str, Any]] = lambda minions, function, *arguments: {}
    is_root: bool = True
    events: Mapping[str, Any] = field(default_factory=dict)


# --- setting up ----------------------------------------------------------------------------------


def set_up(master: Master, *, test: bool) -> tuple[dict[str, Any], str]:
    """Prepare the pool's Consul and this master's agent; return what changed or would, and why not.

    Where a Consul exists nothing is done: that one is used.
    """
    if where := agent.existing(master.configured):
        return {}, f"An existing Consul is used: {where}."
    pool, pillar, unknown = _pool(master)
    if pool is None:
        return {}, f"{UNKNOWN_POOL} {unknown}" if unknown else NO_POOL
    named = (pillar.get("gluster_consul") or {}).get("address")
    if named:
        return {}, f"An existing Consul is used: the pillar names {named}."
    kept = secret_store.place(master.conf_file, pool.cluster)
    changes: dict[str, Any] = {}
    clocks_differ = clocks.not_valid_now(kept, time.time())
    if not kept.exists:
        _not_elsewhere(master, kept, pool)
        clocks_differ = clocks.check_before_making(clocks.compared(pool.nodes, master.ask))
        changes[str(kept.folder)] = {"old": None, "new": "gossip key, tokens, authority"}
    if test and not kept.exists:
        chosen = list(voting.choose(voters(pool).nodes, pool.zones))
        changes["servers"] = {"old": [], "new": chosen}
        changes["consul"] = {"old": None, "new": "this master's own agent"}
        left = "" if master.is_root or master.minion else rights.as_root(*_agent_words(master))
        words = " ".join(filter(None, (clocks_differ, left)))
        return {**changes, **_events(master, kept, pool, test=True)}, words
    if not test:
        kept.make(master.owner)
    try:
        fitted, why = follow(kept, pool, test=test)
    except ConsulError as err:
        fitted, why = {}, f"The servers, and who may do what, stay as they are: {err}"
    own, left = _own_agent(master, kept, pool, test=test)
    changes |= fitted | own
    if not why:
        seated, why = _reconcile_voters(master, kept, pool, fitted, test=test)
        changes |= seated
    if not test and not why:
        changes |= _shared(kept)
        keyed, why = _gossip(kept, master.ask, test=test)
        changes |= keyed
    changes |= _events(master, kept, pool, test=test)
    return changes, " ".join(filter(None, (clocks_differ, why, left)))


def _reconcile_voters(
    master: Master, kept: SecretStore, pool: PoolSpec, fitted: Mapping[str, Any], *, test: bool
) -> tuple[dict[str, Any], str]:
    """Let Consul's own voters follow the servers; there is none before the first node is let in."""
    if not any(credentials.uuid for credentials in kept.nodes()):
        return {}, ""
    servers = fitted["servers"]["new"] if "servers" in fitted else kept.servers()
    try:
        with _management(kept) as client:
            return raft.reconcile_voters(client, servers, pool.nodes, master.ask, test=test)
    except ConsulError as err:
        return {}, f"Consul's own list of its servers stays as it is: {err}"


def _gossip(kept: SecretStore, ask: gossip.Ask, *, test: bool) -> tuple[dict[str, Any], str]:
    """Compare the vault's gossip key with the one in use; there is none before the first node."""
    if not any(credentials.uuid for credentials in kept.nodes()):
        return {}, ""
    try:
        with _management(kept) as client:
            return gossip.follow(kept, client, test=test)
    except ConsulError as err:
        if gossip.is_of_servers(err):
            return {}, gossip.compare(kept, ask)
        return {}, f"The gossip key that Consul uses is not known: {err}"


def exchange_gossip_key(
    conf_file: str, cluster: str, ask: gossip.Ask, *, test: bool
) -> dict[str, Any]:
    """Exchange the gossip key of a pool's Consul; return what changed or would."""
    kept = secret_store.of(conf_file, cluster)
    if kept is None:
        raise GlusterError("no Consul was prepared by this master.", kind="absent",
                           hint="salt-run gluster.setup prepares one.")  # fmt: skip
    if not test:
        _registered(kept, _of_agents(kept))  # a server of an earlier version has no right to it
    with _management(kept) as client:
        return gossip.exchange(kept, client, ask, test=test)


def _events(master: Master, kept: SecretStore, pool: PoolSpec, *, test: bool) -> dict[str, Any]:
    """Settle where this master takes GlusterFS's events: as configured, else where it reaches the
    pool from. The nodes are told with their pillar.
    """
    others = [pool.address(name) for name in pool.nodes if name != master.minion]
    addresses = (node.reaches_from(host, PORT) for host in others)
    own = next((a for a in addresses if a and not ip_address(a).is_loopback), "")
    address = str(master.events.get("address") or own)
    before = kept.events() if kept.exists else None
    after = (address, int(master.events.get("port") or PORT))
    if not address or before == after:
        return {}
    if not test:
        kept.take_events(*after)
    return {"events": {"old": url(*before) if before else None, "new": url(*after)}}


def _not_elsewhere(master: Master, kept: SecretStore, pool: PoolSpec) -> None:
    """A second set of secrets would take the pool's agents away from the first."""
    returned = master.ask(list(pool.nodes), "file.file_exists", str(agent.FILE))
    if names := sorted(name for name, is_there in returned.items() if is_there is True):
        raise GlusterError(
            f"{', '.join(names[:5])} have a Consul that a master has prepared, and its secrets are"
            f" not here ({kept.folder}).", kind="elsewhere",
            hint="Copy that folder from the other master or a backup, with owner and modes. To"
            " begin anew instead, stop Consul on every node and remove /etc/consul.d/gluster* and"
            " /var/lib/consul there.",
        )  # fmt: skip


def _shared(kept: SecretStore) -> dict[str, Any]:
    """Grant what belongs to no node, as a second master's agent, and what makes a server one."""
    if not any(credentials.uuid for credentials in kept.nodes()):
        return {}  # there is no Consul yet: the first admission does it
    try:
        done = _registered(kept, _of_agents(kept))
    except ConsulError:
        return {}  # the next admission does it
    return {"rights": {"old": None, "new": done}} if done else {}


def _of_agents(kept: SecretStore) -> list[Grant]:
    """Return every grant but the nodes' own: an agent's follows who is a server."""
    return [grant for grant in wanted(kept, kept.nodes(), "") if grant.role != "node"]


def follow(kept: SecretStore, pool: PoolSpec, *, test: bool) -> tuple[dict[str, Any], str]:
    """Let servers and rights follow the pool, one server a time; return what changed, what waits.

    Consul itself forgets a server that is down once the others are enough without it (autopilot).
    """
    changes: dict[str, Any] = {}
    before = kept.servers()
    runs = any(credentials.uuid for credentials in kept.nodes())
    fit = _voters(kept, pool, before) if runs and pool.globs else voters(pool)
    after = voting.choose(fit.nodes, fit.zones, before)
    if before != after:
        if runs and (missing := _no_voters(kept, [n for n in before if n in pool.nodes])):
            return {}, waits_for(missing)
        changes["servers"] = {"old": list(before), "new": list(after)}
        if not test:
            kept.fit_servers(fit)
    gone = [one for one in kept.nodes() if one.name not in (*pool.nodes, *before, *after)]
    # A server leaves by the right of its own agent: that goes when its vote is gone.
    still = _alive_voters(kept) if runs and gone else set()
    for credentials in (one for one in gone if one.name not in still):
        changes[f"access of {credentials.name}"] = {"old": "granted", "new": None}
        if runs and not test:
            _revoke(kept, credentials)
        if not test:
            kept.forget(credentials.name)
    return changes, ""


def _voters(kept: SecretStore, pool: PoolSpec, before: Iterable[str]) -> PoolSpec:
    """Return who may be a server: named or accepted, or one already that was not rejected."""
    with _management(kept) as client:
        store = Store(client, kept.cluster)
        accepted, rejected = store.accepted(), store.rejected()
    return voters(pool, {*accepted, *(name for name in before if name not in rejected)})


def waits_for(servers: str) -> str:
    """Return what is said while a server that was chosen has no vote yet."""
    return (
        f"The servers stay as they are until Consul counts on {servers}: apply the highstate there,"
        " then run this again."
    )


def _no_voters(kept: SecretStore, servers: Iterable[str]) -> str:
    """Return which of these has no vote or is away, in words."""
    alive = _alive_voters(kept)
    return ", ".join(name for name in servers if name not in alive)


def _alive_voters(kept: SecretStore) -> set[str]:
    with _management(kept) as client:
        return raft.voters(client)[1]


def _revoke(kept: SecretStore, credentials: AgentCredentials) -> None:
    """Take back what a node could do that has left the pool."""
    with _management(kept) as client:
        admitted.withdraw(client, kept.cluster, credentials.name)
        for grant in wanted(kept, [credentials], ""):
            secrets = (credentials.node, credentials.agent)
            if grant.role in ("node", "agent") and grant.secret in secrets:
                Registrar(client).revoke(grant)
        for secret in credentials.former:
            revoke_secret(client, secret)


def _own_agent(
    master: Master, kept: SecretStore, pool: PoolSpec, *, test: bool
) -> tuple[dict[str, Any], str]:
    """Give this machine its agent: as the node that it is, else as a client beside the pool.

    Without root it is written down what is wanted, and the machine's own minion brings it about:
    no secret is in that job. At last what is left for an operator.
    """
    as_node = master.minion in pool.nodes
    credentials = (
        node_credentials(kept, pool, master.minion)
        if as_node
        else master_credentials(kept, pool, master.name)
    )
    name = master.minion if as_node else master.name
    address = pool.address(name) if as_node else ""
    if master.is_root:
        ensured = agent.ensure(credentials, master.call(), name=name, address=address, test=test)
        return dict(ensured), ""
    words = _agent_words(master)
    wanted = {"credentials": credentials, "name": name, "address": address}
    if kept.wanted_agent() != wanted:
        if test:
            left = "" if master.minion else rights.as_root(*words)
            return {"consul": {"old": None, "new": "this master's own agent"}}, left
        kept.want_agent(wanted)
    returned = master.ask([master.minion], *words, test) if master.minion else {}
    answer = returned.get(master.minion)
    if isinstance(answer, Mapping) and "changes" in answer:
        return dict(answer["changes"]), ""
    said = f" The minion {master.minion} says: {str(answer)[:300]}." if answer else ""
    return {}, rights.as_root(*words) + said


def _agent_words(master: Master) -> tuple[str, str]:
    return rights.AGENT, master.conf_file


def bring_about_agent(conf_file: str, call: Call, *, test: bool) -> dict[str, Any]:
    """As root: bring about the agent that a master wants which is not root."""
    wanted = [row for store in secret_store.all_of(conf_file) if (row := store.wanted_agent())]
    if len(wanted) != 1:
        raise GlusterError(
            f"{conf_file} has {len(wanted)} agents to be brought about, not one.", kind="absent",
            hint="On the master first: salt-run gluster.setup.",
        )  # fmt: skip
    (row,) = wanted
    name, address = str(row["name"]), str(row["address"])
    return dict(agent.ensure(row["credentials"], call, name=name, address=address, test=test))


def _pool(master: Master) -> tuple[PoolSpec | None, Mapping[str, Any], str]:
    """Return the pool that the configuration names, else the first that a node's pillar declares.

    Only minions that no pool seen so far has as a node are asked: each costs a rendered pillar.
    At last whose pillar is not known, and why.
    """
    wanted = str(master.configured.get("cluster") or "")
    seen: set[str] = set()
    unknown = ""
    for minion in sorted(master.minions()):
        if minion in seen:
            continue
        compiled = master.pillar(minion)
        if compiled.why:
            unknown = unknown or f"{minion}: {compiled.why}."
            continue
        pillar = compiled.data
        pool = pool_of(pillar, master.minions)
        if pool is None or minion not in pool.nodes:
            continue
        if wanted in ("", pool.cluster):
            return pool, pillar, ""
        seen.update(pool.nodes)
    return None, {}, unknown


# --- admission -----------------------------------------------------------------------------------


def admit(
    conf_file: str,
    minion: str,
    uuid: str,
    compiled: CompiledPillar,
    says: Callable[[str, Believes], Any],
    minions: Minions = tuple,
) -> dict[str, Any]:
    """Give a node, and what has to be there beside it, its rights in Consul; return what was done.

    The request is only a hint: any minion can forge one (Salt puts the true id beside a single
    event, but fires a list of events as it came). So the pillar says whether the minion is a node,
    and ``says`` asks the minion itself for its gluster uuid, unless ``uuid`` is known already: with
    a number that is used once, and with what tells whether an answer is believed.
    """
    if compiled.why:
        raise GlusterError(
            f"whether {minion} is a node is not known: {compiled.why}.", kind="unknown",
            hint="Nothing was admitted and nothing taken away; the node asks again.",
        )  # fmt: skip
    pool = pool_of(compiled.data, minions)
    kept = (
        secret_store.of(conf_file, pool.cluster)
        if pool is not None and minion in pool.nodes
        else None
    )
    if pool is None or kept is None:
        raise GlusterError(
            f"{minion} is no node of a pool whose Consul was prepared here.", kind="not_a_node",
            hint="Its pillar needs gluster: nodes with its name; then: salt-run gluster.setup.",
        )  # fmt: skip
    before = kept.node(minion, server=minion in kept.servers(voters(pool)))
    uuid = own_uuid(before, uuid, says)
    former = _former(kept, pool, minion, uuid, minions)
    done = [] if former is None else _withdraw(kept, former)
    with kept.locked():
        if former is not None:
            kept.forget(former.name)
        mine = kept.admit(minion, uuid)
    done += _registered(kept, wanted(kept, [mine], first_of(pool)))
    return {"admitted": minion, "uuid": uuid, "pool": kept.cluster, "done": done}


def _former(
    kept: SecretStore, pool: PoolSpec, minion: str, uuid: str, minions: Minions
) -> AgentCredentials | None:
    """Return the name that this node had before its minion was renamed; None = it had no other.

    A name that is still in ``nodes``, or whose key is still accepted, is another machine's.
    """
    others = [n for n in kept.nodes() if n.uuid == uuid and n.name != minion]
    accepted = set(minions()) if others else set()
    gone = [n for n in others if n.name not in (*pool.nodes, *accepted)]
    return gone[0] if gone and minion in accepted else None


def _withdraw(kept: SecretStore, former: AgentCredentials) -> list[str]:
    """Take a name's rights and its row in Consul's catalog away."""
    _revoke(kept, former)
    with _management(kept) as client:
        raft.forget_node(client, former.name)
    return [f"{former.name} is withdrawn: its minion has another name"]


def wanted(kept: SecretStore, nodes: Iterable[AgentCredentials], first: str) -> list[Grant]:
    """Return the grants of these nodes, and of engine, reader and the masters' agents."""
    shared, servers = kept.secrets(), kept.servers()
    rows = [
        {"name": n.name, "agent": n.agent, "node": n.node, "uuid": n.uuid,
         "first": n.name == first, "server": n.name in servers, "turn": n.turn}
        for n in nodes
    ]  # fmt: skip
    masters = {credentials.name: credentials.agent for credentials in kept.masters()}
    return grants(kept.cluster, engine=shared.engine, reader=shared.reader, nodes=rows,
                  masters=masters)  # fmt: skip


def _registered(kept: SecretStore, rights: list[Grant]) -> list[str]:
    """Write who is admitted, then make these rights; return what was done.

    In this order: what a node registers with its rights is compared with its admission. Of all
    nodes: from the first record on a node without one is nobody.
    """
    nodes = {credentials.name: credentials.uuid for credentials in kept.nodes()}
    with _management(kept) as client:
        acl_beginning.begin(kept, client, patience_s=_PATIENCE_S)
        registrar = Registrar(client, patience_s=_PATIENCE_S)
        new = registrar.patiently(lambda: admitted.record(client, kept.cluster, nodes))
        return [*(f"{name} is admitted" for name in new), *registrar.ensure(rights)]


def grant_agents_and_nodes(kept: SecretStore, nodes: Iterable[AgentCredentials]) -> None:
    """Grant these nodes what they have, by the tokens that they have now; who is first stays it."""
    grants_of_nodes = wanted(kept, nodes, "")
    with _management(kept) as client:
        Registrar(client, patience_s=_PATIENCE_S).tokens(grants_of_nodes)


def management(kept: SecretStore) -> contextlib.AbstractContextManager[Client]:
    """Return a client with every right."""
    return _management(kept)


@contextlib.contextmanager
def _management(kept: SecretStore) -> Iterator[Client]:
    """Speak to Consul with every right, through this master's own agent."""
    client = Client(Access(token=kept.secrets().management))
    try:
        yield client
    except ConsulError as err:
        if err.kind != "unreachable":
            raise
        raise ConsulError(
            "this master's own Consul agent does not answer.",
            kind=err.kind, text=err.text, hint="salt-run gluster.setup configures and starts it.",
        ) from err  # fmt: skip
    finally:
        client.close()
