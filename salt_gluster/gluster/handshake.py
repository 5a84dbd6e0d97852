"""Ask a peer's glusterd which versions it runs, without any lock and without the gluster CLI.

This is the first call every glusterd makes to a new peer (program GD_MGMT_HNDSK 1239873, version 1,
procedure 1): ONC RPC over TCP, one serialised dict each way (facts.md#G-2.6). It is
answered to members, known by UUID or by address, and by a node in no pool to every caller. It says
what the *running* daemon can do; the installed package may be newer, and ``cluster.max-op-version``
is the pool's minimum.
"""

from __future__ import annotations

import socket
import struct
import time

from salt_gluster.model import Reach, Unknown

PORT = 24007
LIMIT_S = 1.0

_PROGRAM, _VERSION, _PROCEDURE = 1239873, 1, 1
_XID = 0x5A17
_MAX_REPLY = 64 * 1024
_WHO = "peer-id"
_MAX_OP_VERSION = "maximum-operating-version"


class _Odd(ValueError):
    """The reply is not what a glusterd says."""


def reach(host: str, uuid: str = "", *, port: int = PORT, limit_s: float = LIMIT_S) -> Reach:
    """Return whether the glusterd of ``host`` accepts, and the op-version it can run.

    ``uuid`` is that of a member as the asked glusterd knows it: our own. To ask our own glusterd it
    is any other member's, because no node is its own peer. Never raises: a version that was not
    told is Unknown with the reason. Takes ``limit_s`` at most, name resolution apart.
    """
    until = time.monotonic() + limit_s
    try:
        connection = socket.create_connection((host, port), timeout=limit_s)
    except (OSError, UnicodeError) as exc:
        return Reach(False, Unknown(f"{host} does not accept on port {port}: {exc}"))
    with connection:
        try:
            connection.sendall(_call(uuid))
            versions = _versions(_answer(connection, until))
            return Reach(True, int(versions[_MAX_OP_VERSION]))
        except KeyError:
            return Reach(True, Unknown(f"glusterd of {host} does not tell its version to us"))
        except (OSError, ValueError, struct.error) as exc:
            return Reach(True, Unknown(f"glusterd of {host} did not tell its version: {exc}"))


def _call(uuid: str) -> bytes:
    """Return the request: RPC call header, no credentials, a dict that names the caller."""
    body = struct.pack(">6I", _XID, 0, 2, _PROGRAM, _VERSION, _PROCEDURE)
    body += struct.pack(">4I", 0, 0, 0, 0)
    body += _opaque(_packed({_WHO: uuid} if uuid else {}))
    return struct.pack(">I", 0x80000000 | len(body)) + body


def _packed(pairs: dict[str, str]) -> bytes:
    data = struct.pack(">i", len(pairs))
    for key, value in pairs.items():
        name, text = key.encode("ascii"), value.encode("ascii") + b"\0"
        data += struct.pack(">ii", len(name), len(text)) + name + b"\0" + text
    return data


def _opaque(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data + b"\0" * (-len(data) % 4)


def _answer(connection: socket.socket, until: float) -> bytes:
    """Return the record that answers our call; glusterd tells all its callers of a changed volume.

    Such a notice is a call of its own on our connection, before the answer or in the place of it.
    """
    while True:
        record = _receive(connection, until)
        _, direction = struct.unpack_from(">2I", record)
        if direction != 0:
            return record


def _receive(connection: socket.socket, until: float) -> bytes:
    """Return one RPC record, made of one or more fragments."""
    record, last = b"", False
    while not last:
        (mark,) = struct.unpack(">I", _exactly(connection, 4, until))
        last, size = bool(mark & 0x80000000), mark & 0x7FFFFFFF
        if len(record) + size > _MAX_REPLY:
            raise _Odd(f"a reply of {size} bytes")
        record += _exactly(connection, size, until)
    return record


def _exactly(connection: socket.socket, size: int, until: float) -> bytes:
    data = b""
    while len(data) < size:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        connection.settimeout(left)
        part = connection.recv(size - len(data))
        if not part:
            raise _Odd("it closed the connection")
        data += part
    return data


def _versions(record: bytes) -> dict[str, str]:
    """Return the dict in a reply. Raises ``_Odd`` for a refusal, ``struct.error`` when cut."""
    xid, direction, state, _, verifier = struct.unpack_from(">5I", record)
    if (xid, direction) != (_XID, 1):
        raise _Odd("it answered something else")
    if state != 0:
        raise _Odd("the call was denied")
    at = 20 + verifier + (-verifier % 4)
    (accepted,) = struct.unpack_from(">I", record, at)
    if accepted != 0:
        raise _Odd(f"RPC status {accepted}")
    op_ret, op_errno, size = struct.unpack_from(">iiI", record, at + 4)
    if op_ret != 0:
        raise _Odd(f"refused ({op_ret}, {op_errno})")
    return _dict(record[at + 16 : at + 16 + size])


def _dict(data: bytes) -> dict[str, str]:
    """Return a serialised gluster dict: count, then lengths, key, NUL and value of each pair."""
    pairs: dict[str, str] = {}
    if not data:
        return pairs
    (count,) = struct.unpack_from(">i", data)
    at = 4
    for _ in range(count):
        key_size, value_size = struct.unpack_from(">ii", data, at)
        at += 8
        if key_size < 0 or value_size < 0 or at + key_size + 1 + value_size > len(data):
            raise _Odd("its dict is cut short")
        key = data[at : at + key_size].decode("ascii", "replace")
        at += key_size + 1
        pairs[key] = data[at : at + value_size].rstrip(b"\0").decode("ascii", "replace")
        at += value_size
    return pairs
