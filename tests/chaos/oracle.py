"""The oracle: what must hold of a data directory, whatever happened to the engine on it.

It reads the log and recomputes everything by itself; the engine's own state is compared with it.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from adapters.sql.verify import verify
from domain.billing.events import ChargeRecorded, CreditGranted
from domain.catalog.events import PriceBookPublished
from domain.event import Event, Recorded
from domain.inference.events import (
    TERMINAL,
    JobAccepted,
    JobCompleted,
    JobFailed,
    JobStarted,
    LeaseExpired,
)
from domain.ports.read_models import ReadModelUnavailable, StoredLog
from infra.settings import Settings
from infra.storage import NodeStore, Storage, open_storage
from projections.catalogue import PROJECTIONS
from projections.invariants import violations

PAGE = 10_000
S = TypeVar("S", bound=NodeStore)


@dataclass
class Verdict:
    """Figures to print, in order, and what is wrong."""

    figures: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def check(self, what: str, found: Any, expected: Any) -> None:
        """Notes a figure, which must be the expected one."""
        self.figures[what] = found
        if found != expected:
            self.violations.append(f"{what}: {found!r}, expected {expected!r}")

    def forbid(self, what: str, found: Sequence[Any]) -> None:
        """Notes how many there are of something of which there must be none."""
        self.figures[what] = len(found)
        if found:
            self.violations.append(f"{what}: {', '.join(map(str, found[:5]))}")


@dataclass(frozen=True)
class History:
    """The whole log, and parts of it by kind."""

    log: tuple[Recorded[Event], ...]

    def of(self, *kinds: type[Event]) -> list[Any]:
        """The recorded events of these types."""
        return [recorded for recorded in self.log if isinstance(recorded.event, kinds)]

    @property
    def terminal_ids(self) -> dict[str, str]:
        """The id of each job's terminal event."""
        return {recorded.stream: recorded.event_id for recorded in self.of(*TERMINAL)}


async def inspect(settings: Settings) -> tuple[Verdict, History]:
    """Judges the data directory of an engine that has stopped with nothing left to do."""
    verdict = Verdict()
    async with open_storage(settings) as storage:
        history = await examine(storage, verdict)
    return verdict, history


async def examine(storage: Storage[S], verdict: Verdict) -> History:
    """Judges what the stores hold, of either profile."""
    history = await read_history(storage.store, verdict)
    _check_order(history, verdict)
    _check_jobs(history, verdict)
    _check_charges(history, verdict)
    await _check_wallets(storage, history, verdict)
    await _check_invariants(storage, history, verdict)
    left = [*await storage.store.backlog("dispatch"), *await storage.store.backlog("webhooks")]
    verdict.forbid("work left in the queues", [item.item_id for item in left])
    verdict.forbid("dead letters", await storage.store.dead_letters())
    await check_read_models(storage, storage.store, "rebuilt", verdict)
    return history


async def read_history(store: NodeStore, verdict: Verdict) -> History:
    """The whole log, what cannot be read noted."""
    entries: list[Any] = []
    while page := await store.read_log(entries[-1].position if entries else 0, PAGE):
        entries += page
    verdict.forbid("unreadable events", [e for e in entries if not isinstance(e, Recorded)])
    return History(tuple(e for e in entries if isinstance(e, Recorded)))


def _check_order(history: History, verdict: Verdict) -> None:
    positions = [recorded.position for recorded in history.log]
    verdict.check("events", max(positions, default=0), len(positions))
    gaps = [p for p, expected in zip(positions, range(1, len(positions) + 1)) if p != expected]  # noqa: B905
    verdict.forbid("gaps in the log", gaps)
    versions: dict[str, int] = defaultdict(int)
    skipped = []
    for recorded in history.log:
        versions[recorded.stream] += 1
        if recorded.version != versions[recorded.stream]:
            skipped.append(recorded.stream)
    verdict.forbid("gaps in a stream", skipped)


