"""Add the declaration that Consul keeps instead of a pillar file to a minion's pillar.

Only an operator writes it (``declaration.py``): what highstates submit never comes back here. Every
pillar of a master is compiled with it, so what was read a moment ago is good enough, and a Consul
that does not answer is not asked again at once. The last good copy lies beside the secrets.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salt_gluster.consul.client import connect
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError, GlusterError, SpecError, Unreadable
from salt_gluster.master.approvals import settings_of
from salt_gluster.master.deploy import secret_store
from salt_gluster.master.deploy.credentials import pool_of
from salt_gluster.model import digest_of
from salt_gluster.spec import parse_pool
from salt_gluster.spec.names import has_globs
from salt_gluster.status.config_versions import differences

log = logging.getLogger(__name__)

SCHEMA = 1
#: So many seconds a copy is as good as what Consul has: 300 minions are one question.
FRESH_S = 5.0
#: A Consul that gave no answer is left alone so long; each process finds that out for itself.
RETRY_S = 10.0
TIMEOUT_S = 1.0
_MOST_NAMED = 3
#: Master's copy -> when Consul failed last (monotonic), and how.
_failed: dict[Path, tuple[float, GlusterError]] = {}


@dataclass(frozen=True)
class StoredDeclaration:
    """The body of ``gluster`` that an operator has put into Consul, and who, when, why."""

    cluster: str
    body: Mapping[str, Any]
    by: str
    at: float
    why: str

    def to_data(self) -> dict[str, Any]:
        """Return the document."""
        about = {"by": self.by, "at": self.at, "why": self.why}
        return {"schema": SCHEMA, "gluster": dict(self.body), **about}


def declaration_from(data: Any, cluster: str) -> StoredDeclaration:
    """Return what a document says; ``Unreadable`` where it is none."""
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA or "gluster" not in data:
        raise Unreadable("it is no declaration that this version of the extension has written.")
    by, why = (str(data.get(key, "")) for key in ("by", "why"))
    return StoredDeclaration(cluster, data["gluster"], by, float(data.get("at") or 0), why)


def _checked(kept: StoredDeclaration) -> StoredDeclaration:
    """Return it, or raise ``SpecError``: anybody with a token may have written it by hand.

    Where a glob stands in ``nodes`` the states do the rest, which know whom it means.
    """
    if not isinstance(kept.body, Mapping) or not has_globs(kept.body.get("nodes")):
        parse_pool(kept.body)
    named = kept.body.get("cluster", "main")
    if named != kept.cluster:
        raise SpecError("gluster:cluster", f"it declares the pool {named}, not {kept.cluster}.")
    return kept


class Source:
    """Where a master finds it: in Consul, or else in its own last good copy."""

    def __init__(self, opts: Mapping[str, Any]) -> None:
        self._settings = settings_of(opts)
        self.cluster = str(self._settings.get("cluster") or "main")
        place = secret_store.place(opts["conf_file"], self.cluster).folder
        self.file = place.with_name(f"{self.cluster}.pillar.json")

    def kept(self) -> StoredDeclaration:
        """Return it; ``GlusterError`` says what to do where there is neither."""
        copy = self._copy()
        if copy is not None and 0 <= time.time() - copy[1] <= FRESH_S:
            return copy[0]
        failed = _failed.get(self.file)
        if failed is not None and time.monotonic() < failed[0] + RETRY_S:
            return self._without(failed[1], copy)
        try:
            return self.read()
        except GlusterError as err:
            _failed[self.file] = time.monotonic(), err
            since = "" if copy is None else f"; the copy from {_clock(copy[0].at)} is used"
            log.warning("the pillar %s is not read from Consul%s: %s", self.cluster, since, err)
            return self._without(err, copy)

    def _without(
        self, err: GlusterError, copy: tuple[StoredDeclaration, float] | None
    ) -> StoredDeclaration:
        if copy is not None:
            return copy[0]
        raise GlusterError(
            f"this pillar is kept in Consul, and cannot be had: {err} There is no copy on this"
            f" master either ({self.file}).", kind="no_pillar",
            hint="Start Consul again, or bring it there: salt-run gluster.import FILE. To go back"
            " to pillar files: salt-run gluster.setup pillar_from=files restart=True.",
        )  # fmt: skip

    def read(self) -> StoredDeclaration:
        """Read it from Consul now, and keep a copy; raise where it is not there."""
        client = connect(self._settings, timeout_s=TIMEOUT_S)
        try:
            store = Store(client, self.cluster)
            document = store.read(store.keys.pillar)
            if document is None:
                raise ConsulError(
                    f"there is no {store.keys.pillar}.", kind="absent",
                    hint="Put it there: salt-run gluster.import FILE reason='…'; of a pool that is"
                    " not main the master's configuration has the name: gluster_consul:"
                    " {cluster: …}.",
                )  # fmt: skip
        finally:
            client.close()
        kept = _checked(declaration_from(document.data, self.cluster))
        _failed.pop(self.file, None)
        self._remember(kept)
        return kept

    def _copy(self) -> tuple[StoredDeclaration, float] | None:
        """Return the copy, and when it was last as Consul has it."""
        try:
            at = self.file.stat().st_mtime
            data = json.loads(self.file.read_text(encoding="utf-8"))
            return declaration_from(data, self.cluster), at
        except FileNotFoundError:
            return None
        except (OSError, ValueError, GlusterError) as err:
            log.warning("%s is not used: %s", self.file, err)
            return None

    def _remember(self, kept: StoredDeclaration) -> None:
        text = json.dumps(kept.to_data())
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.file.exists() and self.file.read_text(encoding="utf-8") == text:
                os.utime(self.file)
            else:
                secret_store.put(self.file, text)
        except OSError as err:
            log.warning("no copy of the pillar is kept: %s", err)


def refuse_ext_pillar_first(opts: Mapping[str, Any]) -> None:
    """Raise where Salt asks external pillars before it reads files: who is a node is not seen."""
    if opts.get("ext_pillar_first"):
        raise SpecError("ext_pillar_first", "with it nobody sees whether pillar files declare the"
                        " pool too, and no node gets its access to Consul.",
                        hint="Take it out of the master's configuration.")  # fmt: skip


def declared(opts: Mapping[str, Any], minion: str, pillar: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is added to a minion's pillar: the declaration for a node that it names.

    Raises where pillar files say something else of the same pool or node: which of two is meant, a
    program cannot know. With ``ext_pillar_first`` Salt would merge the two behind our back.
    """
    refuse_ext_pillar_first(opts)
    kept = Source(opts).kept()
    pool = pool_of({"gluster": kept.body}, lambda: (minion,))
    is_node = pool is not None and minion in pool.nodes
    own = pillar.get("gluster")
    if own is None:
        return {"gluster": dict(kept.body)} if is_node else {}
    named = own.get("cluster", "main") if isinstance(own, Mapping) else kept.cluster
    if digest_of(own) == digest_of(kept.body) or not (is_node or named == kept.cluster):
        return {}
    files = own if isinstance(own, Mapping) else {}
    differing = [d.what for d in differences({"spec": kept.body}, {"spec": files})]
    more = f" and {len(differing) - _MOST_NAMED} more" if len(differing) > _MOST_NAMED else ""
    raise SpecError(
        "gluster", f"pillar files declare it, and so does Consul ({kept.by}, {_clock(kept.at)}),"
        f" and they differ in {', '.join(differing[:_MOST_NAMED])}{more}.",
        hint="Take the key out of the pillar files, or bring Consul up to them: salt-run"
        " gluster.import FILE reason='…'.",
    )  # fmt: skip


def keep_up(opts: Mapping[str, Any]) -> None:
    """Let the next pillar of this master have what was just written, where it uses it at all."""
    source = Source(opts)
    if source.file.exists():
        with contextlib.suppress(GlusterError):  # then the next pillar asks
            source.read()


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
