"""``pool list``, ``peer status`` and ``system:: uuid get``."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from salt_gluster.gluster.parse.answer import CliAnswer
from salt_gluster.gluster.parse.elements import required_number, required_text
from salt_gluster.model import Peer

#: glusterd's state of a member that takes part; every other one does not (facts.md#G-2.1).
IN_CLUSTER = 3


def parse_pool_list(answer: CliAnswer) -> tuple[Peer, ...]:
    """Return the members in gluster's order.

    The own row of ``pool list`` is "localhost" without a state: ``is_self``, state 3. Works for
    ``peer status`` too, which has no own row. Raises ``Unreadable``.
    """
    return tuple(_peer(row) for row in answer.element("peerStatus").iterfind("peer"))


def parse_uuid(answer: CliAnswer) -> str:
    """Return the answering node's own UUID. Raises ``Unreadable``."""
    return required_text(answer.element("uuidGenerate"), "uuid")


def _peer(row: Element) -> Peer:
    hostname = required_text(row, "hostname")
    others = [(h.text or "").strip() for h in row.iterfind("hostnames/hostname")]
    names = tuple(dict.fromkeys(name for name in [hostname, *others] if name))
    uuid = required_text(row, "uuid")
    connected = required_number(row, "connected") == 1
    if hostname == "localhost" and row.find("state") is None:
        return Peer(uuid, names, connected, IN_CLUSTER, "Peer in Cluster", is_self=True)
    text = (row.findtext("stateStr") or "").strip()
    return Peer(uuid, names, connected, required_number(row, "state"), text)
