"""What is decided in situations that a reader can check by hand: one observation in, all decisions.

After a wanted change: ``UPDATE=1 python -m pytest tests/unit/remediation/test_situations.py``
writes ``decisions.json`` anew; read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from situations import Situation, decided

from salt_gluster.remediation import decide

FOLDER = Path(__file__).resolve().parents[2] / "data" / "situations"
NAMES = sorted(p.name for p in FOLDER.iterdir() if p.is_dir())


def read(name: str) -> Situation:
    return Situation(json.loads((FOLDER / name / "observation.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_decided(name: str) -> None:
    it = read(name)
    found = json.loads(json.dumps(decided(decide(it.observation, it.policy, it.memory))))
    file = FOLDER / name / "decisions.json"
    if os.environ.get("UPDATE"):
        file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(file.read_text(encoding="utf-8"))


def test_every_situation_is_in_the_list() -> None:
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(NAMES) >= 12
    assert [n for n in NAMES if f"`{n}`" not in listed] == []


@pytest.mark.parametrize(
    "slip", [{"nodez": {}}, {"nodes": {"g1": {"konsul": "bad"}}}, {"nodes": {"g9": {}}}]
)
def test_a_slip_of_the_pen_is_no_healthy_pool(slip: dict[str, object]) -> None:
    with pytest.raises(AssertionError):
        Situation({"about": "a slip", **slip})
