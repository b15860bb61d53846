"""Prometheus metrics of a node: what it sees of the log, and the state of its parts."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.following import follow
from domain.ports.event_store import LogEntry, Unreadable
from domain.ports.log import Log

UNREADABLE = "unreadable"
Reading = Callable[[], Mapping[str, float]]


class EventCounter:
    """Counts the events of the log by name, from this process's start on."""

    def __init__(self, source: Log) -> None:
        self._source = source
        self.registry = CollectorRegistry()
        self._events = Counter(
            "gatewayz_events",
            "Events recorded, by name.",
            ("name",),
            registry=self.registry,
        )

    async def run(self) -> None:
        """Follows the log until cancelled."""
        await follow(self._source, self._source.head(), self._count)

    def _count(self, entries: Sequence[LogEntry]) -> None:
        for entry in entries:
            name = UNREADABLE if isinstance(entry, Unreadable) else entry.event.event_name
            self._events.labels(name).inc()


class Gauges(Collector):
    """Figures that are read when they are asked for."""

    def __init__(self, readings: Mapping[str, tuple[str, str, Reading]]) -> None:
        """`readings`: metric name → (help, label, function of label value → figure)."""
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        for name, (text, label, read) in self._readings.items():
            family = GaugeMetricFamily(name, text, labels=[label])
            for value, figure in read().items():
                family.add_metric([value], figure)
            yield family


def exposition(registry: CollectorRegistry) -> bytes:
    """The metrics in Prometheus' text format."""
    return generate_latest(registry)
