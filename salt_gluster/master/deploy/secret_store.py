"""Keep the secrets of one pool's Consul agents in a folder of the master.

``<configuration of the master>/gluster/<cluster>/``, 0700, files 0600, made once and never printed:

* ``secrets.json``        gossip key; the tokens of management, engine and reader; the webhook's
* ``ca.pem``, ``ca.key``  the authority that signs the agents' certificates
* ``servers.json``        the Consul servers, in order, chosen once (``servers.py``)
* ``agent.json``          the agent that root is to bring about where the master is not root
* ``first_token.json``    the token that began the ACL, for the moment until ours is made
* ``exchange.json``       what is left of an exchange of the nodes' secrets
* ``gossip.json``         the new gossip key while an exchange of it is open
* ``events.json``         where this master takes GlusterFS's own events
* ``nodes/MINION.json``   a node's two tokens, certificate, key; its gluster uuid once admitted;
                          while its tokens are exchanged the former ones
* ``masters/ID.json``     the same for the client agent of a master

Two writers at once never make two sets: a folder or file comes to its name complete, or finds it
taken. What is read here goes to the one minion that it belongs to, and nowhere else.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from salt_gluster.errors import GlusterError
from salt_gluster.master.deploy import servers as voting
from salt_gluster.master.deploy.ca import CA_DAYS, CERT_DAYS, Authority, is_due
from salt_gluster.node.files import open_lock, write_atomically
from salt_gluster.spec import PoolSpec
from salt_gluster.spec.names import check_word

T = TypeVar("T")
#: The datacenter of every Consul that we deploy; part of the names in its certificates.
DATACENTER = "gluster"
_SCHEMA = 1
_TOKENS = ("management", "engine", "reader", "webhook")


@dataclass(frozen=True)
class Secrets:
    """What the whole pool shares; a token shows in no ``repr``."""

    encrypt: str = field(repr=False)
    management: str = field(repr=False)
    engine: str = field(repr=False)
    reader: str = field(repr=False)
    #: What a node shows when it posts GlusterFS's events.
    webhook: str = field(repr=False)


@dataclass(frozen=True)
class AgentCredentials:
    """What one agent proves itself with. ``uuid`` is the node's in gluster, "" = not admitted."""

    name: str
    server: bool
    agent: str = field(repr=False)
    node: str = field(repr=False)
    cert: str = field(repr=False)
    key: str = field(repr=False)
    uuid: str = ""
    #: Which exchange its tokens are of, "" = of none; and its tokens before, while one is open.
    turn: str = ""
    former: tuple[str, ...] = field(default=(), repr=False)


