"""How a process is: what `/health`, `/ready` and `/metrics` say, whatever its role."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from infra.metrics import Gauges, Readings, exposition
from infra.tasks import Tasks
from workers.read_model_state import Lag

# A read model further behind than this makes the node unready.
READY_LAG_MS = 10_000


class Followed(Protocol):
    """The read models as this process sees them."""

    def lag(self) -> Mapping[str, Lag]: ...

    def stopped(self) -> Mapping[str, str]: ...


def nothing() -> Mapping[str, str]:
    """No states."""
    return {}


@dataclass(frozen=True, slots=True)
class Vitals:
    """The state of one process.

    `store_is_available` says whether work can be recorded, `helpers` what works over all nodes
    just now, `problems` what keeps a part from going on, though it is alive; none of the latter
    two makes it unready; nor does the lag of the read models where it does not matter to what the
    process does.
    """

    tasks: Tasks
    registry: CollectorRegistry
    store_is_available: Callable[[], bool]
    read_models: Followed | None = None
    lag_matters: bool = True
    helpers: Callable[[], Mapping[str, str]] = nothing
    problems: Callable[[], Mapping[str, str]] = nothing
    readings: Readings = field(default_factory=dict)

    def register(self) -> None:
        """Adds the figures to the registry."""
        self.registry.register(Gauges({**_read_model_readings(self), **self.readings}))

    def health(self) -> Mapping[str, str]:
        """Each part, helper and stopped read model: "ok", or what it is instead."""
        stopped = () if self.read_models is None else self.read_models.stopped()
        return {
            **self._parts(),
            **{f"{name} helper": state for name, state in self.helpers().items()},
            **self.problems(),
            **{f"{name} read model": "stopped" for name in stopped},
        }

    def readiness(self) -> Mapping[str, Any]:
        """Whether the process can do its duty, and what that was judged by."""
        followed = self.read_models
        lags = {} if followed is None else followed.lag()
        parts = self._parts()
        failing = [part for part, state in parts.items() if state != "ok"]
        late = self.lag_matters and any(lag.milliseconds > READY_LAG_MS for lag in lags.values())
        return {
            "ready": not failing and not late,
            "checks": {
                "event_store": parts["event_store"],
                "projection_lag_ms": {name: lag.milliseconds for name, lag in lags.items()},
                "projections_stopped": sorted(() if followed is None else followed.stopped()),
                "failing": failing,
                "helpers": dict(self.helpers()),
                "problems": dict(self.problems()),
            },
        }

    def metrics(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return exposition(self.registry)

    def _parts(self) -> Mapping[str, str]:
        """What the process cannot work without."""
        store = "ok" if self.store_is_available() else "unavailable"
        return {"event_store": store, **self.tasks.states()}


def _read_model_readings(vitals: Vitals) -> Readings:
    followed = vitals.read_models
    if followed is None:
        return {}
    return {
        "gatewayz_projection_lag_positions": (
            "Events not folded.",
            "projection",
            lambda: {name: lag.positions for name, lag in followed.lag().items()},
        ),
        "gatewayz_projection_stopped": (
            "1 once it cannot go on.",
            "projection",
            lambda: dict.fromkeys(followed.stopped(), 1),
        ),
    }
