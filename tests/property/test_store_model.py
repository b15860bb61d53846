"""The store under any interleaving ends in the state of a plain, sequential model."""

import asyncio
import tempfile
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.sqlite.event_store import SqliteEventStore
from domain.billing.events import ChargeRecorded, CreditGranted
from domain.billing.wallet import InsufficientCredits
from domain.errors import VersionConflict
from domain.event import Event, Recorded
from domain.ports.event_store import Append, StreamWrite
from tests.support.stores import (
    accepted,
    appending,
    cancelled,
    charged,
    credited,
    job_id,
    opened_store,
)

ACCOUNTS = ("acct_1", "acct_2")
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Step:
    """One write: a kind of event in the stream of a job (or of a credit).

    Its writer knows the stream's version, unless it is `stale`.
    """

    kind: Literal["hold", "capture", "release", "credit"]
    number: int
    picodollars: int
    stale: bool = False

    @property
    def stream(self) -> str:
        return f"crd_{self.number}" if self.kind == "credit" else job_id(self.number)

    def write(self, version: int) -> StreamWrite:
        """The write for a stream at this version."""
        events: dict[str, Event] = {
            "hold": accepted(self.number, self.picodollars),
            "capture": charged(self.number, self.picodollars),
            "release": cancelled(self.number),
            "credit": credited(f"crd_{self.number}", self.picodollars + 1),
        }
        return StreamWrite(self.stream, version + self.stale, (events[self.kind],))


@dataclass(frozen=True)
class Attempt:
    """Steps of one account, to be recorded together or not at all."""

    account: str
    steps: tuple[Step, ...]

    def append(self, versions: dict[str, int]) -> Append:
        """The append of a writer that knows these versions of the streams."""
        known = Counter(versions)
        writes = []
        for step in self.steps:
            writes.append(step.write(known[step.stream]))
            known[step.stream] += 1
        return appending(*writes, account_id=self.account)