class SecretStore:
    """The secrets of one pool; ``exists`` tells whether they were made."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._now = now
        self.cluster = folder.name

    def __repr__(self) -> str:
        return f"SecretStore({str(self.folder)!r})"

    @property
    def exists(self) -> bool:
        """Whether there is one, as far as this process may look."""
        try:
            return (self.folder / "secrets.json").is_file()
        except PermissionError:
            return False

    def make(self, owner: tuple[int, int] | None = None) -> bool:
        """Make the secrets that all share, once; return whether they were made now.

        ``owner`` is user and group of the master; only root can give a folder away.
        """
        if self.exists:
            return False
        new = self.folder.with_name(f".{self.cluster}.{secrets.token_hex(4)}")
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.mkdir(mode=0o700)
        try:
            authority = Authority.new(f"salt-gluster {self.cluster}", self._now())
            tokens = {name: str(uuid.uuid4()) for name in _TOKENS}
            key = base64.b64encode(secrets.token_bytes(32)).decode()
            shared = {"schema": _SCHEMA, "encrypt": key, **tokens, "created": self._now()}
            for name in ("nodes", "masters"):
                (new / name).mkdir(mode=0o700)
            write_atomically(new / "secrets.json", json.dumps(shared), 0o600)
            write_atomically(new / "ca.pem", authority.certificate, 0o600)
            write_atomically(new / "ca.key", authority.key, 0o600)
            _give(owner, self.folder.parent, *new.rglob("*"), new)
            new.rename(self.folder)  # fails where another one was faster: theirs is the set
        except OSError:
            shutil.rmtree(new, ignore_errors=True)
            if not self.exists:
                raise
            return False
        return True

    def secrets(self) -> Secrets:
        """Return what the pool shares; ``GlusterError`` where it is not there or damaged."""
        data = self._read("secrets.json")
        return self._shaped("secrets.json", lambda: Secrets(
            str(data["encrypt"]), str(data["management"]), str(data["engine"]),
            str(data["reader"]), str(data["webhook"]),
        ))  # fmt: skip

    def take_gossip_key(self, key: str) -> None:
        """Keep another gossip key: every pillar has it from now on."""
        with self.locked():
            self._save("secrets.json", {**self._read("secrets.json"), "encrypt": key})

    def begin_gossip_exchange(self) -> str:
        """Return the new gossip key of the exchange that is open, made where none is open."""
        if not self.new_gossip_key():
            key = base64.b64encode(secrets.token_bytes(32)).decode()
            self._save("gossip.json", {"schema": _SCHEMA, "encrypt": key}, once=True)
        return self.new_gossip_key()

    def new_gossip_key(self) -> str:
        """Return the new key while an exchange is open, else ""; the servers' pillar has it."""
        try:
            data = self._read("gossip.json")
        except FileNotFoundError:
            return ""
        return self._shaped("gossip.json", lambda: str(data["encrypt"]))

    def end_gossip_exchange(self) -> None:
        """Forget the key of the exchange: it is the one in use by now."""
        (self.folder / "gossip.json").unlink(missing_ok=True)

    def authority(self) -> Authority:
        """Return who signs."""
        return Authority(self._text("ca.pem"), self._text("ca.key"))

    def keep_first_token(self, token: str) -> None:
        """Keep the token that Consul gave to whom began its ACL, until ours is made."""
        self._save("first_token.json", {"schema": _SCHEMA, "token": token})

    def first_token(self) -> str:
        """Return it, "" where there is none."""
        try:
            data = self._read("first_token.json")
        except FileNotFoundError:
            return ""
        return self._shaped("first_token.json", lambda: str(data["token"]))

    def forget_first_token(self) -> None:
        """Forget it: Consul does not know it any more."""
        (self.folder / "first_token.json").unlink(missing_ok=True)

    # --- the servers -----------------------------------------------------------------------------

    def servers(self, pool: PoolSpec | None = None) -> tuple[str, ...]:
        """Return the Consul servers; with a pool they are chosen where that was never done."""
        if pool is not None and not (self.folder / "servers.json").exists():
            self._save("servers.json", _chosen(voting.choose(pool.nodes, pool.zones)), once=True)
        elif not (self.folder / "servers.json").exists():
            return ()
        data = self._read("servers.json")
        return self._shaped("servers.json", lambda: tuple(str(s) for s in data["servers"]))

    def fit_servers(
        self, pool: PoolSpec, *, test: bool = False
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Take one step towards the servers that this pool should have; return before and after."""
        if test:
            before = self.servers()
            return before, voting.choose(pool.nodes, pool.zones, before)
        with self.locked():
            before = self.servers()
            after = voting.choose(pool.nodes, pool.zones, before)
            if after != before:
                self._save("servers.json", _chosen(after))
        return before, after

    # --- GlusterFS's own events ------------------------------------------------------------------

    def events(self) -> tuple[str, int] | None:
        """Return address and port at which this master takes them; None = it takes none."""
        if not (self.folder / "events.json").exists():
            return None
        data = self._read("events.json")
        return self._shaped("events.json", lambda: (str(data["address"]), int(data["port"])))

    def take_events(self, address: str, port: int) -> None:
        """Write down where this master takes them."""
        self._save("events.json", {"schema": _SCHEMA, "address": address, "port": port})

    def take_no_events(self) -> None:
        """Forget it: no pillar names a webhook of this master any more."""
        (self.folder / "events.json").unlink(missing_ok=True)

    # --- the agent of this machine -------------------------------------------------------------

    def want_agent(self, wanted: Mapping[str, Any]) -> None:
        """Write down which agent root is to bring about on this machine."""
        self._save("agent.json", wanted)

    def wanted_agent(self) -> dict[str, Any] | None:
        """Return it; None = none was."""
        return self._read("agent.json") if (self.folder / "agent.json").exists() else None

    # --- nodes and masters -----------------------------------------------------------------------

    def node(self, minion: str, *, server: bool = False) -> AgentCredentials:
        """Return a node's identity, made where there is none.

        A node that becomes a server gets a new certificate: only one of a server may speak as one.
        So does one whose certificate ends some day soon.
        """
        return self._identity("nodes", minion, server)

    def master(self, name: str) -> AgentCredentials:
        """Return the identity of a master's client agent, made where there is none.

        No highstate renews it, and the authority's key lies beside it: it lives as long as that.
        """
        return self._identity("masters", name, False)

    def known(self, minion: str) -> AgentCredentials | None:
        """Return a node's identity if it has one; nothing is made."""
        return self._find(f"nodes/{_plain(minion)}.json", minion)

    def nodes(self) -> list[AgentCredentials]:
        """Return every node's identity."""
        return self._all("nodes")

    def masters(self) -> list[AgentCredentials]:
        """Return every master's identity."""
        return self._all("masters")

    def admit(self, minion: str, gluster_uuid: str) -> AgentCredentials:
        """Write down which gluster uuid a node has, or refuse; return its identity.

        Call it with the lock held: two nodes must not get the same uuid.
        """
        mine = self.known(minion)
        if mine is None:
            raise GlusterError(
                f"{minion} is no node of the pool {self.cluster}.", kind="not_a_node",
                hint="A node gets its access with its pillar: is it in gluster: nodes?",
            )  # fmt: skip
        for other in self.nodes():
            if other.uuid == gluster_uuid and other.name != minion:
                raise GlusterError(
                    f"{other.name} is the node with the gluster uuid {gluster_uuid}; {minion} was"
                    " not admitted with it.", kind="taken",
                    hint=f"Was the minion renamed? Take {other.name} out of gluster: nodes, and"
                    f" delete its key: salt-key -d {other.name}; then apply {minion}'s highstate"
                    " again. A machine that was copied has the uuid of its original: make a new"
                    " one (/var/lib/glusterd/glusterd.info) before it starts.",
                )  # fmt: skip
        if mine.uuid != gluster_uuid:
            data = self._read(f"nodes/{minion}.json")
            self._save(f"nodes/{minion}.json", {**data, "uuid": gluster_uuid})
        return self.known(minion) or mine

    # --- an exchange of the nodes' secrets -------------------------------------------------------

    def begin_exchange(self) -> list[str]:
        """Return what an exchange still has to do: nodes, and "" for the gossip key."""
        file = "exchange.json"
        if not (self.folder / file).exists():
            names = ["", *(node.name for node in self.nodes() if node.uuid)]
            self._save(file, {"schema": _SCHEMA, "left": names}, once=True)
        data = self._read(file)
        return self._shaped(file, lambda: [str(name) for name in data["left"]])

    def end_exchange(self, left: Sequence[str]) -> None:
        """Write down what is left of it: with nothing it is over."""
        if left:
            self._save("exchange.json", {"schema": _SCHEMA, "left": list(left)})
        else:
            (self.folder / "exchange.json").unlink(missing_ok=True)

    def renew(self, minion: str) -> AgentCredentials | None:
        """Give a node other tokens and another certificate beside those that it has, once."""
        with self.locked():
            before = self.known(minion)
            if before is not None and not before.former:
                data = {**self._read(f"nodes/{minion}.json")}
                data |= self._signed("nodes", minion, before.server)
                data |= {"former": [before.agent, before.node], "turn": secrets.token_hex(4)}
                data |= {"agent": str(uuid.uuid4()), "node": str(uuid.uuid4())}
                self._save(f"nodes/{minion}.json", data)
        return self.known(minion)

    def settle(self, minion: str) -> None:
        """Forget the tokens that a node had before."""
        with self.locked():
            data = self._read(f"nodes/{_plain(minion)}.json")
            self._save(f"nodes/{minion}.json", {**data, "former": []})

    def forget(self, minion: str) -> None:
        """Take the identity of a node away that is no node any more."""
        (self.folder / "nodes" / f"{_plain(minion)}.json").unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time change what is written."""
        file = open_lock(self.folder / "lock")
        try:
            _give(_owner(self.folder), self.folder / "lock")
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def _identity(self, kind: str, name: str, server: bool) -> AgentCredentials:
        file = f"{kind}/{_plain(name)}.json"
        existing = self._find(file, name)
        if existing is None:
            made = self._signed(kind, name, server) | {"agent": str(uuid.uuid4()), "uuid": ""}
            made["node"] = str(uuid.uuid4()) if kind == "nodes" else ""
            self._save(file, made, once=True)
        elif self._is_due(existing, server):
            with self.locked():  # its uuid may be written at this moment, or the same be done
                again = self._find(file, name)
                if again is not None and self._is_due(again, server):
                    self._save(file, {**self._read(file), **self._signed(kind, name, server)})
        credentials = self._find(file, name)
        if credentials is None:
            raise _damaged(self.folder / file)
        return credentials

    def _is_due(self, existing: AgentCredentials, server: bool) -> bool:
        return existing.server != server or is_due(existing.cert, self._now())

    def _signed(self, kind: str, name: str, server: bool) -> dict[str, Any]:
        days = CA_DAYS if kind == "masters" else CERT_DAYS
        sign = self.authority().sign
        cert, key = sign(name, DATACENTER, self._now(), server=server, days=days)
        return {"schema": _SCHEMA, "server": server, "cert": cert, "key": key}

    def _all(self, kind: str) -> list[AgentCredentials]:
        kept = []
        for file in sorted((self.folder / kind).glob("*.json")):
            credentials = self._find(f"{kind}/{file.name}", file.name.removesuffix(".json"))
            kept += [credentials] if credentials is not None else []
        return kept

    def _find(self, file: str, name: str) -> AgentCredentials | None:
        try:
            data = self._read(file)
        except FileNotFoundError:
            return None
        return self._shaped(file, lambda: AgentCredentials(
            name, bool(data["server"]), str(data["agent"]), str(data["node"]), str(data["cert"]),
            str(data["key"]), str(data.get("uuid") or ""), str(data.get("turn") or ""),
            tuple(str(secret) for secret in data.get("former") or ()),
        ))  # fmt: skip

    # --- files -----------------------------------------------------------------------------------

    def _text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def _read(self, name: str) -> dict[str, Any]:
        try:
            data = json.loads(self._text(name))
        except ValueError:
            raise _damaged(self.folder / name) from None  # the text itself is secret
        if not isinstance(data, dict):
            raise _damaged(self.folder / name)
        return data

    def _shaped(self, name: str, shape: Callable[[], T]) -> T:
        try:
            return shape()
        except (KeyError, TypeError):
            raise _damaged(self.folder / name) from None

    def _save(self, name: str, data: Mapping[str, Any], *, once: bool = False) -> None:
        put(self.folder / name, json.dumps(data), once=once)


def of(conf_file: str | Path, cluster: str = "") -> SecretStore | None:
    """Return the vault beside a master's configuration; None where there is none.

    Without a name it is that of ``main``, or the only one.
    """
    if cluster:
        store = place(conf_file, cluster)
        return store if store.exists else None
    stores = all_of(conf_file)
    main = [v for v in stores if v.cluster == "main"]
    return (main or stores)[0] if main or len(stores) == 1 else None


def all_of(conf_file: str | Path) -> list[SecretStore]:
    """Return every vault beside a master's configuration."""
    root = Path(conf_file).parent / "gluster"
    try:
        folders = [folder for folder in sorted(root.iterdir()) if folder.name[0] != "."]
    except OSError:
        return []
    return [store for store in map(SecretStore, folders) if store.exists]


def place(conf_file: str | Path, cluster: str) -> SecretStore:
    """Return the vault of a pool, made or not."""
    return SecretStore(Path(conf_file).parent / "gluster" / _plain(cluster))


def _plain(name: str) -> str:
    """Return a name that is safe as a file's; ``SpecError`` otherwise."""
    return check_word(name, "minion", "node")


def _chosen(names: tuple[str, ...]) -> dict[str, Any]:
    return {"schema": _SCHEMA, "servers": list(names), "expect": len(names)}


def put(file: Path, text: str, *, once: bool = False) -> None:
    """Write a file completely or not at all, for the owner of its folder alone.

    With ``once`` the first writer wins.
    """
    owner = _owner(file.parent) if os.geteuid() == 0 else None
    write_atomically(file, text, 0o600, owner=owner, once=once)


def _owner(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_uid, status.st_gid


def _give(owner: tuple[int, int] | None, *paths: Path) -> None:
    """Give files to the user that the master runs as; only root can."""
    if owner is not None and os.geteuid() == 0:
        for path in paths:
            os.chown(path, *owner)


def _damaged(file: Path) -> GlusterError:
    return GlusterError(
        f"{file} is damaged.", kind="unreadable",
        hint="Restore it from a backup: a new one would lock the running Consul out.",
    )  # fmt: skip
