"""Prometheus metrics of a node: what it sees of the log, and the state of its parts."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.following import follow
from domain.ports.event_store import LogEntry, Unreadable
from domain.ports.log import Log
from workers.dispatch import Dispatcher
from workers.node_health import NodeHealth

UNREADABLE = "unreadable"
# Nobody asks for a count more often.
LOOK_SECONDS = 0.2
Reading = Callable[[], Mapping[str, float]]
# Metric name → (help, label, function of label value → figure).
Readings = Mapping[str, tuple[str, str, Reading]]


class EventCounter:
    """Counts the events of the log by name, from this process's start on."""

    def __init__(self, source: Log, registry: CollectorRegistry) -> None:
        self._source, self.registry = source, registry
        self._events = Counter(
            "gatewayz_events", "Events recorded, by name.", ("name",), registry=registry
        )
        # By name: looking one up by its labels takes as long as counting it.
        self._children: dict[str, Counter] = {}

    async def run(self) -> None:
        """Follows the log until cancelled."""
        await follow(self._source, self._source.head(), self._count, LOOK_SECONDS)

    def _count(self, entries: Sequence[LogEntry]) -> None:
        names = (UNREADABLE if isinstance(e, Unreadable) else e.event.event_name for e in entries)
        for name, count in Tally(names).items():
            child = self._children.get(name)
            if child is None:
                child = self._children[name] = self._events.labels(name)
            child.inc(count)


class Gauges(Collector):
    """Figures that are read when they are asked for."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        for name, (text, label, read) in self._readings.items():
            family = GaugeMetricFamily(name, text, labels=[label])
            for value, figure in read().items():
                family.add_metric([value], figure)
            yield family


def log_readings(source: Log) -> Readings:
    """The figures of the log as this process sees it."""
    return {
        "gatewayz_log_head_position": (
            "The last position of the log.",
            "log",
            lambda: {"events": source.head()},
        )
    }


def job_readings(dispatcher: Dispatcher) -> Readings:
    """The figures of the jobs that run here."""
    return {
        "gatewayz_jobs_running": (
            "Jobs that run in this process.",
            "worker",
            lambda: {"dispatch": dispatcher.running},
        )
    }


def health_readings(health: NodeHealth) -> Readings:
    """The figures of the providers as this process knows them."""
    return {
        "gatewayz_breakers_open": (
            "Breakers that are not closed.",
            "provider",
            health.open_breakers,
        )
    }


def exposition(registry: CollectorRegistry) -> bytes:
    """The metrics in Prometheus' text format."""
    return generate_latest(registry)
