"""The map shows every package, the README only what is there, and nothing of this machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from needs import needs

ROOT = Path(__file__).resolve().parents[2]
MAP = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")


def test_every_room_is_on_the_map() -> None:
    rooms = {
        path.name
        for path in (ROOT / "salt_gluster").iterdir()
        if not path.name.startswith("_")
        and (path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.*"))))
    }
    shown = {r for r in rooms if re.search(rf"(?<![\w.]){re.escape(r)}(?!\w)", MAP)}
    assert rooms - shown == set()


@pytest.mark.parametrize("page", ["docs/map.md", "CONTRIBUTING.md"])
def test_a_path_that_a_page_names_exists(page: str) -> None:
    """A path in backquotes, or the target of a link."""
    text = (ROOT / page).read_text(encoding="utf-8")
    told = re.findall(r"`([a-z_.-]+(?:/[a-z_.]*)+)`", text)
    made = (".work/", ".work/log/", ".work/times.json", ".work/venv-", "tests/data/")
    assert [path for path in told if path not in made and not (ROOT / path).exists()] == []
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert [x for x in links if "://" not in x and not ((ROOT / page).parent / x).exists()] == []
    assert len(told) > 10


def test_the_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert len(links) > 5


def test_no_file_names_the_machine_it_was_written_on() -> None:
    """Paths of a developer's machine help nobody and break elsewhere."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    needs("git, or this is no checkout of it" if listed.returncode else "")
    wrong = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file() or name.startswith("tests/data/") or name == "tests/meta/test_map.py":
            continue
        text = path.read_bytes()
        if re.search(rb"(?<![\w.])/(?:work|root)/\w", text):
            wrong.append(name)
    assert wrong == []
