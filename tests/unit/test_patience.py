"""One timer looks after the timeouts of many calls."""

import asyncio

import pytest

from adapters.providers.patience import Patience, Watch
from domain.ports.provider import CallTimeouts, ProviderFailure

HASTY = CallTimeouts(connect=5, first_byte=0.02, chunk=0.02, total=30)
PATIENT = CallTimeouts(connect=5, first_byte=30, chunk=0.02, total=30)


async def call(
    watch: Watch, timeouts: CallTimeouts, *, hears: bool = False, pauses: bool = False
) -> None:
    """Waits for ever, within its patience."""
    with Patience(timeouts, watch) as patience:
        if pauses:
            await patience.pause(asyncio.sleep(0.06))
        if hears:
            patience.heard()
        await asyncio.Event().wait()


async def test_the_call_that_is_due_first_is_given_up_and_no_other() -> None:
    watch = Watch()
    patient = asyncio.create_task(call(watch, PATIENT))
    await asyncio.sleep(0)
    with pytest.raises(ProviderFailure) as raised:
        await call(watch, HASTY)
    assert raised.value.kind == "timeout_first_byte"
    assert not patient.done()
    patient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await patient


async def test_each_of_several_calls_is_given_up_in_its_turn() -> None:
    watch = Watch()
    ends = await asyncio.gather(
        call(watch, HASTY), call(watch, PATIENT, hears=True), return_exceptions=True
    )
    kinds = [end.kind for end in ends if isinstance(end, ProviderFailure)]
    assert kinds == ["timeout_first_byte", "timeout_chunk"]


async def test_a_call_after_a_quiet_time_is_looked_after_as_well() -> None:
    watch = Watch()
    for _ in range(2):
        with pytest.raises(ProviderFailure):
            await call(watch, HASTY)
        await asyncio.sleep(0.03)


async def test_no_time_goes_on_in_a_pause() -> None:
    watch = Watch()
    with Patience(HASTY, watch) as patience:
        await patience.pause(asyncio.sleep(0.06))


async def test_after_a_pause_the_time_goes_on() -> None:
    with pytest.raises(ProviderFailure):
        await call(Watch(), HASTY, pauses=True)


async def test_who_cancels_a_call_meanwhile_ends_it() -> None:
    running = asyncio.create_task(call(Watch(), HASTY))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert running.cancelled()


async def test_an_answer_in_time_is_no_failure() -> None:
    watch = Watch()
    with Patience(HASTY, watch):
        await asyncio.sleep(0)
    await asyncio.sleep(0.03)
