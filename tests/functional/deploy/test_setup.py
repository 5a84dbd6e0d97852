"""``salt-run gluster.setup`` against the way in which Salt reads a master's configuration."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import salt.client
import salt.config
import salt.loader
from a_master import (
    ADMIT,
    DEFAULT_ROOTS,
    FORMULA,
    Master,
    engines,
    reacts,
)

from salt_gluster.consul import pool
from salt_gluster.remediation.salt_events import admission, request


def test_a_plain_master_gets_engine_reactor_and_formula(master: Master) -> None:
    told = master.setup()
    assert told["then"] == "systemctl restart salt-master"
    assert list(told["changes"]) == [str(master.file)]
    opts = master.opts()
    assert engines(opts) == ["reactor", "gluster_consul", "gluster_events"]
    assert opts["file_roots"]["base"] == [*DEFAULT_ROOTS, FORMULA]
    assert opts["ext_pillar"] == [{"gluster_consul": {}}]
    assert reacts(opts, request("prod", "p-1", "g1", 1.0)["tag"]) == []
    assert reacts(opts, admission("prod", "g1", "u", 1.0)["tag"]) == [ADMIT]
    assert reacts(opts, "salt/gluster/prod/remediation/p-1/done") == []


def test_the_second_run_changes_nothing(master: Master) -> None:
    master.says("engines: [{http_logstash: {url: 'http://h'}}]\nreactor: [{'a/*': [/a.sls]}]")
    master.says("file_roots: {base: [/one], dev: [/two]}")
    master.setup()
    first = master.file.read_text()
    told = master.setup()
    assert (told["changes"], told["then"]) == ({}, "")
    assert master.file.read_text() == first


OWN = """
engines: [{http_logstash: {url: 'http://h'}}]
reactor: [{'salt/minion/*/start': [/a.sls]}, {'salt/gluster/*': [/mine.sls]}]
file_roots: {base: [/one], dev: [/two, /three]}
ext_pillar: [{cmd_json: 'echo {}'}]
"""


@pytest.mark.parametrize("name", ["", "a.conf", "zz.conf"])
def test_what_the_master_has_stays_once_wherever_it_stands(master: Master, name: str) -> None:
    master.says(OWN, name)
    before = master.opts()
    master.setup()
    opts = master.opts()
    assert sorted(engines(opts)) == ["gluster_consul", "gluster_events", "http_logstash", "reactor"]
    assert [e for e in opts["engines"] if "http_logstash" in e] == before["engines"]
    assert len(opts["reactor"]) == 3
    assert sorted(next(iter(e)) for e in opts["ext_pillar"]) == ["cmd_json", "gluster_consul"]
    assert [r for r in opts["reactor"] if r in before["reactor"]] == before["reactor"]
    assert sorted(opts["file_roots"]["base"]) == sorted(["/one", FORMULA])
    assert opts["file_roots"]["dev"] == ["/two", "/three"]
    tag = admission("prod", "g1", "u", 1.0)["tag"]
    assert sorted(reacts(opts, tag)) == sorted(["/mine.sls", ADMIT])


def test_what_the_own_file_gains_later_is_taken_up(master: Master) -> None:
    """The lists that Salt sees come from our file then: they must not hide the own file's."""
    master.setup()
    master.says("engines: [{http_logstash: {url: 'http://h'}}]")
    assert "http_logstash" not in engines(master.opts())
    assert list(master.setup()["changes"]) == [str(master.file)]
    added = ["reactor", "gluster_consul", "gluster_events"]
    assert engines(master.opts()) == ["http_logstash", *added]


def test_what_another_file_loses_later_is_gone(master: Master) -> None:
    master.says("engines: [{http_logstash: {url: 'http://h'}}]", "other.conf")
    master.setup()
    (master.drop_ins / "other.conf").unlink()
    assert engines(master.opts()) == ["reactor", "gluster_consul", "gluster_events"]


def test_an_engine_that_somebody_has_configured_is_not_written_twice(master: Master) -> None:
    theirs = ["reactor", {"gluster_consul": {"address": "http://10.0.0.1:8500"}},
              {"gluster_events": {"address": "10.0.0.1"}}]  # fmt: skip
    master.says(f"engines: {json.dumps(theirs)}")
    master.setup()
    assert master.opts()["engines"] == theirs


