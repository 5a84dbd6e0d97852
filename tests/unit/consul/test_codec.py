"""A document as the value of one key: whole, readable where it is short, never half believed."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest

from salt_gluster.consul.codec import MOST_BYTES, MOST_VALUE_BYTES, pack, unpack
from salt_gluster.errors import ConsulError

CHANCE = random.Random(24_000)
NODES, BRICKS = 300, 80


def unique() -> str:
    return str(uuid.UUID(int=CHANCE.getrandbits(128)))


def version(disks: int) -> dict[str, Any]:
    """A version of the configuration of 300 nodes with 80 bricks each, on so many disks a node."""
    peers = {unique(): [f"gluster-{n:03}.example.org"] for n in range(NODES)}
    filesystems = {uuid: [unique() for _ in range(disks)] for uuid in peers}
    volumes: dict[str, Any] = {}
    for n in range(BRICKS):
        path = f"/data/disk-{n % disks:02}/volume-{n:03}"
        bricks = [
            {"host": names[0], "path": path, "host_uuid": uuid, "is_arbiter": False}
            for uuid, names in peers.items()
        ]
        volumes[f"volume-{n:03}"] = {
            "id": unique(), "kind": "distributed-replicate", "replica": 3, "bricks": bricks,
            "options": {"transport.address-family": "inet", "network.ping-timeout": "20"},
        }  # fmt: skip
    identities = {
        uuid: {f"/data/disk-{n % disks:02}/volume-{n:03}": own[n % disks] for n in range(BRICKS)}
        for uuid, own in filesystems.items()
    }
    return {"schema": 1, "actual": {"volumes": volumes, "peers": peers}, "identities": identities}


def refusal(document: Any, **more: int) -> ConsulError:
    with pytest.raises(ConsulError) as caught:
        pack(document, **more)
    return caught.value


def test_a_short_document_stands_there_as_a_person_can_read_it() -> None:
    assert pack({"b": [1, 2.5, None, "é"], "a": True}) == b'{"a":true,"b":[1,2.5,null,"\\u00e9"]}'
    assert unpack(pack({"b": [1, 2.5, None, "é"]})) == {"b": [1, 2.5, None, "é"]}


@pytest.mark.parametrize("disks", [1, 24, 36])
def test_twenty_four_thousand_bricks_fit_into_one_value_of_a_transaction(disks: int) -> None:
    document = version(disks)
    value = pack(document)
    print(f"FIGURE 24,000 bricks on {NODES * disks} file systems: {len(value)} bytes")
    assert len(value) <= MOST_BYTES
    assert unpack(value) == document


def test_with_a_file_system_for_every_brick_it_fits_into_a_value_of_its_own() -> None:
    """Their uuids alone are 384,000 bytes of chance; a version is not written in a transaction."""
    document = version(BRICKS)
    assert refusal(document).kind == "too_big"
    value = pack(document, MOST_VALUE_BYTES)
    print(f"FIGURE 24,000 bricks on 24,000 file systems: {len(value)} bytes")
    assert len(value) <= MOST_VALUE_BYTES == 524_288
    assert unpack(value) == document


def test_what_does_not_fit_is_an_error_that_names_its_size_and_the_limit() -> None:
    err = refusal({"noise": [CHANCE.randbytes(500).hex() for _ in range(2_000)]})
    assert err.kind == "too_big"
    assert "bytes (" in err.message
    assert str(MOST_BYTES) in err.hint


@pytest.mark.parametrize("cut", [slice(0, -1), slice(0, 5), slice(0, 200), slice(6, None)])
def test_a_value_that_is_not_whole_is_unreadable(cut: slice) -> None:
    value = pack({"text": "gluster " * 100_000})
    assert value.startswith(b"lzma:")
    with pytest.raises(ConsulError) as caught:
        unpack(value[cut])
    assert caught.value.kind == "unreadable"


def test_a_value_of_which_one_bit_is_another_is_unreadable() -> None:
    value = bytearray(pack({"text": "gluster " * 100_000}))
    value[len(value) // 2] ^= 1
    with pytest.raises(ConsulError) as caught:
        unpack(bytes(value))
    assert caught.value.kind == "unreadable"


@pytest.mark.parametrize("value", [b"", b"a bare word", b"{half", b"\xff\xfe"])
def test_what_a_person_wrote_that_is_no_document_is_unreadable(value: bytes) -> None:
    with pytest.raises(ConsulError) as caught:
        unpack(value)
    assert caught.value.kind == "unreadable"
