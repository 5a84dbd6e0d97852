"""What is told of rows in Consul that cannot be their node's own word."""

from __future__ import annotations

from salt_gluster.model import Ref
from salt_gluster.remediation.identity import announce_identities
from salt_gluster.remediation.membership import Condition, ConsulView, ViewTrust
from salt_gluster.remediation.salt_events import payload

KEY = Ref("identity", "g4")


def view(**contradicted: str) -> ConsulView:
    roster = {"u4": "g4", "u2": "g2"}
    return ConsulView(ViewTrust(True), {}, contradicted=contradicted, roster=roster)


def test_it_is_told_once_while_it_lasts_and_its_end_clears_it() -> None:
    known, (notice,) = announce_identities(view(g4="its row says g2"), {}, 100.0)
    assert known == {KEY: Condition("contradicted", 100.0, "g4")}
    assert (notice.uuid, notice.name, notice.event) == ("u4", "g4", "contradicted")
    assert notice.why == "its row says g2"
    again, nothing = announce_identities(view(g4="another thing"), known, 200.0)
    assert (again, nothing) == (known, ())
    gone, (end,) = announce_identities(view(), known, 300.0)
    assert (gone, end.event) == ({}, "identified")
    assert payload("main", end, 1, 300.0)["data"]["clears"] == ["contradicted"]


def test_one_that_is_no_member_is_told_by_its_name() -> None:
    _, (notice,) = announce_identities(view(x1="not admitted"), {}, 1.0)
    assert (notice.uuid, notice.name) == ("", "x1")


def test_other_conditions_are_not_its_business() -> None:
    others = {Ref("node", "u4"): Condition("suspect", 1.0)}
    assert announce_identities(view(), others, 2.0) == ({}, ())