def test_test_mode_says_what_would_be_written_and_writes_nothing(master: Master) -> None:
    master.says(OWN)
    shown = master.setup(test=True)["changes"]
    assert shown == {
        str(master.file): {
            "old": "absent",
            "new": "written: engines: http_logstash, reactor, gluster_consul, gluster_events;"
            " reactor: salt/minion/*/start, salt/gluster/*, salt/gluster/*/node/*/admit;"
            " file_roots: base, dev; ext_pillar: cmd_json, gluster_consul",
        }
    }
    assert not master.file.exists()
    assert master.setup()["changes"] == shown


def test_what_the_site_keeps_secret_is_for_the_master_alone_and_on_no_screen(
    master: Master, caplog: pytest.LogCaptureFixture
) -> None:
    """Salt's merge of lists makes us repeat what stands in the master's own file."""
    planted = [f"planted-{kind}" for kind in ("engine", "reactor", "pillar", "root")]
    master.says(
        f"engines: [{{http_logstash: {{url: 'http://u:{planted[0]}@h'}}}}]\n"
        f"reactor: [{{'a/*': ['salt://x.sls?saltenv={planted[1]}']}}]\n"
        f"ext_pillar: [{{mysql: {{pass: {planted[2]}}}}}]\n"
        f"file_roots: {{base: [/srv/{planted[3]}]}}"
    )
    shown: list[Any] = []
    with caplog.at_level("DEBUG", "salt_gluster"):
        shown += [master.setup(test=True), master.setup()]
        text = master.file.read_text()
        assert [word for word in planted if word not in text] == [], "its own still works"
        assert master.file.stat().st_mode & 0o7777 == 0o600
        master.file.chmod(0o644)
        shown.append(master.setup())
        assert shown[-1]["changes"][str(master.file)]["old"] == "mode 0644"
        assert master.file.stat().st_mode & 0o7777 == 0o600
        master.says("gluster_events: {port: 1}")
        shown += [master.setup(remove=True, test=True), master.setup(remove=True)]
    assert [s["changes"].keys() for s in shown] == [{str(master.file)}] * 5
    said = json.dumps(shown) + "".join(r.getMessage() for r in caplog.records)
    assert [word for word in planted if word in said] == []


def test_a_declaration_that_is_no_yaml_is_not_quoted(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PoolClient", lambda settings: contextlib.nullcontext())
    file = master.conf.parent / "pool.yml"
    file.write_text("gluster:\n  password: planted\n  nodes: [planted\n x: planted: {\n")
    said = salt.loader.runner(master.opts())["gluster.import"](str(file), reason="x")
    assert "pool.yml cannot be read as YAML, line" in str(said)
    assert "planted" not in str(said)


def test_remove_takes_only_our_file_away(master: Master) -> None:
    master.says(OWN)
    before = master.opts()
    master.setup()
    assert master.setup(remove=True, test=True)["changes"] and master.file.exists()
    assert master.setup(remove=True)["then"]
    assert not master.file.exists()
    after = master.opts()
    keys = ("engines", "reactor", "file_roots", "ext_pillar")
    assert {k: after[k] for k in keys} == {k: before[k] for k in keys}
    assert master.setup(remove=True)["changes"] == {}


def test_a_file_of_somebody_else_is_left_alone(master: Master) -> None:
    master.says("engines: []", "salt-gluster.conf")
    for arguments in ({}, {"remove": True}):
        told = master.setup(**arguments)
        assert told["retcode"] == 1 and "was not written by this command" in told["error"]
    assert master.file.read_text() == "engines: []\n"


@pytest.mark.parametrize(
    ("text", "name", "word"),
    [("engines: {x: {}}", "a.conf", "engines"), ("reactor: /etc/salt/reactor.conf", "", "reactor")],
)
def test_what_cannot_be_added_to_is_an_error_that_says_so(
    master: Master, text: str, name: str, word: str
) -> None:
    master.says(text, name)
    told = master.setup()
    assert f"{word} in" in told["error"] and "as a list" in told["error"]
    assert not master.file.exists()


def test_a_file_that_overrides_ours_is_told(master: Master) -> None:
    """What the own file includes is read after master.d and replaces its lists."""
    (master.conf.parent / "more").write_text("engines: [thorium]\n")
    master.says("include: more")
    said = master.setup()
    assert "engines" in said["error"] and "no effect" in said["error"]
    assert "reactor" not in said["error"].split("will have")[0].split("its")[1]
