"""What a node says whom the master does not let into Consul."""

from __future__ import annotations

import pytest

from salt_gluster.consul.service import Member
from salt_gluster.errors import ConsulError
from salt_gluster.minion.automation import registration
from salt_gluster.render import state_error

REFUSED = ConsulError("Consul refuses", kind="forbidden", text="ACL not found")
UUID = "00000001-0000-4000-8000-000000000000"


def member(minion: str) -> Member:
    return Member(UUID, "", minion, "main", "", "10.3", "100000", minion, "", "10.0.0.9")


def test_a_renamed_minion_names_reason_and_command() -> None:
    said = registration._not_admitted("g9", member("g3"), REFUSED)
    comment = " ".join(state_error("in-consul", said)["comment"].split())
    assert "this node was g3 in Consul and its minion is called g9 now" in comment
    assert "salt-key -d g3" in comment and "Take g3 out of gluster: nodes" in comment
    assert "Consul said: ACL not found" in comment and "gluster said" not in comment


@pytest.mark.parametrize("before", [None, member("g9"), member("")])
def test_one_that_waits_in_vain_names_where_the_reason_is(before: Member | None) -> None:
    said = registration._not_admitted("g9", before, REFUSED)
    assert "has not admitted g9" in said.message
    assert "salt-run gluster_consul.admit g9 UUID" in said.hint