def _check_jobs(history: History, verdict: Verdict) -> None:
    accepted = Counter(recorded.stream for recorded in history.of(JobAccepted))
    ended = Counter(recorded.stream for recorded in history.of(*TERMINAL))
    verdict.figures["leases taken"] = len(history.of(JobStarted))
    verdict.figures["leases of killed engines"] = len(history.of(LeaseExpired))
    verdict.forbid("jobs accepted twice", [job for job, n in accepted.items() if n > 1])
    verdict.forbid("jobs with two ends", [job for job, n in ended.items() if n > 1])
    verdict.forbid("jobs without an end", sorted(accepted.keys() - ended.keys()))
    for kind in TERMINAL:
        verdict.figures[kind.event_name] = len(history.of(kind))
    for code, count in Counter(r.event.failure.code for r in history.of(JobFailed)).items():
        verdict.figures[f"  failed with {code}"] = count


def _check_charges(history: History, verdict: Verdict) -> None:
    prices = _prices(history)
    accepted = {r.stream: r.event for r in history.of(JobAccepted)}
    ratings = {
        r.stream: min(_rated(r.event, accepted[r.stream], prices), _held(accepted[r.stream]))
        for r in history.of(JobCompleted)
    }
    charges: dict[str, int] = defaultdict(int)
    for recorded in history.of(ChargeRecorded):
        charges[recorded.event.job_id] += recorded.event.picodollars
    wrong = [job for job in ratings | charges if ratings.get(job) != charges.get(job)]
    verdict.forbid("jobs charged otherwise than rated", wrong)
    verdict.check("charged (picodollars)", sum(charges.values()), sum(ratings.values()))
    verdict.forbid("charges that end no transaction with their job", _apart(history))


def _apart(history: History) -> list[str]:
    """Charges that do not stand right behind the completion of their job."""
    before = {r.position + 1: r.stream for r in history.of(JobCompleted)}
    return [
        recorded.event.job_id
        for recorded in history.of(ChargeRecorded)
        if before.get(recorded.position) != recorded.event.job_id
    ]


def _prices(history: History) -> dict[tuple[str, ...], tuple[int, int]]:
    return {
        (book.event.price_version, offer.model, offer.provider, offer.native_id): (
            offer.input_picodollars,
            offer.output_picodollars,
        )
        for book in history.of(PriceBookPublished)
        for offer in book.event.offers
    }


def _rated(
    completed: JobCompleted,
    accepted: JobAccepted,
    prices: Mapping[tuple[str, ...], tuple[int, int]],
) -> int:
    key = (accepted.price_version, accepted.model, completed.provider, completed.native_id)
    per_input, per_output = prices[key]
    return completed.usage.input_tokens * per_input + completed.usage.output_tokens * per_output


def _held(accepted: JobAccepted) -> int:
    return accepted.hold_picodollars


async def _check_invariants(storage: Storage[S], history: History, verdict: Verdict) -> None:
    """The engine's own oracle, beside this one."""
    accounts = {recorded.account_id for recorded in history.log}
    wallets = {account_id: await storage.store.wallet(account_id) for account_id in accounts}
    found = violations(history.log, drained=True, wallets=wallets)
    verdict.forbid("violations that the engine's own oracle finds", found)


async def _check_wallets(storage: Storage[S], history: History, verdict: Verdict) -> None:
    ledger: dict[str, Counter[str]] = defaultdict(Counter)
    unbalanced = []
    for recorded in history.of(ChargeRecorded, CreditGranted):
        entries = recorded.event.entries
        if sum(entry.picodollars for entry in entries):
            unbalanced.append(recorded.event_id)
        for entry in entries:
            ledger[recorded.account_id][entry.account] += entry.picodollars
    verdict.forbid("entry sets that do not sum to zero", unbalanced)
    for account_id, sums in ledger.items():
        wallet = await storage.store.wallet(account_id)
        expected = (sums["allowance"], sums["purchased"], 0)
        found = (wallet.allowance, wallet.purchased, wallet.held)
        verdict.check("wallet (allowance, purchased, held)", found, expected)


async def check_read_models(
    storage: Storage[S], log: StoredLog, how: str, verdict: Verdict
) -> None:
    """Replays a log and compares the live read models with that row for row."""
    names = [projection.name for projection in PROJECTIONS]
    try:
        differences = await verify(storage.read_models, log, names, lambda *_: None)
    except (ValueError, ReadModelUnavailable) as error:  # a log that cannot be replayed
        verdict.violations.append(f"the read models cannot be {how} and compared: {error}")
        return
    verdict.forbid(f"rows where live read models differ from those {how}", differences)
