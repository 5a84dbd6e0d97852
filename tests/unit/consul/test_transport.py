"""An agent whose connection to its server is dead, played by a small HTTP server (the words are
Consul 1.8.7's own, seen while three servers restarted in turn)."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from salt_gluster.consul import client as of_consul
from salt_gluster.consul.client import Client
from salt_gluster.consul.settings import Access, access
from salt_gluster.errors import ConsulError, GlusterError

LOST = b"rpc error making call: stream closed"


class _Agent(ThreadingHTTPServer):
    """Answers what ``answers`` says, one after the other, and remembers what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[str] = []
        self.tokens: list[str] = []
        #: How many bytes are promised and never come.
        self.short = 0


class _Handler(BaseHTTPRequestHandler):
    server: _Agent

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(self.command)
        self.server.tokens.append(self.headers.get("X-Consul-Token", ""))
        code, body = self.server.answers.pop(0)
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) + self.server.short))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.close_connection or bool(self.server.short)

    do_GET = do_PUT = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def agent() -> Iterator[_Agent]:
    server = _Agent()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _client(agent: _Agent) -> Client:
    return Client(Access(f"http://127.0.0.1:{agent.server_address[1]}"))


def test_a_read_over_a_dead_connection_to_the_server_is_asked_once_more(agent: _Agent) -> None:
    agent.answers = [(500, LOST), (200, b'"10.0.0.1:8300"')]
    assert _client(agent).leader() == "10.0.0.1:8300"
    assert agent.asked == ["GET", "GET"]


def test_a_read_is_not_asked_for_ever(agent: _Agent) -> None:
    agent.answers = [(500, LOST)] * 3
    with pytest.raises(ConsulError) as told:
        _client(agent).leader()
    assert told.value.kind == "server_error" and len(agent.asked) == 2


def test_another_error_is_not_asked_again(agent: _Agent) -> None:
    agent.answers = [(500, b"No cluster leader"), (200, b'"10.0.0.1:8300"')]
    with pytest.raises(ConsulError, match="no leader"):
        _client(agent).leader()
    assert agent.asked == ["GET"]


def test_a_write_may_have_happened_and_is_never_sent_twice(agent: _Agent) -> None:
    agent.answers = [(500, LOST), (200, b"true")]
    with pytest.raises(ConsulError) as told:
        _client(agent).kv_put("a", "b")
    assert told.value.maybe_done and agent.asked == ["PUT"]


def test_names_that_take_more_than_may_be_read_are_not_read(agent: _Agent) -> None:
    """Any number of keys, as long as their writer likes: whoever lists them has a limit."""
    names = b"[" + b",".join(b'"%d"' % n for n in range(100)) + b"]"
    client = _client(agent)
    agent.answers = [(200, names), (200, names), (404, b""), (200, b'"10.0.0.1:8300"')]
    with pytest.raises(ConsulError) as told:
        client.kv_names("a/", len(names) - 1)
    assert told.value.kind == "too_big"
    assert client.kv_names("a/", len(names)) == [str(n) for n in range(100)]
    assert client.kv_names("b/", 10) == []
    assert client.leader() == "10.0.0.1:8300", "the connections are good for more"


def test_names_whose_connection_is_cut_are_no_names(agent: _Agent) -> None:
    agent.answers = [(200, b'["a"]')]
    agent.short = 100
    with pytest.raises(ConsulError) as told:
        _client(agent).kv_names("a/", 10_000)
    assert told.value.kind == "cut_off"


# --- a token that was exchanged ------------------------------------------------------------------

GONE = (403, b"ACL not found")


