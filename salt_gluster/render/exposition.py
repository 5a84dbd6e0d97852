"""Samples as the text that Prometheus reads, written by ``prometheus_client``.

That library is the optional extra ``metrics``: without it one sentence says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from salt_gluster.errors import GlusterError
from salt_gluster.status.metric_table import BY_NAME
from salt_gluster.status.metrics import Sample


def client_library() -> Any:
    """Return ``prometheus_client``; an error of one sentence where it is not installed."""
    try:
        import prometheus_client
        import prometheus_client.metrics_core
    except ImportError as err:
        raise GlusterError(
            "metrics are configured, and the Python library prometheus_client is not installed.",
            kind="no_metrics", hint="salt-pip install 'salt-gluster[metrics]'; then restart.",
        ) from err  # fmt: skip
    return prometheus_client


def exposition(samples: Iterable[Sample]) -> str:
    """Return the text of these samples; one that our table does not have is an error of ours."""
    library = client_library()
    registry = library.CollectorRegistry()
    registry.register(_Collector(library, samples))
    return str(library.generate_latest(registry).decode("utf-8"))


class _Collector:
    """What the library asks for its metrics; it is asked once."""

    def __init__(self, library: Any, samples: Iterable[Sample]) -> None:
        self._core, self._samples = library.metrics_core, samples

    def describe(self) -> list[Any]:
        """Name nothing before it is asked for."""
        return []

    def collect(self) -> Iterator[Any]:
        """Yield each metric with all of its samples: the format wants them together."""
        families: dict[str, Any] = {}
        for sample in self._samples:
            if sample.name not in families:
                metric = BY_NAME[sample.name]
                kind = "CounterMetricFamily" if metric.kind == "counter" else "GaugeMetricFamily"
                make = getattr(self._core, kind)
                families[sample.name] = make(metric.name, metric.help, labels=metric.labels)
            families[sample.name].add_metric(sample.labels, float(sample.value))
        yield from families.values()
