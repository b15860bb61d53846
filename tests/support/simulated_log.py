"""A log in memory, written through the domain's own decisions, for tests of the read models."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from domain.billing import wallet as wallets
from domain.billing.events import ChargeRecorded, CreditGranted
from domain.billing.wallet import Wallet
from domain.catalog.events import PriceBookPublished, PricedOffer
from domain.effects import Capture, Credit, Hold, Release, effects_of
from domain.event import Event, Recorded
from domain.ids import charge_id
from domain.inference.commands import CompleteJob, JobCommand, SubmitJob
from domain.inference.decide import decide
from domain.inference.events import (
    AttemptRecord,
    JobAccepted,
    JobCompleted,
    OfferRef,
    Usage,
    WebhookTarget,
)
from domain.inference.state import Job, evolve
from domain.ports.event_store import LogEntry
from domain.rating.rate import own_key_rating, rate
from domain.sealed import Sealed

STARTED_AT = 1_700_000_000_000
SEALED = Sealed(key_id="dk_1", context="test", size=3, inline=b"abc")
PRICE_VERSION = "pb_1"
PRICED = PricedOffer(
    model="acme/alpha",
    provider="h1",
    native_id="alpha",
    input_picodollars=1_000_000,
    output_picodollars=2_000_000,
)
HOLD = 1_000_000_000
ATTEMPT = AttemptRecord(
    provider="h1",
    native_id="alpha",
    started_at=STARTED_AT,
    duration_ms=12,
    outcome="ok",
    status_code=200,
)


def job_accepted(
    job_id: str,
    *,
    model: str = "acme/alpha",
    metadata: dict[str, str] | None = None,
    webhook: WebhookTarget | None = None,
    hold: int = HOLD,
    own_key: str | None = None,
) -> JobAccepted:
    """The acceptance of an ordinary job; under the account's own key it holds nothing."""
    return JobAccepted(
        job_id=job_id,
        endpoint="/v1/chat/completions",
        model=model,
        requested_model=model,
        lane="standard",
        offers=(OfferRef(provider="h1", native_id="alpha", own_key=own_key),),
        price_version=PRICE_VERSION,
        hold_picodollars=hold if own_key is None else 0,
        estimated_input_tokens=10,
        max_output_tokens=100,
        input=SEALED,
        input_hash="hash",
        metadata=metadata or {},
        webhook=webhook,
    )


def completion(
    job_id: str, lease_id: str, usage: Usage, hold: int = HOLD, own_key: str | None = None
) -> CompleteJob:
    """The completion of a job with its charge rated as the engine rates it."""
    rating = rate(usage, PRICED, hold) if own_key is None else own_key_rating(usage)
    completed = JobCompleted(
        job_id=job_id,
        lease_id=lease_id,
        provider=PRICED.provider,
        native_id=PRICED.native_id,
        usage=usage,
        raw_usage=None,
        finish_reason="stop",
        output=SEALED,
        attempts=(replace(ATTEMPT, own_key=own_key),),
        cost_picodollars=rating.picodollars,
    )
    charge = ChargeRecorded(
        charge_id=charge_id(job_id),
        job_id=job_id,
        model=PRICED.model,
        provider=PRICED.provider,
        native_id=PRICED.native_id,
        usage=usage,
        price_version=PRICE_VERSION,
        lines=rating.lines,
        picodollars=rating.picodollars,
        own_key=own_key,
    )
    return CompleteJob(completed, charge)


class SimulatedLog:
    """`Log` and the reading half of `EventStore`, with the store's wallets.

    Logs with different `event_ids` share no event.
    """

    def __init__(self, event_ids: str = "evt") -> None:
        self._event_ids = event_ids
        self.entries: list[LogEntry] = []
        self.jobs: dict[str, Job] = {}
        self.histories: dict[str, list[Recorded[Event]]] = {}
        self.wallets: dict[str, Wallet] = {}
        self._holds: dict[str, int] = {}
        self._streams: dict[str, int] = {}
        self._grown = asyncio.Event()

    def command(self, account_id: str, job_id: str, command: JobCommand) -> None:
        """Decides a job command and appends what it brings about."""
        events = decide(self.jobs.get(job_id), command)
        for event in events:
            if isinstance(event, ChargeRecorded):
                self.append(account_id, event.charge_id, event)
                continue
            recorded = self.append(account_id, job_id, event)
            self.jobs[job_id] = evolve(self.jobs.get(job_id), event)
            self.histories.setdefault(job_id, []).append(recorded)

    def submit(self, account_id: str, accepted: JobAccepted) -> None:
        """Accepts a job."""
        self.command(account_id, accepted.job_id, SubmitJob(accepted))

    def grant(self, account_id: str, picodollars: int) -> None:
        """Gives purchased credit."""
        credit_id = f"crd_{len(self.entries):032x}"
        event = CreditGranted(
            credit_id=credit_id, bucket="purchased", picodollars=picodollars, reason="test"
        )
        self.append(account_id, credit_id, event)

    def publish_prices(self) -> None:
        """Publishes the one price book."""
        event = PriceBookPublished(price_version=PRICE_VERSION, offers=(PRICED,))
        self.append("acct_house", PRICE_VERSION, event)

    def append(self, account_id: str, stream: str, event: Event) -> Recorded[Event]:
        """Records one event with its effects on the wallet, as the store does."""
        position = len(self.entries) + 1
        version = self._streams.get(stream, 0) + 1
        recorded = self._post(
            Recorded(
                position=position,
                stream=stream,
                version=version,
                event_id=f"{self._event_ids}_{position:032x}",
                recorded_at=STARTED_AT + position * 7,
                account_id=account_id,
                actor_type="key",
                actor_id=f"key_{account_id}",
                correlation_id="req_1",
                causation_id=None,
                trace=None,
                event=event,
            )
        )
        self._streams[stream] = version
        self.add(recorded)
        return recorded

    def add(self, entry: LogEntry) -> None:
        """Appends an entry as it is and wakes who waits."""
        self.entries.append(entry)
        self._grown.set()
        self._grown = asyncio.Event()

    def _post(self, recorded: Recorded[Event]) -> Recorded[Event]:
        wallet = self.wallets.get(recorded.account_id, Wallet())
        event = recorded.event
        for effect in effects_of(recorded):
            match effect:
                case Hold():
                    wallet = wallets.hold(wallet, effect.picodollars)
                    self._holds[effect.hold_id] = effect.picodollars
                case Release():
                    wallet = wallets.release(wallet, self._holds.pop(effect.hold_id))
                case Capture() if isinstance(event, ChargeRecorded):
                    held = self._holds.pop(effect.hold_id)
                    wallet, entries = wallets.capture(wallet, held, effect.picodollars)
                    event = event.posted(entries, wallet.total)
                case Credit() if isinstance(event, CreditGranted):
                    wallet, entries = wallets.credit(wallet, effect.bucket, effect.picodollars)
                    event = event.posted(entries, wallet.total)
        self.wallets[recorded.account_id] = wallet
        return recorded if event is recorded.event else recorded._replace(event=event)

    def recorded(self) -> Iterable[Recorded[Event]]:
        """Every entry that can be read."""
        return [entry for entry in self.entries if isinstance(entry, Recorded)]

    async def read(self, after: int, limit: int) -> Sequence[LogEntry]:
        return self.entries[after : after + limit]

    async def wait(self, after: int) -> None:
        while len(self.entries) <= after:
            await self._grown.wait()

    async def at(self, position: int) -> LogEntry:
        if not 0 < position <= len(self.entries):
            raise LookupError(position)
        return self.entries[position - 1]

    def head(self) -> int:
        return len(self.entries)
