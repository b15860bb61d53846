"""What the demo found afterwards, and which promises that bears out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from infra.client import TERMINAL_NAMES, Client
from infra.demo.receiver import Receiver
from infra.proof import Proof


@dataclass(frozen=True, slots=True)
class Submitted:
    """What the client was told when it submitted everything, and when it did so again.

    `job_ids` are the answers before the crash, `again` those after it, in the same order.
    """

    job_ids: Sequence[str]
    again: Sequence[str]
    replayed: int


@dataclass(frozen=True, slots=True)
class Account:
    """The account as the API tells it once all is done; `credit_usd` is what it was given."""

    credit_usd: Decimal
    balance: Mapping[str, Any]
    jobs: Sequence[Mapping[str, Any]]
    charges: Sequence[Mapping[str, Any]]
    timelines: Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Log:
    """The log and its read models, checked without the engine; `head` ends the hash chain."""

    position: int
    head: str
    proof: Proof


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise, what was found, and whether it holds."""

    promise: str
    found: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the demo has to tell."""

    provider: str
    models: Sequence[str]
    jobs: int
    outcomes: Mapping[str, int]
    done_at_the_crash: int
    seconds: float
    spent_usd: str
    charge: Mapping[str, Any]
    log_position: int
    log_head: str
    findings: Sequence[Finding]

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        return all(finding.holds for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {**asdict(self), "holds": self.holds}


async def read_account(client: Client, credit_usd: Decimal) -> Account:
    """Reads everything there is about the client's account."""
    jobs = [job async for job in client.pages("/v1/jobs")]
    return Account(
        credit_usd,
        await client.get("/v1/billing/balance"),
        jobs,
        [charge async for charge in client.pages("/v1/billing/charges")],
        {job["id"]: (await client.get(f"/v1/jobs/{job['id']}/events"))["data"] for job in jobs},
    )


def spent(account: Account) -> Decimal:
    """What all charges come to, in USD."""
    return sum((Decimal(charge["amount_usd"]) for charge in account.charges), Decimal(0))


def outcomes(account: Account) -> Mapping[str, int]:
    """How many jobs ended how."""
    return dict(Counter(job["status"] for job in account.jobs))


def findings(
    submitted: Submitted, account: Account, receiver: Receiver, log: Log
) -> Iterator[Finding]:
    """Holds everything that was found against the promises."""
    yield from _job_findings(submitted, account)
    yield from _money_findings(account)
    yield from _webhook_findings(submitted, receiver)
    yield from _log_findings(log)


def _log_findings(log: Log) -> Iterator[Finding]:
    differences, violations = log.proof.differences, log.proof.violations
    yield Finding(
        "Read models equal a replay of the log",
        f"{len(differences)} differences up to position {log.position}",
        not differences,
    )
    yield Finding(
        "Wallets = ledger, charges = ratings",
        "; ".join(f"{one.rule}: {one.subject}" for one in violations[:3]) or "0 violations",
        not violations,
    )


def _job_findings(submitted: Submitted, account: Account) -> Iterator[Finding]:
    ends = {
        job_id: sum(entry["type"] in TERMINAL_NAMES for entry in timeline)
        for job_id, timeline in account.timelines.items()
    }
    lost = [job_id for job_id in submitted.job_ids if ends.get(job_id, 0) == 0]
    twice = [job_id for job_id, count in ends.items() if count > 1]
    answered = sum(job["status"] == "succeeded" for job in account.jobs)
    new = set(submitted.again) - set(submitted.job_ids)
    yield Finding("No accepted job is lost", f"{len(lost)} lost", not lost)
    yield Finding("No job ends twice", f"{len(twice)} duplicates", not twice)
    yield Finding(
        "Sending everything again makes no new job",
        f"{len(new)} new, {submitted.replayed} replayed by Idempotency-Key",
        not new and submitted.replayed == len(submitted.job_ids) == len(account.jobs),
    )
    yield Finding("Jobs are answered", f"{answered} of {len(account.jobs)}", answered > 0)


def _money_findings(account: Account) -> Iterator[Finding]:
    charged = Counter(charge["job_id"] for charge in account.charges)
    owed = {job["id"] for job in account.jobs if job["status"] == "succeeded"}
    once = charged.keys() == owed and set(charged.values()) <= {1}
    left, held = (Decimal(account.balance[name]) for name in ("total_usd", "held_usd"))
    yield Finding(
        "One charge for each answer, none besides",
        f"{len(account.charges)} charges, {len(owed)} answers",
        once,
    )
    yield Finding(
        "Credit = charges + balance",
        f"{account.credit_usd} = {spent(account)} + {left} USD, {held} held",
        account.credit_usd == spent(account) + left and held == 0,
    )


def _webhook_findings(submitted: Submitted, receiver: Receiver) -> Iterator[Finding]:
    untold = set(submitted.job_ids) - receiver.told.keys()
    several = [job_id for job_id, ids in receiver.told.items() if len(ids) > 1]
    repeats = receiver.messages.total() - len(receiver.messages)
    yield Finding(
        "Every webhook arrives, always under one id",
        f"{len(receiver.messages)} received, {repeats} repeated, {len(untold)} missing",
        not untold and not several,
    )
    yield Finding(
        "Every signature verifies",
        f"{receiver.messages.total()} verified, {receiver.rejected} rejected",
        receiver.rejected == 0,
    )
