"""Prometheus metrics of a node: what it sees of the log, and the state of its parts."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.ports.event_store import Unreadable
from domain.ports.log import Log

PAGE = 1000
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
        position = self._source.head()
        while True:
            await self._source.wait(position)
            for entry in await self._source.read(position, PAGE):
                name = UNREADABLE if isinstance(entry, Unreadable) else entry.event.event_name
                self._events.labels(name).inc()
                position = entry.position


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
