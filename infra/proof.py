"""The proof of an engine's stores: read models against a replay, the log against its rules."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from adapters.sql.verify import verify
from domain.event import Event, Recorded
from domain.ports.event_store import Unreadable
from domain.ports.read_models import Difference
from infra.offline import LogSource, OfflineLog, open_read_models
from infra.settings import Settings
from projections.invariants import Violation, violations

ROWS_AT_ONCE = 1_000
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found wrong up to `position`; nothing when all is well."""

    position: int
    differences: Sequence[Difference]
    violations: Sequence[Violation]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.differences and not self.violations


async def prove(
    settings: Settings,
    names: Sequence[str],
    progress: Progress,
    *,
    drained: bool = False,
    source: LogSource | None = None,
) -> Proof:
    """Compares the named read models (all without names) and holds the log to its invariants.

    The invariants cover positions, one end and one charge a job, ratings, and the wallets
    against the ledger. `drained` says that no work is left; `source` is the log to replay, as
    `open_read_models` has it. An engine may be at work beside. Raises `StoreUnavailable` and
    `ReadModelUnavailable`.
    """
    async with open_read_models(settings, source) as offline:
        wanted = list(names) or list(offline.read_models.projections)
        differences = await verify(offline.read_models, offline.replayed, wanted, progress)
        return _proof(offline.log, differences, drained)


def _proof(log: OfflineLog, differences: Sequence[Difference], drained: bool) -> Proof:
    unreadable: list[Violation] = []
    with log.snapshot():
        entries = _readable(log, unreadable)
        found = violations(entries, drained=drained, wallets=log.wallets())
        return Proof(log.last(), differences, [*unreadable, *found])


def _readable(log: OfflineLog, unreadable: list[Violation]) -> Iterator[Recorded[Event]]:
    position = 0
    while entries := log.entries(position, ROWS_AT_ONCE):
        position = entries[-1].position
        for entry in entries:
            if isinstance(entry, Unreadable):
                rule = Violation("every event can be read", entry.stream, entry.error)
                unreadable.append(rule)
            else:
                yield entry
