"""The oracle: what must hold of every log, of the wallets and of the read models beside it.

Used by the chaos tests and by `gatewayz projections verify`. Pure functions; each returns what is
wrong and where, and nothing when all is well.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.billing.events import MOVES_MONEY, ChargeRecorded
from domain.billing.wallet import InsufficientCredits, Wallet, capture, credit, hold, release
from domain.catalog.events import PriceBookPublished, PricedOffer
from domain.effects import Capture, Credit, Hold, Release, WalletEffect, wallet_effect_of
from domain.errors import InvalidRequest
from domain.event import Event, Recorded
from domain.inference.events import (
    TERMINAL,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    OfferRef,
    is_charged,
)
from domain.inference.serving import offers_of, served
from domain.rating.rate import Rating, own_key_rating, rate


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that does not hold of `subject` (a job, a charge, an account, a stream)."""

    rule: str
    subject: str
    detail: str


@dataclass(slots=True)
class Facts:
    """What one reading of the log found, gathered by subject."""

    accepted: dict[str, JobAccepted] = field(default_factory=dict)
    ended: dict[str, list[Event]] = field(default_factory=dict)
    charges: dict[str, list[ChargeRecorded]] = field(default_factory=dict)
    prices: dict[tuple[str, str, str, str], PricedOffer] = field(default_factory=dict)
    wallets: dict[str, Wallet] = field(default_factory=dict)
    holds: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    position: int = 0
    broken: list[Violation] = field(default_factory=list)


def violations(
    log: Iterable[Recorded[Event]],
    *,
    drained: bool = False,
    wallets: Mapping[str, Wallet] | None = None,
    job_statuses: Mapping[str, str] | None = None,
) -> list[Violation]:
    """Everything that is wrong with a whole log, read from position 1 on.

    `drained` says that no work is left, so that every accepted job must have ended. `wallets` are
    the store's or the read model's, by account; `job_statuses` those of the `jobs` read model, by
    job. Both are as of the end of the log.
    """
    facts = read(log)
    found = [*facts.broken, *(v for rule in RULES for v in rule(facts))]
    if drained:
        found += _all_ended(facts)
    if wallets is not None:
        found += wallets_differ(facts, wallets)
    if job_statuses is not None:
        found += statuses_differ(facts, job_statuses)
    return found


def read(log: Iterable[Recorded[Event]]) -> Facts:
    """Gathers the facts; what is wrong with a single event goes to `broken` at once."""
    facts = Facts()
    for recorded in log:
        _check_place(facts, recorded)
        _gather(facts, recorded.event)
        _check_entries(facts, recorded.event)
        _move_money(facts, recorded)
    return facts


def _check_place(facts: Facts, recorded: Recorded[Event]) -> None:
    if recorded.position != facts.position + 1:
        detail = f"position {recorded.position} follows {facts.position}"
        facts.broken.append(Violation("positions are gap-free", recorded.stream, detail))
    version = facts.versions.get(recorded.stream, 0)
    if recorded.version != version + 1:
        detail = f"version {recorded.version} follows {version}"
        facts.broken.append(Violation("stream versions are gap-free", recorded.stream, detail))
    facts.position, facts.versions[recorded.stream] = recorded.position, recorded.version


def _gather(facts: Facts, event: Event) -> None:
    match event:
        case JobAccepted():
            facts.accepted[event.job_id] = event
        case ChargeRecorded():
            facts.charges.setdefault(event.job_id, []).append(event)
        case PriceBookPublished():
            for offer in event.offers:
                key = (event.price_version, offer.model, offer.provider, offer.native_id)
                facts.prices[key] = offer
        case _ if isinstance(event, TERMINAL):
            facts.ended.setdefault(event.job_id, []).append(event)


def _check_entries(facts: Facts, event: Event) -> None:
    if not isinstance(event, MOVES_MONEY):
        return
    subject = event.charge_id if isinstance(event, ChargeRecorded) else event.credit_id
    total = sum(entry.picodollars for entry in event.entries)
    if total != 0:
        facts.broken.append(Violation("entries sum to zero", subject, f"they sum to {total}"))
    side = "revenue" if isinstance(event, ChargeRecorded) else "funding"
    moved = abs(sum(e.picodollars for e in event.entries if e.account == side))
    if moved != event.picodollars:
        detail = f"{moved} of {event.picodollars} picodollars"
        facts.broken.append(Violation("entries move the whole amount", subject, detail))


def _move_money(facts: Facts, recorded: Recorded[Event]) -> None:
    account, effect = recorded.account_id, wallet_effect_of(recorded.event)
    if effect is None:
        return
    wallet = facts.wallets.get(account, Wallet())
    try:
        wallet = facts.wallets[account] = _applied(facts, wallet, effect)
    except (InsufficientCredits, InvalidRequest, ValueError, KeyError) as error:
        detail = f"position {recorded.position}: {effect}: {error}"
        facts.broken.append(Violation("the wallet allows every movement", account, detail))
    if min(wallet.allowance, wallet.purchased, wallet.held, wallet.available) < 0:
        detail = f"position {recorded.position}: {wallet}"
        facts.broken.append(Violation("balances are never negative", account, detail))
    _check_balance(facts, recorded, wallet.total)


