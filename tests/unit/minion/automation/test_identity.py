"""What a node says to the master that is to admit it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from salt_gluster import node
from salt_gluster.consul.admission_proof import proven_uuid
from salt_gluster.minion.automation.identity import proven
from salt_gluster.model import Unknown

KEPT = '{"address": "http://127.0.0.1:8500", "token": "x"}'
UUID = "00000001-0000-4000-8000-000000000000"


def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uuid: Any, kept: str) -> dict[str, Any]:
    monkeypatch.setattr(node, "observe_node", lambda name: SimpleNamespace(uuid=uuid))
    (tmp_path / "consul.json").write_text(kept)
    return proven("g1", "n1", tmp_path / "consul.json")


def test_a_node_proves_its_uuid_by_the_token_that_its_highstate_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "of whoever started the minion")
    said = says(tmp_path, monkeypatch, UUID, KEPT.replace("x", "secret"))
    assert proven_uuid(said, "secret", "g1", "n1") == UUID
    assert proven_uuid(said, "another", "g1", "n1") == ""
    assert "secret" not in str(said)


@pytest.mark.parametrize(
    ("uuid", "kept"), [(UUID, "{}"), (UUID, ""), (None, KEPT), (Unknown("unread"), KEPT)]
)  # fmt: skip
def test_without_a_token_or_a_uuid_nothing_is_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uuid: Any, kept: str
) -> None:
    said = says(tmp_path, monkeypatch, uuid, kept)
    assert said["proof"] == ""
    assert proven_uuid(said, "", "g1", "n1") == proven_uuid(said, "x", "g1", "n1") == ""
