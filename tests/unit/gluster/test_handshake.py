"""What a glusterd sends on the connection of a handshake: its answer, and notices before it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from salt_gluster.gluster.handshake import reach
from salt_gluster.model import Reach, Unknown

XID = 0x5A17
#: The dict of an answer: one pair, as glusterd serialises it.
PAIR = struct.pack(">iii", 1, 25, 7) + b"maximum-operating-version\0" + b"100000\0"
ANSWER = struct.pack(">6I", XID, 1, 0, 0, 0, 0) + struct.pack(">iiI", 0, 0, len(PAIR)) + PAIR
#: A call of glusterd's own: "fetch the volume's file again", sent to everybody who is connected.
NOTICE = struct.pack(">10I", 7, 0, 2, 52743234, 1, 1, 0, 0, 0, 0)

Serve = Callable[[bytes], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Listen, and answer one call with these bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(sent: bytes) -> int:
        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(sent)
                connection.recv(4096)

        threading.Thread(target=run, daemon=True).start()
        return int(listener.getsockname()[1])

    yield answer
    listener.close()


def record(body: bytes) -> bytes:
    return struct.pack(">I", 0x80000000 | len(body)) + body


@pytest.mark.parametrize("before", [b"", record(NOTICE), record(NOTICE) * 3])
def test_the_answer_is_found_behind_the_notices(serve: Serve, before: bytes) -> None:
    port = serve(before + record(ANSWER))
    assert reach("127.0.0.1", "u", port=port, limit_s=5) == Reach(True, 100000)


@pytest.mark.parametrize(
    "sent",
    [record(NOTICE), record(ANSWER.replace(b"\x5a\x17", b"\x5a\x18")), record(b"abc"), b"xy"],
)
def test_without_an_answer_to_our_call_the_version_is_unknown(serve: Serve, sent: bytes) -> None:
    told = reach("127.0.0.1", "u", port=serve(sent), limit_s=0.5)
    assert told.accepts
    assert isinstance(told.max_op_version, Unknown)
