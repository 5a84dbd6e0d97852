"""The receiver of GlusterFS's events: who is heard, and what everybody else gets to hear."""

from __future__ import annotations

import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from salt_gluster.errors import ConsulError, SpecError
from salt_gluster.gluster.events import decode_wakeup
from salt_gluster.master import event_receiver
from salt_gluster.master.event_receiver import (
    MOST_BYTES,
    Receiver,
    ReceiverSettings,
    WakeupPublisher,
)

TOKEN = "4f1c9a7be1f24c305d0c9a7be1f24c30"
NODE = "5a1f6c00-0000-4000-8000-000000000001"
OTHER = "5a1f6c00-0000-4000-8000-000000000002"


def event(name: str = "BRICK_DISCONNECTED", node: str = NODE, **message: Any) -> bytes:
    told = {"event": name, "nodeid": node, "ts": 1, "message": {"brick": "/b", **message}}
    return json.dumps(told).encode()


class Door:
    """A receiver on loopback, and requests as bytes."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        self.hints = WakeupPublisher(self.told.append, "m1")
        where = ReceiverSettings("127.0.0.1", TOKEN, 0)
        self.server = Receiver(where, self.hints.take, self.hints.has_arrived)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def raw(self, sent: bytes, *, end: bool = True) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 5) as there:
            there.sendall(sent)
            if end:
                there.shutdown(socket.SHUT_WR)
            got = b""
            while some := there.recv(4096):
                got += some
        return got

    def ask(
        self, method: str = "POST", path: str = "/gluster", token: str | None = TOKEN,
        body: bytes = b"", headers: str = "",
    ) -> int:  # fmt: skip
        mine = f"Authorization: Bearer {token}\r\n" if token is not None else ""
        length = "" if "length" in headers.lower() else f"Content-Length: {len(body)}\r\n"
        head = f"{method} {path} HTTP/1.1\r\nHost: m1\r\n{mine}{length}{headers}\r\n"
        got = self.raw(head.encode() + body)
        assert got.endswith(b"\r\n\r\n"), got  # no body, whatever it was
        assert b"Server" not in got
        return int(got.split()[1])

    def until_open(self, many: int) -> None:
        end = time.monotonic() + 20
        while len(self.server._open) != many:
            assert time.monotonic() < end
            time.sleep(0.02)

    def hinted(self) -> set[str]:
        self.hints.step()
        return set().union(*map(decode_wakeup, self.told))


@pytest.fixture
def door() -> Iterator[Door]:
    one = Door()
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_an_event_with_the_token_is_taken(door: Door) -> None:
    assert door.ask(body=event()) == 200
    assert door.hinted() == {NODE}


def test_the_empty_post_of_webhook_test_is_welcome_and_says_nothing(door: Door) -> None:
    assert door.ask() == 200
    assert door.hinted() == set()


@pytest.mark.parametrize("token", [None, "", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ü" * 32])
@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD", "BREW"])
def test_without_the_token_everything_is_401(door: Door, token: str | None, method: str) -> None:
    for path in ("/gluster", "/", "/gluster/x", "/../etc/passwd"):
        assert door.ask(method, path, token, event()) == 401
    assert door.hinted() == set()


def test_the_token_is_compared_in_constant_time(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    honest = hmac.compare_digest

    def watched(given: bytes, own: bytes) -> bool:
        compared.append((given, own))
        return honest(given, own)

    monkeypatch.setattr(event_receiver.hmac, "compare_digest", watched)
    assert door.ask(token="wrong") == 401
    assert door.ask(body=event()) == 200
    assert door.ask(token=None) == 401
    own = f"Bearer {TOKEN}".encode()
    assert compared == [(b"Bearer wrong", own), (own, own), (b"", own)]
    monkeypatch.setattr(event_receiver.hmac, "compare_digest", lambda given, own: False)
    assert door.ask(body=event()) == 401  # nothing else lets anybody in


def test_with_the_token_other_paths_and_methods_are_not_there(door: Door) -> None:
    assert door.ask(path="/") == door.ask(path="/glusterx") == 404
    assert door.ask("PUT") == 501


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (f"Content-Length: {MOST_BYTES + 1}\r\n", 413),
        ("Content-Length: 99999999999999999999\r\n", 411),
        ("Content-Length: -1\r\n", 411),
        ("Content-Length: ten\r\n", 411),
        ("Content-Length: 4\r\nContent-Length: 5\r\n", 411),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", 411),
        ("X-Length: 1\r\n", 411),
        ("Content-Length: 100000\r\n", 400),  # and then less comes
    ],
)
def test_what_has_no_plain_length_or_too_much_of_it(door: Door, headers: str, code: int) -> None:
    assert door.ask(headers=headers) == code


@pytest.mark.parametrize("body", [b"{}", b"not json", event("lower"), event(node="g1")])
def test_what_is_no_event_is_refused(door: Door, body: bytes) -> None:
    assert door.ask(body=body) == 400
    assert door.hinted() == set()


def test_whether_a_sign_has_arrived_is_told_to_whoever_has_the_token(door: Door) -> None:
    assert door.ask("GET", "/gluster/abc") == 404
    assert door.ask(body=event("CLIENT_CONNECT", salt_gluster="abc")) == 200
    assert door.ask("GET", "/gluster/abc") == 200
    assert door.ask("GET", "/gluster/abc", token="no") == 401
    assert door.hinted() == set()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
@example(b"GET /gluster\r\n\r\n")
@example(b"POST /gluster HTTP/9.9\r\n\r\n")
@example(b"A" * 70000)
def test_whatever_a_stranger_sends_he_hears_401_or_nothing(door: Door, sent: bytes) -> None:
    try:
        got = door.raw(sent + b"\r\n\r\n")
    except OSError:
        got = b""
    assert got in (b"", b"HTTP/1.0 401 \r\nContent-Length: 0\r\n\r\n")
    assert door.hinted() == set()


def test_who_drips_is_ended(monkeypatch: pytest.MonkeyPatch, door: Door) -> None:
    monkeypatch.setattr(event_receiver, "REQUEST_S", 0.5)
    with socket.create_connection(("127.0.0.1", door.port), 5) as there:
        began = time.monotonic()
        ended = False
        while not ended and time.monotonic() - began < 20:
            try:
                there.sendall(b"x")
                there.settimeout(0.05)
                ended = there.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
    assert ended
    assert door.ask(body=event()) == 200


def test_more_connections_than_a_pool_needs_are_not_served(
    monkeypatch: pytest.MonkeyPatch, door: Door
) -> None:
    monkeypatch.setattr(event_receiver, "MOST_CONNECTIONS", 2)
    idle = [socket.create_connection(("127.0.0.1", door.port), 5) for _ in range(2)]
    door.until_open(2)
    with pytest.raises((OSError, AssertionError)):
        door.ask(body=event())
    for one in idle:
        one.close()
    door.until_open(0)
    assert door.ask(body=event()) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": ""}, {"address": "0.0.0.0"}, {"address": "::"}, {"token": ""},
        {"token": "short"}, {"token": "with a line\nbreak in it, and long"}, {"port": "http"},
    ],
)  # fmt: skip
def test_one_address_and_a_token_that_cannot_be_guessed(wrong: dict[str, str]) -> None:
    good = {"address": "127.0.0.1", "token": TOKEN}
    assert event_receiver.settings(good).port == event_receiver.PORT
    with pytest.raises(SpecError) as told:
        event_receiver.settings(good | wrong)
    assert TOKEN not in str(told.value)


# --- what becomes of them ------------------------------------------------------------------------


def test_a_burst_is_two_wakes_and_nobody_is_forgotten() -> None:
    told: list[bytes] = []
    now = [100.0]
    hints = WakeupPublisher(told.append, "m1", clock=lambda: now[0])
    hints.take(event())
    assert hints.step() is None
    for number in range(300):
        hints.take(event(node=OTHER, volume=f"v{number}"))
    assert hints.step() == pytest.approx(1.0)
    now[0] += 1.0
    assert hints.step() is None
    assert [decode_wakeup(one) for one in told] == [{NODE}, {OTHER}]


def test_while_consul_is_away_hints_are_kept_and_told_later() -> None:
    told: list[bytes] = []
    away = [True]

    def put(hint: bytes) -> None:
        if away[0]:
            raise ConsulError("no answer", kind="timeout")
        told.append(hint)

    now = [100.0]
    hints = WakeupPublisher(put, "m1", clock=lambda: now[0])
    hints.take(event())
    pauses = []
    for _ in range(6):
        pauses.append(hints.step())
        now[0] += pauses[-1] or 0.0
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    away[0] = False
    hints.take(event(node=OTHER))
    hints.step()
    assert [decode_wakeup(one) for one in told] == [{NODE, OTHER}]
