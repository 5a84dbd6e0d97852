"""Return this node's testimony: its own report, and which ports of others accept from here."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from salt_gluster import node
from salt_gluster.consul.answers import write_answer
from salt_gluster.consul.client import Client, connect
from salt_gluster.consul.store import Store
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.minion import report
from salt_gluster.minion.automation import registration
from salt_gluster.minion.automation.publish import TROUBLE, collect_and_publish
from salt_gluster.minion.driver import GlusterDriver
from salt_gluster.model import Unknown

SCHEMA = 1
CONNECT_S = 3.0
#: glusterd gives a brick none of the ports of the system's own services.
LEAST_PORT = 1024
#: An agent that hangs must not keep the answer from whoever asked.
CONSUL_S = 2.0


def observe(
    driver: GlusterDriver, settings: Mapping[str, Any], ports: Sequence[Sequence[Any]],
    nonce: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Return own clock, own report, and for each port whether it accepts; None = not asked.

    With the leader's ``nonce`` the answer stands in Consul, and here only that it does. Where
    Consul does not take it, it is here; then nobody can know whose it is.
    """
    connects = _Connects(_checked(ports))
    me = registration.load_registration()
    own: dict[str, Any] | None = None
    trouble = ""
    if me is not None:  # else never registered: it has no place there
        # After one silence nothing else is asked of Consul.
        try:
            with contextlib.closing(_client(settings)) as client:
                store = Store(client, me.cluster)
                own = collect_and_publish(driver, store, me, best_effort=True)
                if nonce and "after" in own:
                    at = driver.now()
                    write_answer(store, me.uuid, nonce, at=at, ports=connects.rows())
                    return {"schema": SCHEMA, "at": at, "confirmed": True}
                trouble = str(own.pop(TROUBLE, ""))
        except GlusterError as err:
            trouble = str(err)
    own = own if own is not None else report.collect_report(driver)
    answer = {"schema": SCHEMA, "at": driver.now(), "report": own, "ports": connects.rows()}
    return {**answer, **({"trouble": trouble} if trouble else {})}


def _checked(ports: Any) -> Sequence[Sequence[Any]]:
    rows = ports if isinstance(ports, (list, tuple)) else [ports]
    if not all(isinstance(row, (list, tuple)) and len(row) == 4 for row in rows):
        hint = 'ports=\'[["UUID", "/b/1", "g2", 49152]]\''
        raise SpecError("ports", "a list of [uuid, path, host, port] is expected.", hint=hint)
    return rows


def _client(settings: Mapping[str, Any]) -> Client:
    return connect(settings, timeout_s=CONSUL_S)


class _Connects:
    """TCP connects, all at once; no gluster process.

    Host and port come from other nodes' reports. So only a brick that glusterd's own files here
    define is connected to, at its host, and no port at which no brick can be.
    """

    def __init__(self, ports: Sequence[Sequence[Any]]) -> None:
        self._ports = [tuple(row) for row in ports]
        self._defined = node.defined_bricks()
        self._found: dict[int, bool | None] = {}
        self._threads = [
            threading.Thread(target=self._ask, args=(number,), daemon=True)
            for number in range(len(self._ports))
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        uuid, path, host, port = self._ports[number]
        is_port = isinstance(port, int) and LEAST_PORT <= port < 65536
        is_brick = (uuid, path, host) in self._defined
        if is_port and is_brick and not isinstance(node.resolve(str(host), CONNECT_S), Unknown):
            self._found[number] = node.accepts(str(host), port, CONNECT_S)

    def rows(self) -> list[list[Any]]:
        """Return ``[uuid, path, accepted]`` of each."""
        for thread in self._threads:
            thread.join(2 * CONNECT_S + 1)
        return [
            [uuid, path, self._found.get(number)]
            for number, (uuid, path, _, _) in enumerate(self._ports)
        ]