def _of_file(agent: _Agent, file: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """As everything of ours on a node connects, with the token ``old`` in the file."""
    monkeypatch.delenv("CONSUL_HTTP_TOKEN", raising=False)
    monkeypatch.delenv("CONSUL_HTTP_ADDR", raising=False)
    monkeypatch.setattr(of_consul, "access", functools.partial(access, kept=file))
    _keep(agent, file, "old")
    return of_consul.connect({})


def _keep(agent: _Agent, file: Path, token: str) -> None:
    address = f"http://127.0.0.1:{agent.server_address[1]}"
    file.write_text(json.dumps({"address": address, "token": token}))


def test_a_token_that_consul_does_not_know_any_more_is_taken_anew_from_the_file(
    agent: _Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sensors and engines of a node live on while its tokens are exchanged; a write as well."""
    client = _of_file(agent, tmp_path / "consul.json", monkeypatch)
    _keep(agent, tmp_path / "consul.json", "new")
    agent.answers = [GONE, (200, b"true"), (200, b'"10.0.0.1:8300"')]
    assert client.kv_put("a", "b")
    assert client.leader() == "10.0.0.1:8300"
    assert agent.tokens == ["old", "new", "new"]


def test_what_another_thread_has_taken_since_is_taken_by_this_request_too(
    agent: _Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All threads of a sensor share a client: the one that is answered second had the old token."""
    client = _of_file(agent, tmp_path / "consul.json", monkeypatch)
    _keep(agent, tmp_path / "consul.json", "new")
    send, others = client.transport._send, [True]

    def with_another(*words: Any) -> Any:
        answer = send(*words)
        if others and others.pop():
            assert client.leader() == "10.0.0.1:8300"
        return answer

    monkeypatch.setattr(client.transport, "_send", with_another)
    agent.answers = [GONE, GONE, (200, b'"10.0.0.1:8300"'), (200, b"true")]
    assert client.kv_put("a", "b")
    assert agent.tokens == ["old", "old", "new", "new"]


def test_a_masters_engine_takes_its_token_anew_from_the_secrets(
    agent: _Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives for months; the token in its settings is the one of its beginning."""
    _of_file(agent, tmp_path / "consul.json", monkeypatch)
    now = {"address": f"http://127.0.0.1:{agent.server_address[1]}", "token": "engine"}
    client = of_consul.connect(dict(now), anew=lambda: now)
    now["token"] = "engine's next"
    agent.answers = [GONE, (200, b"true"), (200, b'"10.0.0.1:8300"')]
    assert client.kv_put("a", "b")
    assert client.leader() == "10.0.0.1:8300"
    assert agent.tokens == ["engine", "engine's next", "engine's next"]


def test_where_the_secrets_cannot_be_read_consuls_own_word_is_told(agent: _Agent) -> None:
    def damaged() -> dict[str, Any]:
        raise GlusterError("secrets.json is damaged.", kind="unreadable")

    address = f"http://127.0.0.1:{agent.server_address[1]}"
    client = of_consul.connect({"address": address, "token": "engine"}, anew=damaged)
    agent.answers = [GONE]
    with pytest.raises(ConsulError) as told:
        client.leader()
    assert told.value.kind == "forbidden"


def test_without_another_token_it_is_asked_once(
    agent: _Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = _of_file(agent, tmp_path / "consul.json", monkeypatch)
    agent.answers = [GONE] * 3
    with pytest.raises(ConsulError) as told:
        client.leader()
    assert (told.value.kind, agent.tokens) == ("forbidden", ["old"])
    _keep(agent, tmp_path / "consul.json", "new")
    with pytest.raises(ConsulError):
        client.leader()
    assert agent.tokens == ["old", "old", "new"]


def test_a_right_that_is_missing_is_no_unknown_token(
    agent: _Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = _of_file(agent, tmp_path / "consul.json", monkeypatch)
    _keep(agent, tmp_path / "consul.json", "new")
    agent.answers = [(403, b"Permission denied")]
    with pytest.raises(ConsulError):
        client.kv_put("a", "b")
    assert agent.tokens == ["old"]


def test_a_token_of_another_address_goes_nowhere_else(
    agent: _Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "consul.json"
    client = _of_file(agent, file, monkeypatch)
    file.write_text(json.dumps({"address": "http://127.0.0.1:9", "token": "of another"}))
    agent.answers = [GONE]
    with pytest.raises(ConsulError):
        client.leader()
    assert agent.tokens == ["old"]
