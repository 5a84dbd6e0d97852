"""The status screen from the copy in Consul and from the nodes, and which of them it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest

from salt_gluster.errors import ConsulError
from salt_gluster.master.status import check, of_copy, status
from salt_gluster.model import Brick, Peer, Volume, utc_clock
from salt_gluster.render import render_status
from salt_gluster.status.facts import volumes_data
from salt_gluster.status.freshness import PoolCopy
from salt_gluster.status.pool import pool_status

NODES = ("g1", "g2", "g3")
NO_CONSUL = ConsulError("no Consul agent answers.", kind="unreachable")
DATA = Volume("data", "id-data", "Started", "replicate",
              tuple(Brick(n, "/b", f"u-{n}") for n in NODES), 1, replica=3)  # fmt: skip


def report(node: str) -> dict[str, Any]:
    """What a node told while all was well."""
    peers = [Peer(f"u-{n}", (n,), True, 3, "Peer in Cluster", n == node) for n in NODES]
    brick = {"name": f"{node}:/b", "online": True, "port": 49152, "free": 5, "total": 9,
             "pending": 0}  # fmt: skip
    return {
        "schema": 1, "at": 1.0, "node": node, "names": [node], "uuid": f"u-{node}",
        "version": "11.1", "hold": None, "peers": [asdict(p) for p in peers],
        "volumes": volumes_data({"data": DATA}), "bricks": {"data": [brick]},
        "reach": {f"u-{n}": {"accepts": True, "max_op_version": 110000} for n in NODES},
    }  # fmt: skip


COPY = PoolCopy(
    now=1_700_000_000.0,
    reports=tuple(map(report, NODES)),
    ages={"u-g1": 9.04, "u-g2": 12.0, "u-g3": 240.0},
    silent={},
    names={f"u-{n}": n for n in NODES},
    verdicts={},
)


def asking(target: Any, function: str, *arguments: Any) -> Mapping[str, Any]:
    assert function == "gluster.report"
    return {n: report(n) for n in NODES}


def line(text: str, label: str) -> str:
    (found,) = [row for row in " ".join(text.split("\n  ")).splitlines() if row.startswith(label)]
    return " ".join(found.split())


def test_the_copy_says_how_old_it_is_as_data_and_on_the_screen() -> None:
    data = of_copy(COPY)
    assert (data["source"], data["age_s"], data["exit"]) == ("consul", 240.0, 0)
    assert data["ages_s"] == {"g1": 9.0, "g2": 12.0, "g3": 240.0}
    assert data["now"] == COPY.now  # not a node's clock
    screen = render_status(data)
    assert max(map(len, screen.splitlines())) <= 80
    assert screen.splitlines()[0].endswith(", as of 4 min ago")
    assert line(screen, "SOURCE").startswith(
        "SOURCE Consul's copy, at most 4 min old (g3; the youngest part 9 s);"
    )
    same = of_copy(replace(COPY, ages=dict.fromkeys(COPY.ages, 12.0)))
    assert "at most 12 s old; live=True asks the nodes" in render_status(same)


def test_a_node_that_is_down_is_shown_as_that_and_what_it_told_is_unknown() -> None:
    words = "down for 10 min, says m1: it is silent"
    there = {u: a for u, a in COPY.ages.items() if u != "u-g3"}
    gone = replace(COPY, reports=COPY.reports[:2], ages=there, silent={"u-g3": words},
                   verdicts={"u-g3": ("down", words)})  # fmt: skip
    data = of_copy(gone)
    assert data["nodes"]["members"]["g3"]["state"] == "down"
    assert (data["nodes"]["up"], data["volumes"]["data"]["word"]) == (2, "degraded")
    assert data["volumes"]["data"]["bricks"]["away"] == ["g3:/b"]
    assert data["ages_s"]["g3"] == {"unknown": words}
    screen = render_status(data)
    assert "2 up, 1 DOWN" in screen
    assert "bring g3 back" in screen
    assert f"report of g3: {words}" in screen


def test_a_node_that_told_nothing_for_long_is_unknown_and_not_as_it_was() -> None:
    there = {u: a for u, a in COPY.ages.items() if u != "u-g2"}
    data = of_copy(
        replace(COPY, reports=(COPY.reports[0], COPY.reports[2]), ages=there,
                silent={"u-g2": "it told last 2 h ago"})
    )  # fmt: skip
    row = data["volumes"]["data"]
    assert (row["bricks"]["up"], row["bricks"]["unseen"]) == (2, ["g2:/b"])
    assert {"what": "report", "subjects": ["g2"], "why": "it told last 2 h ago"} in data["unknown"]
    assert isinstance(row["to_heal"], dict) and "unknown" in row["to_heal"]


@pytest.mark.parametrize(
    ("found", "more", "why"),
    [
        (None, {}, "the pool is in no Consul"),
        (NO_CONSUL, {}, "not from Consul, no Consul agent answers."),
        (NO_CONSUL, {"live": True}, ""),
        (None, {"target": "g[12]"}, ""),
    ],
)
def test_the_nodes_are_asked_without_consul_and_at_a_persons_word(
    found: Any, more: dict[str, Any], why: str
) -> None:
    words = {"target": "*", **more}
    data = status(asking, consul_pool=found, as_data=True, **words)
    assert (data["source"], data["asked_because"], data["ages_s"]) == ("nodes", why, {})
    said = line(status(asking, consul_pool=found, **words)["text"], "SOURCE")
    assert said == "SOURCE the nodes, asked just now" + (f": {why}" if why else "")


def test_a_declared_volume_that_is_not_made_is_told_with_who_refuses_and_the_exit_code_is_1() -> (
    None
):
    why = "/srv/gluster/web/1 holds lost+found"
    web = {
        "g1": {"says": "waits", "why": "g2 has not prepared it"},
        "g2": {"says": "refuses", "why": why},
        "g3": {"says": "", "why": ""},
    }

    def ask(target: Any, function: str, *arguments: Any) -> Mapping[str, Any]:
        """The volume data is there: a report that misses it is older than its create."""
        late = {"data": {"says": "waits", "why": "for g9"}}
        return {n: {**report(n), "declared": {"web": web[n], **late}} for n in NODES}

    data = status(ask, "*", as_data=True)
    assert data["not_made"] == {"web": [{"nodes": ["g2"], "says": "refuses", "why": why}]}
    assert (data["exit"], data["exit_word"], data["retcode"]) == (1, "not_made", 1)
    assert status(ask, "*")["retcode"] == 1
    line = check(ask, "*")
    assert (line["text"].split(" | ")[0], line["retcode"]) == (
        "GLUSTER WARNING - 1 of 1 volume whole; web declared and not made", 1,
    )  # fmt: skip
    text = " ".join(render_status(data).split())
    assert (
        f"web is declared and not made: g2 refuses ({why})" in text and "exit 1, not made" in text
    )
    copied = of_copy(replace(COPY, reports=tuple(ask("*", "gluster.report").values())))
    assert copied["not_made"] == data["not_made"]
    assert status(asking, "*", as_data=True)["exit"] == 0


DEAD = {("u-g2", "/b"): "down, says m1: it does not serve"}


def test_a_brick_that_the_leader_knows_to_be_dead_is_down_though_its_node_told_otherwise() -> None:
    """48 s after a brick had died on a node without its token: 3/3, nothing lost, exit 0."""
    data = of_copy(replace(COPY, dead=DEAD))
    row = data["volumes"]["data"]
    assert (row["bricks"]["up"], row["bricks"]["down"]) == (2, ["g2:/b"])
    assert (row["word"], data["exit"]) == ("degraded", 1)
    assert data["leader_knows"] == {"g2:/b": DEAD["u-g2", "/b"]}
    screen = " ".join(render_status(data).split())
    assert "2/3" in screen and "nothing lost;" not in screen
    assert "of g2:/b later news: down, says m1: it does not serve" in screen


def test_what_the_node_told_itself_is_no_later_news_and_a_silent_nodes_brick_is_down() -> None:
    told = [report(n) for n in NODES]
    told[1]["bricks"]["data"][0]["online"] = False
    data = of_copy(replace(COPY, reports=tuple(told), dead=DEAD))
    assert (data["volumes"]["data"]["bricks"]["down"], data["leader_knows"]) == (["g2:/b"], {})
    there = {u: a for u, a in COPY.ages.items() if u != "u-g2"}
    silent = replace(COPY, reports=(told[0], told[2]), ages=there, silent={"u-g2": "it is silent"},
                     dead=DEAD)  # fmt: skip
    row = of_copy(silent)["volumes"]["data"]
    assert (row["bricks"]["down"], row["bricks"]["unseen"]) == (["g2:/b"], [])


def test_a_node_that_is_asked_knows_its_own_brick_better_than_the_leader() -> None:
    there = pool_status([report(n) for n in NODES], clock=utc_clock, dead=DEAD)
    assert (there["volumes"]["data"]["bricks"]["up"], there["leader_knows"]) == (3, {})
    silent = pool_status([report("g1"), report("g3")], clock=utc_clock, dead=DEAD)
    assert silent["volumes"]["data"]["bricks"]["down"] == ["g2:/b"]


def _views(node: str, says: dict[str, bool]) -> dict[str, Any]:
    """What a node told that has the others connected, or accepting, as it says."""
    told = report(node)
    peers = [{**p, "connected": says.get(p["names"][0], p["connected"])} for p in told["peers"]]
    reach = {u: {**r, "accepts": says.get(u[2:], r["accepts"])} for u, r in told["reach"].items()}
    return {**told, "at": 9e9, "peers": peers, "reach": reach}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_node_that_misses_the_others_or_tells_another_pool_does_not_decide_for_them(
    place: int,
) -> None:
    """It is the youngest by its clock, and whichever of the reports it is."""
    calm = pool_status([report(n) for n in NODES], clock=utc_clock)
    liar = NODES[place]
    for odd in (
        _views(liar, dict.fromkeys(set(NODES) - {liar}, False)),
        {**report(liar), "at": 9e9, "volumes": {}},
        {**report(liar), "at": 9e9, "peers": [p for p in report(liar)["peers"] if p["is_self"]]},
    ):
        told = [odd if n == liar else report(n) for n in NODES]
        for reports in (told, [odd, *(r for r in told if r is not odd)]):
            data = pool_status(reports, clock=utc_clock)
            assert (data["nodes"]["up"], data["nodes"]["total"]) == (3, 3)
            assert data["volumes"].keys() == calm["volumes"].keys()
            assert data["volumes"]["data"]["word"] == "ok"


def test_a_node_that_the_others_miss_is_away_whatever_it_says_of_them() -> None:
    told = [_views(n, {"g3": False}) for n in ("g1", "g2")] + [
        _views("g3", {"g1": False, "g2": False})
    ]
    for reports in (told, told[::-1]):
        members = pool_status(reports, clock=utc_clock)["nodes"]["members"]
        assert {n: m["state"] for n, m in members.items()} == {"g1": "up", "g2": "up", "g3": "away"}


def test_where_nobody_answers_a_monitor_gets_unknown_and_3() -> None:
    line = check(lambda *_: {}, "*")
    assert line["text"].startswith("GLUSTER UNKNOWN - no minion of a Gluster pool answered")
    assert line["retcode"] == 3
