"""The node's own metrics in a file for node_exporter."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from salt_gluster.minion.automation.textfile import write_textfile
from tests.unit.master.test_status import report


def test_the_file_is_written_whole_and_for_all_to_read(tmp_path: Path) -> None:
    path = tmp_path / "gluster.prom"
    write_textfile({"metrics": {"textfile": str(path)}}, report("g1"))
    text = path.read_text()
    assert 'gluster_brick_up{node="g1",path="/b",volume="data"} 1.0' in text
    assert path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in tmp_path.iterdir()] == ["gluster.prom"]


@pytest.mark.parametrize("settings", [{}, {"metrics": False}, {"metrics": {"port": 1}}])
def test_nothing_is_written_where_none_is_asked_for(settings: dict[str, object]) -> None:
    write_textfile(settings, {})


def test_a_folder_that_is_not_there_stops_no_sensor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        write_textfile({"metrics": {"textfile": str(tmp_path / "no" / "x.prom")}}, report("g1"))
    assert "cannot be written" in caplog.text
