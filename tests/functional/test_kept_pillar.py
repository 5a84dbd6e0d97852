"""A pool's declaration goes out of Consul as a pillar, comes in, and reaches the nodes' pillar.

A real Consul, Salt's own runners and its own pillar. The accepted versions are written here as the
leader writes them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.pillar
import salt.utils.yaml
from hypothesis import given
from hypothesis import strategies as st
from salt.utils.user import get_specific_user

from lab import packages
from salt_gluster.consul.client import Client, connect
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError, SpecError
from salt_gluster.master import declaration, pillar_source
from salt_gluster.master.deploy import secret_store
from salt_gluster.spec import parse_pool
from salt_gluster.spec.values import plain

BODY: dict[str, Any] = {
    "nodes": "g[1-3]",
    "volumes": {"data": {"replica": 3, "options": {"network.ping-timeout": 20}}},
    "remediation": {"down_after": "2m"},
}
KEY = "gluster/main/pillar"


def free_ports(count: int) -> list[int]:
    """Find ports that nobody has; held together, so that no two are the same."""
    with contextlib.ExitStack() as held:
        socks = [held.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in socks]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Hold a Consul of this test's own, reachable on this machine only."""
    kinds = ("http", "server", "serf_lan", "serf_wan")
    ports = dict(zip(kinds, free_ports(len(kinds)), strict=True)) | {"dns": -1, "grpc": -1}
    file = tmp_path_factory.mktemp("consul") / "consul.json"
    file.write_text(json.dumps({"ports": ports, "disable_update_check": True}))
    words = [str(packages.consul()), "agent", "-dev", "-bind=127.0.0.1", f"-config-file={file}"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as agent:
        where = f"http://127.0.0.1:{ports['http']}"
        client, end = connect({"address": where}), time.monotonic() + 60
        while True:
            with contextlib.suppress(ConsulError):
                if client.kv_put("probe", "1"):
                    break
            assert time.monotonic() < end, "no Consul"
            time.sleep(0.2)
        yield where
        agent.kill()


#: Who gives an order: by the name that is given, Salt's user and the machine.
ANN = f"ann ({get_specific_user()}@{socket.gethostname()})"


class Master:
    """A master's configuration that knows a Consul, its pillar files, and its pool there."""

    def __init__(self, folder: Path, address: str) -> None:
        self.conf, self.roots = folder / "master", folder / "pillar"
        self.client: Client = connect({"address": address})
        self.store = Store(self.client, "main")
        self.client.kv_delete("gluster/", recurse=True)
        self.client.kv_put(self.store.keys.canary, "here")
        self.copy = folder / "gluster" / "main.pillar.json"
        self.said: dict[str, Any] = {
            "root_dir": str(folder), "pillar_roots": {"base": [str(self.roots)]},
            "ext_pillar": [{"gluster_consul": {"pillar_from": "consul"}}],
            "gluster_consul": {"address": address},
        }  # fmt: skip
        self.roots.mkdir()
        self.says()
        self.declare({"other": 1})

    def says(self, **more: Any) -> None:
        self.said |= more
        self.conf.write_text(json.dumps(self.said))

    def declare(self, pillar: Mapping[str, Any]) -> None:
        (self.roots / "top.sls").write_text("base: {'*': [all]}")
        (self.roots / "all.sls").write_text("#!json\n" + json.dumps(pillar))

    def run(self, name: str, *args: Any, out: str = "json", **named: Any) -> Any:
        """As salt-run does."""
        opts = dict(salt.config.master_config(str(self.conf)))
        return salt.loader.runner({**opts, "output": out})[name](*args, **named)

    def compiled(self, minion: str) -> dict[str, Any]:
        """As the master answers a minion."""
        opts = salt.config.master_config(str(self.conf))
        made = salt.pillar.Pillar(opts, {"id": minion}, minion, "base")
        return dict(made.compile_pillar())

    def accept(self, spec: Mapping[str, Any], **more: Any) -> int:
        """As the leader takes what a node has submitted."""
        config = {"schema": 1, "spec": spec, "policy": {}, **more}
        return self.store.accept(config, by="g1", why="submitted by its highstate", now=1e9)

    def file(self, data: Any) -> str:
        path = self.conf.parent / "pool.yml"
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return str(path)

    def bring_in(self, body: Any, **named: Any) -> dict[str, Any]:
        words = {"reason": "because", "by": "ann", **named}
        return dict(self.run("gluster.import", self.file({"gluster": body}), **words))

    def kept(self) -> Any:
        found = self.store.read(KEY)
        return None if found is None else found.data


@pytest.fixture
def master(tmp_path: Path, address: str) -> Master:
    pillar_source._failed.clear()
    return Master(tmp_path, address)


# --- out -----------------------------------------------------------------------------------------


@pytest.mark.capability(148)
def test_what_is_in_force_is_shown_as_a_pillar_or_any_version_with_what_the_pool_was(
    master: Master,
) -> None:
    assert "no declaration was accepted yet" in master.run("gluster.export")["error"]
    master.accept(BODY)
    real = {"volumes": {}, "peers": {"u1": ["g1"]}}
    master.accept({**BODY, "nodes": "g[1-4]"}, actual=real)
    assert master.run("gluster.export") == {"gluster": {**BODY, "nodes": "g[1-4]"}}
    assert master.run("gluster.export", version=1) == {"gluster": BODY}
    assert "kept are: 1 to 2" in master.run("gluster.export", version=7)["error"]
    whole = master.run("gluster.export", version="2", actual=True)["gluster_actual"]
    assert (whole["version"], whole["by"], whole["actual"]) == (2, "g1", real)
    text = master.run("gluster.export", out="")
    assert text.startswith("#!yaml\n")
    assert salt.utils.yaml.safe_load(text) == master.run("gluster.export")
    (master.roots / "all.sls").write_text(text)
    master.says(ext_pillar=[])
    assert master.compiled("g1") == master.run("gluster.export")


def test_without_consul_it_is_an_error_that_says_so(master: Master) -> None:
    master.says(gluster_consul={"address": f"http://127.0.0.1:{free_ports(1)[0]}"})
    for name, words in (("export", ()), ("import", (master.file({"gluster": BODY}),))):
        said = master.run(f"gluster.{name}", *words, **({"reason": "x"} if words else {}))
        assert said["retcode"] == 1 and "no Consul agent answers" in said["error"]


# --- in ------------------------------------------------------------------------------------------


@pytest.mark.capability(148)
def test_what_is_brought_in_says_who_when_why_and_what_differs(master: Master) -> None:
    master.accept(BODY)
    after = {**BODY, "nodes": "g[1-4]", "brick_root": "/bricks"}
    shown = master.bring_in(after, test=True)
    assert master.kept() is None
    began = time.time()
    told = master.bring_in(after)
    assert shown["changes"] == told["changes"] == {
        KEY: {"old": None, "new": f"{ANN}: because"},
        "brick_root": {"old": None, "new": "/bricks"},
        "nodes": {"old": "g[1-3]", "new": "g[1-4]"},
    }  # fmt: skip
    kept = master.kept()
    assert (kept["gluster"], kept["by"], kept["why"]) == (after, ANN, "because")
    assert began <= kept["at"] <= time.time()
    again = master.bring_in(after, by="bob")
    assert (again["changes"], master.kept()) == ({}, kept)
    back = master.run("gluster.import", version=1, reason="back", by="bob")
    assert back["changes"]["nodes"] == {"old": "g[1-4]", "new": "g[1-3]"}
    assert back["changes"][KEY]["old"].startswith(f"{ANN} at ")
    assert master.kept()["gluster"] == BODY


def test_the_pool_s_counter_stands_still_nobody_has_to_wake(master: Master) -> None:
    master.bring_in(BODY)
    assert master.client.kv_get(master.store.keys.rev) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"gluster": {**BODY, "volums": {}}}, ("gluster:volums", "volumes")),
        ({"gluster": {"nodes": "g[1-"}}, ("gluster:nodes",)),
        ({"gluster": {**BODY, "volumes": {"data": {"replica": 4}}}}, ("gluster:volumes:data",)),
        ({"gluster": {**BODY, "cluster": "prod"}}, ("gluster:cluster", "cluster: main")),
        ({"gluster": BODY, "web": 1}, ("web", "only the key gluster")),
        (BODY, ("gluster", "no such key")),
        ("a: [", ("cannot be read", "plain YAML")),
        ("gluster: {nodes: g1}\ngluster: {nodes: g2}", ("cannot be read",)),
        ("{% set x = 1 %}\ngluster: {nodes: g1}", ("cannot be read", "no template")),
    ],
)
def test_of_a_wrong_one_nothing_is_written(
    master: Master, data: Any, words: tuple[str, ...]
) -> None:
    master.bring_in(BODY)
    before = master.kept()
    said = master.run("gluster.import", master.file(data), reason="x")
    assert said["retcode"] == 1
    assert [word for word in words if word not in said["error"]] == []
    assert master.kept() == before


