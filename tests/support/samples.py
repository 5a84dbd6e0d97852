"""The recorded answers of gluster in ``tests/data/samples`` and what each of them is."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from salt_gluster.gluster.parse.answer import CliAnswer, parse_answer

FOLDER = Path(__file__).parent.parent / "data" / "samples"


@dataclass(frozen=True)
class Sample:
    """One row of the README there: ``expected`` is ok, text, stream, nothing or an error's kind."""

    file: str
    command: str
    rc: int
    expected: str

    @property
    def stdout(self) -> str:
        return (FOLDER / self.file).read_text()

    @property
    def stderr(self) -> str:
        path = FOLDER / f"{self.file}.stderr"
        return path.read_text() if path.exists() else ""


def all_samples() -> list[Sample]:
    with (FOLDER / "README.tsv").open() as rows:
        found = csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Sample(r["file"], r["command"], int(r["rc"]), r["expected"]) for r in found]


def text(file: str) -> str:
    return (FOLDER / file).read_text()


def answer(file: str) -> CliAnswer:
    return parse_answer(text(file))
