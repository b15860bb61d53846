"""The read models under generated histories."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.sql.read_models import SqlReadModels
from domain.inference.view import job_object
from projections import balances, jobs, queries
from projections.listing import Order, Page
from projections.queries import Query
from tests.support.read_models import StoredSimulation, all_rows, fold_all, folded, opened
from tests.support.simulated_log import HOLD, SimulatedLog
from tests.support.simulated_work import ACCOUNTS, STEPS, Step, write
from workers.projector import catch_up

# Each example opens a database file, so there are fewer of them than for a pure function.
EXAMPLES = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STEP_LISTS = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 40)), min_size=5, max_size=90
)
JOB_STATUSES = ("queued", "running", "succeeded", "failed", "cancelled", "expired")
SENT_STATUSES = ("pending", "delivered", "failed", "disabled")


def history(steps: list[Step]) -> SimulatedLog:
    log = SimulatedLog()
    log.publish_prices()
    for account_id in ACCOUNTS:
        log.grant(account_id, 5 * HOLD)
    write(log, steps)
    return log


def fresh() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="read-models-")


@EXAMPLES
@given(STEP_LISTS, st.integers(1, 40), st.integers(1, 40))
async def test_how_a_log_is_cut_into_batches_makes_no_difference(
    steps: list[Step], one: int, other: int
) -> None:
    log = history(steps)
    with fresh() as folder:
        async with opened(Path(folder) / "a") as left, opened(Path(folder) / "b") as right:
            await fold_all(left, log.entries, one)
            await fold_all(right, log.entries, other)
            assert all_rows(left) == all_rows(right)


@EXAMPLES
@given(STEP_LISTS, st.integers(0, 90), st.integers(1, 90))
async def test_a_batch_that_comes_again_changes_nothing(
    steps: list[Step], start: int, count: int
) -> None:
    log = history(steps)
    with fresh() as folder:
        async with opened(Path(folder) / "a") as read_models:
            await fold_all(read_models, log.entries, 20)
            before = all_rows(read_models)
            again = log.entries[start : start + count]
            await read_models.apply(await read_models.generations(), again)
            assert all_rows(read_models) == before


@EXAMPLES
@given(STEP_LISTS, st.integers(1, 30))
async def test_a_rebuilt_read_model_equals_the_live_one(steps: list[Step], batch: int) -> None:
    log = history(steps)
    with fresh() as folder:
        async with opened(Path(folder) / "a") as read_models:
            await fold_all(read_models, log.entries, batch)
            live = all_rows(read_models)
            built = [await read_models.build(name) for name in read_models.projections]
            await catch_up(read_models, StoredSimulation(log), built)
            assert all_rows(read_models) == live


@given(STEP_LISTS)
def test_a_listed_job_equals_the_job_object_of_its_history(steps: list[Step]) -> None:
    log = history(steps)
    rows = folded(jobs.PROJECTION, log.entries).tables["jobs"]
    shown = {row["id"]: jobs.job_object(row, log.head()) for row in rows.values()}
    assert shown == {job_id: job_object(h) for job_id, h in log.histories.items()}


@given(STEP_LISTS)
def test_a_job_as_of_any_position_is_the_job_object_of_its_history_until_then(
    steps: list[Step],
) -> None:
    log = history(steps)
    rows = folded(jobs.PROJECTION, log.entries).tables["jobs"]
    for job_id, events in log.histories.items():
        for count, last in enumerate(events, start=1):
            assert jobs.job_object(rows[job_id,], last.position) == job_object(events[:count])


@given(STEP_LISTS)
def test_the_balances_are_the_wallets_of_the_store(steps: list[Step]) -> None:
    log = history(steps)
    rows = folded(balances.PROJECTION, log.entries).tables["balances"].values()
    wallets = {row["account_id"]: balances.wallet_of(row) for row in rows}
    assert wallets == {account: log.wallets[account] for account in ACCOUNTS}


@EXAMPLES
@given(STEP_LISTS, STEP_LISTS, st.integers(1, 5), st.sampled_from(["asc", "desc"]))
async def test_a_list_asked_again_as_of_its_position_gives_the_same_bytes(
    steps: list[Step], more: list[Step], limit: int, order: Order
) -> None:
    log = history(steps)
    with fresh() as folder:
        async with opened(Path(folder) / "a") as read_models:
            await fold_all(read_models, log.entries, 50)
            as_of = log.head()
            pages = await ask_everything(read_models, Page(limit, None, order))
            write(log, more)
            await read_models.apply(await read_models.generations(), log.entries)
            again = await ask_everything(read_models, Page(limit, None, order, as_of))
            assert again == pages


async def ask_everything(read_models: SqlReadModels, page: Page) -> list[bytes]:
    """The bytes of the first two pages of every list there is, under every filter."""
    account = ACCOUNTS[0]
    lists: list[Callable[[Page], Query]] = [
        partial(queries.list_jobs, account),
        partial(queries.list_jobs, account, model="acme/0"),
        partial(queries.list_jobs, account, metadata={"team": "t1"}),
        partial(queries.list_ledger, account),
        partial(queries.list_ledger, account, entry_type="charge"),
        partial(queries.list_charges, account),
        partial(queries.list_deliveries, account),
        partial(queries.list_deliveries, account, endpoint_id="whe_0"),
        *(partial(queries.list_jobs, account, status=status) for status in JOB_STATUSES),
        *(partial(queries.list_deliveries, account, status=status) for status in SENT_STATUSES),
    ]
    return [body for ask in lists for body in await ask_pages(read_models, ask, page)]


async def ask_pages(
    read_models: SqlReadModels, ask: Callable[[Page], Query], page: Page
) -> list[bytes]:
    first = await read_models.fetch(ask(page))
    if not first["has_more"]:
        return [msgspec.json.encode(first)]
    second = await read_models.fetch(ask(replace(page, after=first["last_id"])))
    return [msgspec.json.encode(first), msgspec.json.encode(second)]
