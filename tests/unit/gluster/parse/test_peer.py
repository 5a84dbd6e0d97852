from __future__ import annotations

import pytest
import samples

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import parse_answer
from salt_gluster.gluster.parse.peer import parse_pool_list, parse_uuid


def test_pool_list_has_every_name_and_marks_the_own_row() -> None:
    first, second, own = parse_pool_list(samples.answer("pool-list-3.xml"))
    assert first.names == ("gfn2", "198.18.8.2", "gfn2-alt")
    assert (second.name, second.usable) == ("gfn3", True)
    assert (own.is_self, own.names, own.state) == (True, ("localhost",), 3)
    assert own.uuid == parse_uuid(samples.answer("system-uuid-get.xml"))


@pytest.mark.parametrize(
    ("file", "name", "connected", "state"),
    [
        ("peer-status-rejected.xml", "gfn6", True, 6),
        ("peer-status-glusterd-killed.xml", "gfn3", False, 3),
        ("replace-probed-peer-status-survivor.xml", "gfn3", True, 4),
    ],
)
def test_only_state_3_and_connected_is_usable(
    file: str, name: str, connected: bool, state: int
) -> None:
    (peer,) = (p for p in parse_pool_list(samples.answer(file)) if p.name == name)
    assert (peer.connected, peer.state, peer.usable) == (connected, state, False)


def test_a_peer_without_a_state_that_is_not_this_node_is_unreadable() -> None:
    cut = samples.text("peer-status-rejected.xml").replace("<state>6</state>", "")
    with pytest.raises(Unreadable, match="<state>"):
        parse_pool_list(parse_answer(cut))