@dataclass
class Model:
    """What the store should hold: total and held money, holds, and the log as (stream, version)."""

    total: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACCOUNTS, 0))
    held: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACCOUNTS, 0))
    holds: dict[str, tuple[str, int]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    log: list[tuple[str, int]] = field(default_factory=list)
    balances: list[int] = field(default_factory=list)

    def apply(self, account: str, step: Step) -> type[Exception] | None:
        """Does a step, or says how it must be refused (the state is then of no use)."""
        if step.stale:
            return VersionConflict
        version = self.versions.get(step.stream, 0)
        self.versions[step.stream] = version + 1
        self.log.append((step.stream, version + 1))
        if step.kind == "credit":
            self._pay(account, step.picodollars + 1)
            return None
        if step.kind == "hold":
            return self._hold(account, step)
        return self._end(account, step)

    def _pay(self, account: str, picodollars: int) -> None:
        self.total[account] += picodollars
        self.balances.append(self.total[account])

    def _hold(self, account: str, step: Step) -> type[Exception] | None:
        if self.total[account] - self.held[account] < step.picodollars:
            return InsufficientCredits
        if step.stream in self.holds:
            return ValueError
        self.holds[step.stream] = (account, step.picodollars)
        self.held[account] += step.picodollars
        return None

    def _end(self, account: str, step: Step) -> type[Exception] | None:
        owner, held = self.holds.pop(step.stream, ("", 0))
        charge = step.picodollars if step.kind == "capture" else 0
        if owner != account or charge > held:
            return ValueError
        self.held[account] -= held
        if step.kind == "capture":
            self._pay(account, -charge)
        return None


@dataclass
class Expected:
    """The model after some attempts in their order, their appends and the answer to each."""

    model: Model = field(default_factory=Model)
    appends: list[Append] = field(default_factory=list)
    answers: list[type[Exception] | None] = field(default_factory=list)


def expected_of(attempts: list[Attempt]) -> Expected:
    """What must come of the attempts, one after another."""
    model, expected = Model(), Expected()
    for attempt in attempts:
        expected.appends.append(attempt.append(model.versions))
        trial = deepcopy(model)
        refusals = (trial.apply(attempt.account, step) for step in attempt.steps)
        answer = next((refusal for refusal in refusals if refusal is not None), None)
        if answer is None:
            model = trial
        expected.answers.append(answer)
    expected.model = model
    return expected


# Enough for some of the holds, so that both answers are common.
FUNDED = [Attempt(account, (Step("credit", 8 + i, 99),)) for i, account in enumerate(ACCOUNTS)]
steps = st.one_of(
    st.builds(Step, st.just("hold"), st.integers(0, 2), st.integers(20, 60)),
    st.builds(Step, st.just("capture"), st.integers(0, 2), st.integers(0, 25)),
    st.builds(Step, st.just("release"), st.integers(0, 2), st.just(0)),
    st.builds(Step, st.just("credit"), st.integers(0, 2), st.integers(0, 9), st.booleans()),
)
some_attempts = st.lists(
    st.builds(
        Attempt,
        st.sampled_from([ACCOUNTS[0], ACCOUNTS[0], ACCOUNTS[0], ACCOUNTS[1]]),
        st.lists(steps, min_size=1, max_size=3).map(tuple),
    ),
    min_size=3,
    max_size=25,
).map(lambda attempts: [*FUNDED, *attempts])


async def submit(
    store: SqliteEventStore, appends: list[Append], group: int
) -> list[type[Exception] | None]:
    """Appends so many at once; the type of each refusal."""
    answers: list[type[Exception] | None] = []
    for start in range(0, len(appends), group):
        results = await asyncio.gather(
            *(store.append(append) for append in appends[start : start + group]),
            return_exceptions=True,
        )
        answers += [type(r) if isinstance(r, Exception) else None for r in results]
    return answers


async def check(store: SqliteEventStore, model: Model) -> None:
    """The store holds what the model holds, and nothing else."""
    log: list[Any] = list(await store.read_log(0, 10_000))
    assert [(entry.stream, entry.version) for entry in log] == model.log
    assert [entry.position for entry in log] == list(range(1, len(log) + 1))
    assert balances_in(log) == model.balances
    for account in ACCOUNTS:
        wallet = await store.wallet(account)
        assert (wallet.total, wallet.held) == (model.total[account], model.held[account])
    for stream, version in model.versions.items():
        history = await store.read_stream(stream)
        assert [recorded.version for recorded in history] == list(range(1, version + 1))


def balances_in(log: list[Recorded[Event]]) -> list[int]:
    moves = [r.event for r in log if isinstance(r.event, CreditGranted | ChargeRecorded)]
    return [event.balance_picodollars or 0 for event in moves]


async def run_against_the_model(attempts: list[Attempt], group: int) -> None:
    expected = expected_of(attempts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.db"
        async with opened_store(path) as store:
            assert await submit(store, expected.appends, group) == expected.answers
            await check(store, expected.model)
        async with opened_store(path) as store:
            await check(store, expected.model)


@SLOW
@given(some_attempts)
def test_appends_in_one_group_commit_end_as_one_after_another(attempts: list[Attempt]) -> None:
    asyncio.run(run_against_the_model(attempts, group=25))


@SLOW
@given(some_attempts, st.integers(1, 5))
def test_appends_in_many_commits_end_as_one_after_another(
    attempts: list[Attempt], group: int
) -> None:
    asyncio.run(run_against_the_model(attempts, group))


@SLOW
@given(st.lists(st.integers(1, 40), max_size=40), st.integers(0, 200))
def test_holds_made_at_once_never_pass_the_balance(holds: list[int], credit: int) -> None:
    paid = Attempt("acct_1", (Step("credit", 0, credit),))
    asked = [Attempt("acct_1", (Step("hold", n, hold),)) for n, hold in enumerate(holds)]
    model = expected_of([paid, *asked]).model
    assert model.held["acct_1"] <= model.total["acct_1"]
    asyncio.run(run_against_the_model([paid, *asked], group=len(holds) + 1))
