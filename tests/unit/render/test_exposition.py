"""The text that Prometheus reads, and the sentence where the library is not there."""

from __future__ import annotations

import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from salt_gluster.errors import GlusterError
from salt_gluster.render.exposition import exposition
from salt_gluster.status.metrics import Sample


def test_what_is_written_is_read_back_by_prometheus_own_parser() -> None:
    odd = ("data", "g1", '/b "x"\\\n')
    text = exposition(
        [Sample("gluster_brick_up", True, odd), Sample("gluster_nodes", 3),
         Sample("gluster_engine_ticks_total", 5, ("m1",)),
         Sample("gluster_brick_up", False, ("data", "g2", "/b"))]
    )  # fmt: skip
    read = {
        (s.name, *sorted(s.labels.values())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }
    assert read[("gluster_brick_up", *sorted(odd))] == 1
    assert read["gluster_brick_up", "/b", "data", "g2"] == 0
    assert read["gluster_nodes",] == 3 and read["gluster_engine_ticks_total", "m1"] == 5
    assert text.count("# TYPE gluster_brick_up gauge") == 1


def test_without_the_library_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(GlusterError, match=r"the Python library prometheus_client is not") as told:
        exposition([])
    assert "salt-gluster[metrics]" in str(told.value)
