"""The metrics of `names` in a registry of their own."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from callsim.metrics.names import METRICS, Metric


class Registry:
    """Every metric once; can be used by several threads, and scraped by others meanwhile.

    Labels are given in the metric's order.
    """

    def __init__(self) -> None:
        self.collectors = CollectorRegistry()
        self._made: dict[str, Gauge | Counter | Histogram] = {}
        for metric in METRICS:
            self._made[metric.name] = self._make(metric)

    def _make(self, metric: Metric) -> Gauge | Counter | Histogram:
        name, text, labels = metric.name, metric.help, metric.labels
        if metric.kind == "gauge":
            return Gauge(name, text, labels, unit=metric.unit, registry=self.collectors)
        if metric.kind == "counter":
            return Counter(name, text, labels, unit=metric.unit, registry=self.collectors)
        buckets = metric.buckets
        return Histogram(name, text, labels, unit=metric.unit, registry=self.collectors, buckets=buckets)

    def gauge(self, metric: Metric, *labels: str) -> Gauge:
        """Give a gauge with its labels."""
        made = self._made[metric.name]
        assert isinstance(made, Gauge)
        return made.labels(*labels) if labels else made

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter; by 0 it is shown from now on."""
        made = self._made[metric.name]
        assert isinstance(made, Counter)
        (made.labels(*labels) if labels else made).inc(by)

    def observe(self, metric: Metric, value: float | None, *labels: str) -> None:
        """Put a value into a histogram, if there is one."""
        made = self._made[metric.name]
        assert isinstance(made, Histogram)
        if value is not None:
            (made.labels(*labels) if labels else made).observe(value)

    def forget(self, metric: Metric, *labels: str) -> None:
        """Show no longer what has these labels; without labels, nothing of the metric."""
        made = self._made[metric.name]
        with suppress(KeyError):  # it was never shown
            made.remove(*labels) if labels else made.clear()
