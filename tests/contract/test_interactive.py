"""The laws of `domain.ports.interactive`, for the runs of a node."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.billing.wallet import InsufficientCredits
from domain.errors import StoreUnavailable
from domain.event import Origin
from domain.inference.commands import ExpireLease, RequestCancel
from domain.inference.events import (
    DisconnectPolicy,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobFailed,
)
from domain.ports.interactive import Attached, RunLost
from domain.ports.provider import OnDelta, ProviderCall, ProviderReply
from tests.support.dispatching import HOLD, Dispatching, HeldProvider, dispatching
from tests.support.simulated_log import job_accepted
from tests.support.stores import credited, job_id, write
from workers.attached import InteractiveRuns
from workers.dispatch import DispatchLimits

ACCOUNT = "acct_1"
ORIGIN = Origin(ACCOUNT, "key", "key_1", "req_1")
BODY: dict[str, Any] = {"model": "alpha", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Dispatching]:
    async with dispatching(tmp_path) as made:
        yield made


@pytest.fixture
async def runs(here: Dispatching) -> AsyncIterator[InteractiveRuns]:
    made, keeping = await opened(here)
    yield made
    await made.drain(0)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def opened(
    here: Dispatching, lease_seconds: float = 30
) -> tuple[InteractiveRuns, asyncio.Task[None]]:
    limits = DispatchLimits(lease_seconds=lease_seconds)
    ports = here.dispatcher(limits)._ports
    running = here.running(ports, "node", limits)
    keeping = asyncio.create_task(running.run())
    return InteractiveRuns(ports, running, "node"), keeping


def request(number: int, policy: DisconnectPolicy = "cancel") -> JobAccepted:
    accepted = job_accepted(job_id(number), hold=HOLD)
    return replace(accepted, lane="interactive", input=None, store=False, on_disconnect=policy)


async def begun(here: Dispatching, runs: InteractiveRuns, accepted: JobAccepted) -> Attached:
    credit_id = f"crd_{accepted.job_id}"
    await write(here.store, credit_id, credited(credit_id, HOLD), account=ACCOUNT)
    return await runs.begin(accepted, BODY, ORIGIN, stream=False)


async def test_what_the_store_refuses_is_raised_and_reaches_no_provider(
    here: Dispatching, runs: InteractiveRuns
) -> None:
    with pytest.raises(InsufficientCredits):
        await runs.begin(request(1), BODY, ORIGIN, stream=False)
    assert here.provider.calls == []
    assert await here.store.read_stream(job_id(1)) == ()


async def test_the_hold_is_durable_when_a_run_has_begun(
    here: Dispatching, runs: InteractiveRuns
) -> None:
    await begun(here, runs, request(1))
    assert (await here.store.wallet(ACCOUNT)).held == HOLD
    await here.provider.count(1)


async def test_a_run_ends_with_its_answer_recorded(
    here: Dispatching, runs: InteractiveRuns
) -> None:
    attached = await begun(here, runs, request(1))
    here.provider.open.set()
    ended = await attached.ended()
    assert isinstance(ended.event, JobCompleted)
    assert ended.body["choices"]
    history = await here.store.read_stream(job_id(1))
    assert history[-1].event == ended.event
    assert (await here.store.wallet(ACCOUNT)).held == 0


@pytest.mark.parametrize("policy", ["finish", "finish_and_store"])
async def test_a_run_goes_on_though_nobody_listens(
    here: Dispatching, runs: InteractiveRuns, policy: DisconnectPolicy
) -> None:
    attached = await begun(here, runs, request(1, policy))
    attached.left()
    here.provider.open.set()
    assert isinstance((await attached.ended()).event, JobCompleted)


async def test_a_run_ends_with_its_client_where_the_policy_says_so(
    here: Dispatching, runs: InteractiveRuns
) -> None:
    attached = await begun(here, runs, request(1))
    await here.provider.count(1)
    attached.left()
    assert isinstance((await attached.ended()).event, JobCancelled)
    assert here.provider.stopped == 1


async def test_a_client_that_leaves_at_the_very_start_ends_the_run_before_any_call(
    here: Dispatching, runs: InteractiveRuns
) -> None:
    attached = await begun(here, runs, request(1))
    attached.left()
    assert isinstance((await attached.ended()).event, JobCancelled)
    assert here.provider.calls == []


async def test_a_run_that_we_cut_off_is_no_cancellation_and_costs_nothing(
    here: Dispatching, runs: InteractiveRuns
) -> None:
    attached = await begun(here, runs, request(1))
    await here.provider.count(1)
    attached.cut_off()
    ended = await attached.ended()
    assert isinstance(ended.event, JobFailed)
    assert ended.event.failure.code == "node_lost"
    assert (await here.store.wallet(ACCOUNT)).total == HOLD


async def test_a_run_is_cancelled_as_a_job(here: Dispatching, runs: InteractiveRuns) -> None:
    attached = await begun(here, runs, request(1))
    await here.provider.count(1)
    await here.dispatcher(DispatchLimits())._execute(job_id(1), RequestCancel(), ORIGIN)
    assert isinstance((await attached.ended()).event, JobCancelled)


async def test_a_lease_is_kept_as_long_as_the_run_lasts(here: Dispatching) -> None:
    runs, keeping = await opened(here, lease_seconds=0.3)
    attached = await begun(here, runs, request(1))
    await asyncio.sleep(1.0)
    assert await here.store.lapsed("dispatch", here.clock.now()) == []
    here.provider.open.set()
    assert isinstance((await attached.ended()).event, JobCompleted)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_run_whose_lease_was_lost_says_so_and_charges_nothing(
    here: Dispatching, runs: InteractiveRuns
) -> None:
    attached = await begun(here, runs, request(1))
    await here.provider.count(1)
    [lease] = [item.lease_id or "" for item in await here.store.backlog("dispatch")]
    await here.dispatcher(DispatchLimits())._execute(job_id(1), ExpireLease(lease), ORIGIN)
    here.provider.open.set()
    with pytest.raises(RunLost):
        await attached.ended()
    history = await here.store.read_stream(job_id(1))
    assert isinstance(history[-1].event, JobFailed)
    wallet = await here.store.wallet(ACCOUNT)
    assert (wallet.held, wallet.total) == (0, HOLD)


async def test_a_dispatcher_beside_leaves_the_runs_alone(here: Dispatching) -> None:
    """It finds their leases in the queue, and at its start takes none for a dead worker's."""
    limits = DispatchLimits(lease_seconds=30)
    made = here.dispatcher(limits)
    runs = InteractiveRuns(made._ports, made._running, "node")
    attached = await begun(here, runs, request(1))
    here.run(made)
    await here.provider.count(1)
    await asyncio.sleep(0.2)
    here.provider.open.set()
    assert isinstance((await attached.ended()).event, JobCompleted)
    assert here.provider.calls == [job_id(1)]


