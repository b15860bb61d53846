"""What is handed over from one to another: in order, bounded, and told of in silence."""

import asyncio
from collections.abc import Awaitable
from contextlib import aclosing

import pytest

from workers.handover import MOST_WAITING, Handover


def fill(handover: Handover[int]) -> Awaitable[None]:
    """Gives until there is no more room, which is returned to be waited for."""
    for number in range(MOST_WAITING - 1):
        assert handover.give(number) is None
    room = handover.give(MOST_WAITING - 1)
    assert room is not None
    return room


async def test_all_that_was_given_is_taken_in_order_and_then_the_end() -> None:
    taken: list[list[int]] = []
    handover = Handover[int](lambda batch: taken.append(list(batch)))
    handover.give(1)
    handover.give(2)
    batches = handover.batches()
    assert await anext(batches) == [1, 2]
    handover.give(3)
    handover.close()
    assert [batch async for batch in batches] == [[3]]
    assert taken == [[1, 2], [3]]


async def test_who_takes_waits_for_what_is_given() -> None:
    handover = Handover[int]()
    taking = asyncio.ensure_future(anext(handover.batches()))
    await asyncio.sleep(0)
    handover.give(1)
    assert await taking == [1]


async def test_there_is_room_again_once_what_waits_was_taken() -> None:
    handover = Handover[int]()
    room = fill(handover)
    await anext(handover.batches())
    await room


async def test_nobody_waits_for_one_who_takes_no_more() -> None:
    handover = Handover[int]()
    room = fill(handover)
    handover.abandon()
    await room
    assert all(handover.give(number) is None for number in range(2 * MOST_WAITING))


async def test_one_who_ends_taking_takes_no_more() -> None:
    handover = Handover[int]()
    handover.give(0)
    async with aclosing(handover.batches()) as batches:
        await anext(batches)
        room = fill(handover)
    await room


async def test_one_who_gave_up_waiting_for_room_harms_nobody() -> None:
    handover = Handover[int]()
    room = asyncio.ensure_future(fill(handover))
    room.cancel()
    assert len(await anext(handover.batches())) == MOST_WAITING


async def test_silence_is_told_again_and_again_and_what_is_given_puts_it_off() -> None:
    handover = Handover[int]()
    batches = handover.batches(0.05)
    assert not await anext(batches)
    assert not await anext(batches)
    asyncio.get_running_loop().call_later(0.03, handover.give, 1)
    assert await anext(batches) == [1]


async def test_without_a_time_silence_is_not_told() -> None:
    handover = Handover[int]()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await anext(handover.batches())