def _check_balance(facts: Facts, recorded: Recorded[Event], total: int) -> None:
    event = recorded.event
    if isinstance(event, MOVES_MONEY) and event.balance_picodollars != total:
        detail = f"position {recorded.position}: {event.balance_picodollars}, not {total}"
        subject = recorded.account_id
        facts.broken.append(Violation("recorded balances are the fold's", subject, detail))


def _applied(facts: Facts, wallet: Wallet, effect: WalletEffect) -> Wallet:
    match effect:
        case Hold():
            facts.holds[effect.hold_id] = effect.picodollars
            return hold(wallet, effect.picodollars)
        case Capture():
            return capture(wallet, facts.holds.pop(effect.hold_id), effect.picodollars)[0]
        case Release():
            return release(wallet, facts.holds.pop(effect.hold_id))
        case Credit():
            return credit(wallet, effect.bucket, effect.picodollars)[0]


def _one_terminal_event(facts: Facts) -> Iterator[Violation]:
    for job_id, events in facts.ended.items():
        if len(events) > 1 or job_id not in facts.accepted:
            names = ", ".join(event.event_name for event in events)
            yield Violation("an accepted job ends once", job_id, names)


def _completed_means_charged(facts: Facts) -> Iterator[Violation]:
    for job_id, events in facts.ended.items():
        completed = any(map(is_charged, events))
        charges = len(facts.charges.get(job_id, ()))
        if completed and charges != 1:
            yield Violation("a completed job has one charge", job_id, f"{charges} charges")
    for job_id in facts.charges:
        if not any(map(is_charged, facts.ended.get(job_id, ()))):
            yield Violation("a charge has a completed job", job_id, "the job did not complete")


def _charged_as_rated(facts: Facts) -> Iterator[Violation]:
    for job_id, charges in facts.charges.items():
        for charge in charges:
            detail = _misrated(facts, facts.accepted.get(job_id), charge)
            if detail is not None:
                yield Violation("a charge is the rating of its usage", charge.charge_id, detail)


def _misrated(facts: Facts, job: JobAccepted | None, charge: ChargeRecorded) -> str | None:
    costs = [
        event.cost_picodollars
        for event in facts.ended.get(charge.job_id, ())
        if isinstance(event, JobCompleted | JobCancelled) and is_charged(event)
    ]
    if costs != [charge.picodollars]:
        return f"{charge.picodollars} charged, {costs} told"
    lines = sum(line.picodollars for line in charge.lines)
    if lines != charge.picodollars:
        return f"{charge.picodollars} charged, the lines sum to {lines}"
    rating = _rated(facts, job, charge)
    if rating is None:
        return f"{charge.provider}/{charge.native_id} is no offer of the job, at no price of it"
    if rating.picodollars != charge.picodollars or rating.lines != charge.lines:
        return f"{charge.picodollars} charged, rated {rating.picodollars}"
    return None


def _rated(facts: Facts, job: JobAccepted | None, charge: ChargeRecorded) -> Rating | None:
    """The rating of the charge's usage; None when its offer or its price is none of the job's."""
    place = charge.provider, charge.native_id
    offer = OfferRef(provider=place[0], native_id=place[1], own_key=charge.own_key)
    if job is None or offer not in offers_of(job):
        return None
    if served(job, offer).price_version != charge.price_version:
        return None
    if offer.own_key is not None:
        return own_key_rating(charge.usage)
    priced = facts.prices.get((charge.price_version, charge.model, *place))
    return None if priced is None else rate(charge.usage, priced, job.hold_picodollars)


def _holds_are_of_unfinished_jobs(facts: Facts) -> Iterator[Violation]:
    for hold_id in facts.holds:
        if hold_id in facts.ended:
            yield Violation("only unfinished jobs hold money", hold_id, "the job has ended")


def _all_ended(facts: Facts) -> Iterator[Violation]:
    for job_id in facts.accepted.keys() - facts.ended.keys():
        yield Violation("every accepted job ends", job_id, "no terminal event")


def wallets_differ(facts: Facts, wallets: Mapping[str, Wallet]) -> Iterator[Violation]:
    """The accounts whose stored wallet is not the fold of the log."""
    for account in sorted(facts.wallets.keys() | wallets.keys()):
        folded, stored = facts.wallets.get(account, Wallet()), wallets.get(account, Wallet())
        if folded != stored:
            detail = f"stored {stored}, folded {folded}"
            yield Violation("wallets are the fold of the log", account, detail)


def statuses_differ(facts: Facts, statuses: Mapping[str, str]) -> Iterator[Violation]:
    """The jobs that the read model misses, invents, or says to be ended or not against the log."""
    for job_id in sorted(facts.accepted.keys() | statuses.keys()):
        status, has_ended = statuses.get(job_id), job_id in facts.ended
        shows_ended = status not in {None, "queued", "running"}
        if job_id not in facts.accepted or status is None or shows_ended != has_ended:
            detail = f"shown as {status}, {'has' if has_ended else 'has not'} ended"
            yield Violation("the jobs read model shows every job", job_id, detail)


RULES: Sequence[Callable[[Facts], Iterator[Violation]]] = (
    _one_terminal_event,
    _completed_means_charged,
    _charged_as_rated,
    _holds_are_of_unfinished_jobs,
)