async def test_an_answer_waits_for_a_store_that_is_away(here: Dispatching) -> None:
    class Away:
        """The store, which is away for the first end that is recorded."""

        def __init__(self) -> None:
            self.refusals = 2

        def __getattr__(self, name: str) -> Any:
            return getattr(here.store, name)

        async def append(self, append: Any) -> Any:
            kinds = {type(event) for write in append.writes for event in write.events}
            if JobCompleted in kinds and self.refusals:
                self.refusals -= 1
                raise StoreUnavailable("away")
            return await here.store.append(append)

    made = here.dispatcher(DispatchLimits(), Away())
    runs = InteractiveRuns(made._ports, made._running, "node")
    attached = await begun(here, runs, request(1))
    here.provider.open.set()
    assert isinstance((await attached.ended()).event, JobCompleted)


async def test_an_answer_that_was_recorded_though_the_store_said_no_is_told(
    here: Dispatching,
) -> None:
    """It was charged: to call it lost would have it paid for twice."""

    class Lost:
        """The store, whose connection breaks just after an end was recorded."""

        def __getattr__(self, name: str) -> Any:
            return getattr(here.store, name)

        async def append(self, append: Any) -> Any:
            recorded = await here.store.append(append)
            kinds = {type(event) for write in append.writes for event in write.events}
            if JobCompleted in kinds:
                raise StoreUnavailable("the connection broke")
            return recorded

    made = here.dispatcher(DispatchLimits(), Lost())
    runs = InteractiveRuns(made._ports, made._running, "node")
    attached = await begun(here, runs, request(1))
    here.provider.open.set()
    ended = await attached.ended()
    assert isinstance(ended.event, JobCompleted)
    assert ended.body["choices"]


async def test_an_answer_that_is_complete_is_not_stopped_any_more(here: Dispatching) -> None:
    sealing = asyncio.Event()

    class Slow:
        """The payloads, which take a while to keep an answer."""

        def __getattr__(self, name: str) -> Any:
            return getattr(here.payloads, name)

        async def seal(self, *asked: Any) -> Any:
            sealing.set()
            await asyncio.sleep(0.1)
            return await here.payloads.seal(*asked)

    made = here.dispatcher(DispatchLimits())
    runs = InteractiveRuns(replace(made._ports, payloads=Slow()), made._running, "node")
    attached = await begun(here, runs, replace(request(1), store=True))
    here.provider.open.set()
    await sealing.wait()
    attached.left()
    assert isinstance((await attached.ended()).event, JobCompleted)


async def test_what_nobody_foresaw_in_an_answer_fails_the_attempt_and_ends_the_job(
    here: Dispatching,
) -> None:
    class Crashing(HeldProvider):
        """Its reply has a form that its reader cannot take."""

        async def call(self, call: ProviderCall, on_delta: OnDelta | None = None) -> ProviderReply:
            raise KeyError(call.native_id)

    here.provider = Crashing()
    runs, keeping = await opened(here)
    attached = await begun(here, runs, request(1))
    assert isinstance((await attached.ended()).event, JobFailed)
    assert (await here.store.wallet(ACCOUNT)).held == 0
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