def test_without_a_reason_a_file_or_room_nothing_is_written(master: Master) -> None:
    assert "reason='…'" in master.bring_in(BODY, reason="")["error"]
    assert "either a file or a version" in master.run("gluster.import", reason="x")["error"]
    assert "cannot be read" in master.run("gluster.import", "/nowhere", reason="x")["error"]
    noise = {f"user.{os.urandom(16).hex()}": os.urandom(1900).hex() for _ in range(680)}
    huge = {**BODY, "volumes": {"data": {"replica": 3, "options": noise}}}
    assert "too big for Consul" in master.bring_in(huge)["error"]
    assert master.kept() is None


def test_one_that_fits_only_compressed_comes_out_as_it_went_in(master: Master) -> None:
    noise = {f"user.{n}": os.urandom(1900).hex() for n in range(160)}
    big = {**BODY, "volumes": {"data": {"replica": 3, "options": noise}}}
    master.bring_in(big)
    assert master.kept()["gluster"] == big
    assert master.compiled("g1") == {"other": 1, "gluster": big}


def test_who_is_slower_is_told_and_writes_nothing(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = declaration.pack

    def meanwhile(data: Any) -> Any:
        monkeypatch.setattr(declaration, "pack", real)
        master.bring_in({"nodes": "g9"}, by="bob")
        return real(data)

    monkeypatch.setattr(declaration, "pack", meanwhile)
    assert "somebody else has just changed it" in master.bring_in(BODY)["error"]
    assert master.kept()["by"].startswith("bob (")


TEXT = st.text(max_size=12) | st.sampled_from(
    ["on", "no", "0o7", "1e3", "~", "{{ x }}", "a: b", "#"]
)
VALUES = TEXT | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False)
NAMES = st.from_regex(r"\A[a-z][a-z0-9-]{0,8}[a-z0-9]\Z")


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw declarations, right ones and such that only look like it."""
    body: dict[str, Any] = {"nodes": draw(st.sampled_from(["g[1-4]", ["g1", "g2", "g[03-05]"]]))}
    options = st.dictionaries(st.sampled_from(["user.a", "user.b"]) | TEXT, VALUES, max_size=3)
    volume = st.fixed_dictionaries({"replica": st.sampled_from([1, 2, 3])}, optional={
        "options": options, "accept_risk": st.just(["replica2"]), "mount": st.just("/srv/x"),
    })  # fmt: skip
    body["volumes"] = draw(st.dictionaries(NAMES, volume, max_size=3))
    if draw(st.booleans()):
        body[draw(TEXT)] = draw(st.recursive(VALUES, st.lists, max_leaves=4))
    return body


@given(bodies())
def test_out_in_out_is_the_same(body: dict[str, Any]) -> None:
    """Through the very YAML of the file; what is wrong stays as wrong as it was."""
    out = {"gluster": json.loads(json.dumps(plain(body)))}
    dump = lambda data: salt.utils.yaml.safe_dump(  # noqa: E731
        data, default_flow_style=False, sort_keys=False
    )
    text = declaration.as_file("main", out, dump)
    back = plain(declaration.body_of(salt.utils.yaml.safe_load(text)))
    assert back == out["gluster"]
    assert declaration.as_file("main", {"gluster": back}, dump) == text

    def parsed(what: Any) -> Any:
        try:
            return parse_pool(what)
        except SpecError as err:
            return str(err)

    assert parsed(back) == parsed(body)


# --- into the pillar of nodes --------------------------------------------------------------------


@pytest.mark.capability(148)
def test_nodes_get_the_declaration_and_their_access_and_nobody_else_anything(
    master: Master,
) -> None:
    master.bring_in(BODY)
    assert master.compiled("g1") == {"other": 1, "gluster": BODY}
    assert master.compiled("web1") == {"other": 1}
    secret_store.place(master.conf, "main").make()
    assert set(master.compiled("g3")) == {"other", "gluster", "gluster_consul"}
    assert oct(master.copy.stat().st_mode & 0o777) == "0o600"
    assert oct(master.copy.parent.stat().st_mode & 0o777) == "0o700"


def test_a_glob_means_a_minion_there_as_it_does_in_a_file(master: Master) -> None:
    body = {**BODY, "nodes": ["g1", "h*"]}
    assert "1 may have its bricks" in master.bring_in(body)["error"]
    for name in ("h1", "h2", "x3"):
        master.store.accept_node(name, f"uuid of {name}", "ann", 1.0)
    assert "error" not in master.bring_in(body)
    assert master.compiled("h7")["gluster"] == master.compiled("g1")["gluster"] == body
    assert "gluster" not in master.compiled("g2")


def test_what_was_just_brought_in_is_in_the_next_pillar(master: Master) -> None:
    master.bring_in(BODY)
    assert master.compiled("g1")["gluster"] == BODY
    master.bring_in({**BODY, "nodes": "g[2-3]", "brick_root": "/b", "volumes": {}})
    assert "gluster" not in master.compiled("g1")
    assert master.compiled("g2")["gluster"]["brick_root"] == "/b"


def test_what_another_master_has_brought_in_is_there_in_some_seconds(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    master.bring_in(BODY)
    master.compiled("g1")
    document = master.store.read(KEY)
    assert document is not None
    new = {**BODY, "brick_root": "/b"}
    master.store.write(KEY, {**document.data, "gluster": new}, cas=document.index)
    assert master.compiled("g1")["gluster"] == BODY  # for a moment
    monkeypatch.setattr(pillar_source, "FRESH_S", 0)
    assert master.compiled("g1")["gluster"] == new


def test_the_same_in_pillar_files_is_fine_and_anything_else_is_told_not_merged(
    master: Master,
) -> None:
    master.bring_in(BODY)
    master.declare({"gluster": BODY})
    assert master.compiled("g1") == master.compiled("web1") == {"gluster": BODY}
    master.declare({"gluster": {**BODY, "nodes": "g[1-4]", "brick_root": "/b"}})
    for minion in ("g1", "g4", "web1"):
        told = master.compiled(minion)
        (why,) = told["_errors"]
        assert f"pillar files declare it, and so does Consul ({ANN}," in why
        assert "differ in brick_root, nodes." in why and "gluster.import" in why
    master.declare({"gluster": "g1"})
    assert "differ in nodes, remediation:down_after, volumes" in master.compiled("g1")["_errors"][0]
    master.declare({"gluster": {"nodes": "h[1-2]", "cluster": "another"}})
    assert "_errors" not in master.compiled("h1")  # another pool: none of Consul's business
    assert "_errors" in master.compiled("g1")


@pytest.mark.capability(146)
def test_while_consul_is_silent_the_last_good_copy_serves_and_that_is_logged(
    master: Master, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    master.bring_in(BODY)
    master.compiled("g1")
    monkeypatch.setattr(pillar_source, "FRESH_S", 0)
    master.says(gluster_consul={"address": f"http://127.0.0.1:{free_ports(1)[0]}"})
    with caplog.at_level(logging.WARNING):
        told = [master.compiled("g1") for _ in range(3)]
    assert told == [{"other": 1, "gluster": BODY}] * 3
    lines = [r.getMessage() for r in caplog.records if "not read from Consul" in r.getMessage()]
    assert len(lines) == 1  # a Consul that is away is not asked again at once
    assert "the copy from" in lines[0] and "no Consul agent answers" in lines[0]


@pytest.mark.parametrize("written", ["nothing", '{"schema": 1, "gluster": {"nodes": "g["}}', "{}"])
def test_what_is_broken_in_consul_is_as_good_as_not_there(
    master: Master, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    master.bring_in(BODY)
    master.compiled("g1")
    monkeypatch.setattr(pillar_source, "FRESH_S", 0)
    master.client.kv_put(KEY, written)
    assert master.compiled("g1")["gluster"] == BODY


def test_with_neither_the_pillar_says_what_to_do(master: Master) -> None:
    def why() -> str:
        pillar_source._failed.clear()
        told = master.compiled("g1")
        assert "gluster" not in told
        (said,) = told["_errors"]
        return str(said)

    assert "there is no gluster/main/pillar" in why() and "gluster.import FILE" in why()
    master.says(gluster_consul={"address": f"http://127.0.0.1:{free_ports(1)[0]}"})
    said = why()
    assert "no Consul agent answers" in said and f"({master.copy})" in said
    assert "pillar_from=files" in said
    master.copy.parent.mkdir()
    master.copy.write_text("half a co")
    assert "no Consul agent answers" in why()


def test_where_salt_would_merge_the_two_later_it_is_refused(master: Master) -> None:
    master.bring_in(BODY)
    master.says(ext_pillar_first=True)
    assert "ext_pillar_first" in master.compiled("g1")["_errors"][0]


def test_a_word_that_is_none_is_no_silent_default(master: Master) -> None:
    master.says(ext_pillar=[{"gluster_consul": {"pillar_from": "konsul"}}])
    assert "neither consul nor files" in master.compiled("g1")["_errors"][0]


def test_three_hundred_minions_are_one_question(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    master.bring_in({"nodes": "g[1-300]"})
    monkeypatch.setattr(pillar_source, "FRESH_S", 600)
    asked: list[str] = []

    def counted(settings: Mapping[str, Any], **more: Any) -> Client:
        asked.append("once")
        return connect(settings, **more)

    monkeypatch.setattr(pillar_source, "connect", counted)
    opts, began = dict(salt.config.master_config(str(master.conf))), time.process_time()
    for n in range(1, 301):
        assert set(pillar_source.declared(opts, f"g{n}", {"other": 1})) == {"gluster"}
    took_ms = (time.process_time() - began) * 1000 / 300
    print(f"FIGURE the declaration in a node's pillar: {took_ms:.2f} ms of CPU")
    assert len(asked) == 1


# --- how a master is told ------------------------------------------------------------------------


def test_setup_changes_the_one_line_and_it_stays_so(master: Master) -> None:
    master.says(ext_pillar=[{"cmd_json": "echo {}"}])
    line = lambda: salt.config.master_config(str(master.conf))["ext_pillar"][1]  # noqa: E731
    refused = master.run("gluster.setup", pillar_from="consul")
    assert "there is no gluster/main/pillar" in refused["error"]
    assert not (master.conf.parent / "master.d").exists()
    master.bring_in(BODY)
    master.run("gluster.setup")
    assert line() == {"gluster_consul": {}}
    assert set(master.compiled("g1")) == {"other"}
    told = master.run("gluster.setup", pillar_from="consul")
    assert told["then"] == "systemctl restart salt-master"
    assert line() == {"gluster_consul": {"pillar_from": "consul"}}
    assert master.compiled("g1")["gluster"] == BODY
    for again in ({}, {"pillar_from": "consul"}, {"test": True}):
        assert master.run("gluster.setup", **again)["changes"] == {}
    assert master.run("gluster.setup", pillar_from="files")["changes"]
    assert line() == {"gluster_consul": {}}
    assert "neither consul nor files" in master.run("gluster.setup", pillar_from="x")["error"]


def test_a_line_of_somebody_else_that_says_otherwise_is_told(master: Master) -> None:
    master.bring_in(BODY)
    master.says(ext_pillar=[{"gluster_consul": {}}])
    said = master.run("gluster.setup", pillar_from="consul")
    assert "ext_pillar" in said["error"] and "no effect" in said["error"]
    master.says(ext_pillar=[{"gluster_consul": {"pillar_from": "consul"}}])
    assert "error" not in master.run("gluster.setup")
