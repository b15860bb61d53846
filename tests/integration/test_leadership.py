"""One node at a time does a duty, and another takes over."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.leadership import Leadership
from infra.local.services import LocalPostgres


class Duty:
    """Notes who is at work, and that never two are."""

    def __init__(self) -> None:
        self.working: list[int] = []
        self.most = 0

    async def work(self, node: int) -> None:
        self.working.append(node)
        self.most = max(self.most, len(self.working))
        try:
            await asyncio.Event().wait()
        finally:
            self.working.remove(node)

    async def someone(self, other_than: int | None = None) -> int:
        async with asyncio.timeout(3):
            while not self.working or self.working[0] == other_than:
                await asyncio.sleep(0.01)
        return self.working[0]


def start(duty: Duty, url: str, count: int) -> list[asyncio.Task[None]]:
    def task(node: int) -> asyncio.Task[None]:
        return asyncio.create_task(Leadership(url, "duty").run(lambda: duty.work(node)))

    return [task(node) for node in range(count)]


async def end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_of_many_does_the_duty(database_url: str) -> None:
    duty = Duty()
    tasks = start(duty, database_url, 4)
    await duty.someone()
    await asyncio.sleep(0.8)
    assert duty.most == 1
    await end(tasks)


async def test_another_takes_over_within_three_seconds(database_url: str) -> None:
    duty = Duty()
    tasks = start(duty, database_url, 3)
    first = await duty.someone()
    tasks[first].cancel()
    assert await duty.someone(other_than=first) != first
    assert duty.most == 1
    await end(tasks)


async def test_a_leader_whose_connection_is_lost_stops_and_another_takes_over(
    database_url: str,
) -> None:
    duty = Duty()
    tasks = start(duty, database_url, 2)
    first = await duty.someone()
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        )
    async with asyncio.timeout(3):
        while duty.working in ([first], [0, 1], [1, 0], []):
            await asyncio.sleep(0.01)
    await end(tasks)


async def test_what_ends_the_duty_ends_the_leadership(database_url: str) -> None:
    async def refuse() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await Leadership(database_url, "duty").run(refuse)


async def test_a_restart_of_the_server_is_outlived(server_folder: Path) -> None:
    duty = Duty()
    with LocalPostgres(server_folder / "postgres") as server:
        tasks = start(duty, server.url, 2)
        await duty.someone()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(5):
            while not duty.working:
                await asyncio.sleep(0.01)
        await end(tasks)
