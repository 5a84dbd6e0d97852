"""Asking minions: an answer counts whether the bus tells of it or only the master's job cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from salt_gluster.master import jobs

LIMIT_S = 15.0


class Client:
    """Salt's client with a clock of its own: what is answered when, and by which way it is seen.

    ``events`` and ``cached`` are when the answer of a minion comes, ``works_until`` until when a
    minion says that it works on the job.
    """

    def __init__(
        self,
        minions: Sequence[str],
        events: Mapping[str, float] | None = None,
        cached: Mapping[str, float] | None = None,
        works_until: Mapping[str, float] | None = None,
    ) -> None:
        self.now = 0.0
        self.event = self
        self._minions = list(minions)
        self._events, self._cached = dict(events or {}), dict(cached or {})
        self._works_until = works_until or {}
        self._found: dict[str, bool] = {}
        self.jobs: list[tuple[Any, str, str]] = []

    def monotonic(self) -> float:
        return self.now

    def run_job(
        self, target: Any, function: str, *, arg: list[Any], tgt_type: str, listen: bool, **_: Any
    ) -> dict[str, Any]:
        assert listen
        self.jobs.append((target, function, tgt_type))
        if function != "saltutil.find_job":
            return {"jid": "1", "minions": self._minions} if self._minions else {}
        assert arg == ["1"]
        self._found = {m: self.now < self._works_until.get(m, 0) for m in target}
        return {"jid": "2", "minions": [m for m in target if m in self._works_until]}

    def get_event(self, *, wait: float, tag: str, match_type: str) -> dict[str, Any] | None:
        assert match_type == "startswith"
        if tag == "salt/job/2/ret/" and self._found:
            name, works = self._found.popitem()
            self.now += 0.3
            return {"id": name, "return": {"pid": 7} if works else {}}
        due = [name for name, at in self._events.items() if at <= self.now + wait]
        if tag == "salt/job/1/ret/" and due:
            name = min(due, key=self._events.__getitem__)
            self.now = max(self.now, self._events.pop(name))
            return {"id": name, "return": f"{name} by event"}
        self.now += wait
        return None

    def get_cache_returns(self, jid: str) -> dict[str, Any]:
        assert jid == "1"
        return {n: {"ret": f"{n} cached"} for n, at in self._cached.items() if at <= self.now}


def ask(monkeypatch: pytest.MonkeyPatch, client: Client, target: Any = "*") -> dict[str, Any]:
    monkeypatch.setattr(jobs, "time", client)
    return jobs.ask(client, target, "gluster.report", silence_s=LIMIT_S)


def test_an_answer_that_only_the_cache_has_is_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(["g1", "g2"], events={"g1": 1.0}, cached={"g1": 1.0, "g2": 1.2})
    assert ask(monkeypatch, client) == {"g1": "g1 by event", "g2": "g2 cached"}
    assert client.now < 2.5
    assert len(client.jobs) == 1


def test_who_is_silent_is_left_out_after_two_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(["g1", "g2"], events={"g1": 1.0}, works_until={"g1": 0})
    assert ask(monkeypatch, client) == {"g1": "g1 by event"}
    assert client.jobs[1:] == [(["g2"], "saltutil.find_job", "list")] * 2
    assert LIMIT_S <= client.now <= LIMIT_S + 2


def test_who_works_is_waited_for_as_long_as_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(["g1", "g2"], {"g1": 1.0, "g2": 100.0}, works_until={"g2": 100.0})
    assert ask(monkeypatch, client) == {"g1": "g1 by event", "g2": "g2 by event"}


def test_an_answer_that_came_during_the_question_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It had ended when it was asked whether it works; the event went to nobody."""
    client = Client(["g1"], cached={"g1": LIMIT_S + 0.2}, works_until={"g1": LIMIT_S})
    assert ask(monkeypatch, client) == {"g1": "g1 cached"}


def test_a_target_is_a_glob_or_a_list_and_may_match_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Client([])
    assert ask(monkeypatch, nobody, "x*") == {}
    one = Client(["g1"], events={"g1": 0.1})
    assert ask(monkeypatch, one, ("g1",)) == {"g1": "g1 by event"}
    assert [*nobody.jobs, *one.jobs] == [
        ("x*", "gluster.report", "glob"), (["g1"], "gluster.report", "list"),
    ]  # fmt: skip


def test_a_job_may_be_over_by_a_rule_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(["g1", "g2"], events={"g1": 1.0})
    monkeypatch.setattr(jobs, "time", client)
    job = client.run_job("*", "f", arg=[], tgt_type="glob", listen=True)
    found = jobs.collect(client, job, lambda answered, _: "g1" in answered)
    assert found == {"g1": "g1 by event"}
    assert client.now == 1.0


def test_an_answer_that_is_not_believed_does_not_keep_the_minions_own_one_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another minion may answer first, in its name."""
    client = Client(["g1"], events={"g1": 1.0}, cached={"g1": 3.0})
    monkeypatch.setattr(jobs, "time", client)
    answers = jobs.ask(
        client, ["g1"], "gluster_consul.identity", silence_s=LIMIT_S,
        believes=lambda answer: answer == "g1 cached",
    )  # fmt: skip
    assert answers == {"g1": "g1 cached"}
    assert client.now < LIMIT_S


def test_one_that_nobody_believes_is_no_answer_from_the_cache_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client(["g1"], events={"g1": 1.0}, cached={"g1": 1.0})
    monkeypatch.setattr(jobs, "time", client)
    asked = jobs.ask(client, ["g1"], "x", silence_s=LIMIT_S, believes=lambda answer: False)
    assert asked == {}


def test_whoever_says_that_it_still_works_is_waited_for_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Anybody may say so in its name, without end: an admission takes one of four slots."""
    client = Client(["g1"], works_until={"g1": 10_000.0}, events={"g1": 500.0})
    monkeypatch.setattr(jobs, "time", client)
    assert jobs.ask(client, ["g1"], "x", silence_s=10.0, limit_s=30.0) == {}
    assert 30.0 <= client.now <= 31.0


def test_answers_of_others_end_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forger answers in ever other names: each would be news, and kept."""
    others = {f"x{number}": number * 5.0 for number in range(100)}
    client = Client(["g1"], events=others)
    assert ask(monkeypatch, client, ["g1"]) == {}
    assert client.now <= LIMIT_S + 2
