"""Kills the engine at random moments while jobs run, and judges what is left.

    python -m tests.chaos.kill9 --kills 200 --jobs 1000 --seed 7

The seed decides every job and every kill. Exit status 1 means that a promise was broken; the
data directory is then kept.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import aiohttp

from infra.settings import load_settings
from tests.chaos.oracle import History, Verdict, inspect
from tests.chaos.plan import Kill, Plan, plan
from tests.chaos.world import Customers, Upstream, answer_webhooks
from tests.support.engine import ADMIN_KEY, configuration
from tests.support.forked_engine import ForkedEngine
from tests.support.scripted_provider import ScriptedProvider
from tests.support.webhook_receiver import WebhookReceiver

DRAIN_SECONDS = 120.0


async def campaign(todo: Plan, folder: Path) -> Verdict:
    """Runs a campaign in an empty folder and judges it."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(ScriptedProvider())
        upstream.default = (behaviour := Upstream(todo)).reply
        receiver = await stack.enter_async_context(WebhookReceiver())
        answer_webhooks(receiver, Random(todo.seed), 2 * len(todo.jobs))  # noqa: S311 - replayable
        engine = ForkedEngine(folder, configuration(upstream.base_url))
        stack.callback(engine.kill)
        session = await stack.enter_async_context(_session())
        customers = Customers(lambda: engine.base_url, todo, session, receiver.url)
        await engine.start()
        await customers.open_account()
        submitting = asyncio.create_task(customers.run())
        await _kill_and_restart(engine, todo, customers)
        await submitting
        wrong = await _wrong_answers(customers, todo)
        await _until_told(customers, receiver)
        status = await engine.stop()
        settings = load_settings(
            engine.config_path, data_dir=engine.data, bootstrap_admin_key=ADMIN_KEY
        )
    verdict, history = await inspect(settings)
    verdict.check("exit status after SIGTERM", status, 0)
    verdict.check("accepted jobs", len(set(customers.accepted.values())), len(todo.jobs))
    verdict.forbid("answers that are not the job's own", wrong)
    verdict.forbid("replies with a status of 500 and the like", customers.broken)
    _check_webhooks(history, receiver, verdict)
    verdict.figures["engine starts"] = engine.starts
    verdict.figures["requests sent again"] = customers.resent
    verdict.figures["upstream calls"] = sum(behaviour.calls.values())
    return verdict


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=30)
    )


async def _kill_and_restart(engine: ForkedEngine, todo: Plan, customers: Customers) -> None:
    """Every kill of the plan, with the jobs spread evenly over them."""
    released = 0
    for number, kill in enumerate(todo.kills, start=1):
        share = len(todo.jobs) * number // len(todo.kills)
        customers.release(share - released)
        released = share
        await _live_and_die(engine, kill)
        if sys.stderr.isatty():
            print(f"\rkill {number} of {len(todo.kills)}", end="", file=sys.stderr, flush=True)
    customers.release(len(todo.jobs) - released)
    await engine.start()


async def _live_and_die(engine: ForkedEngine, kill: Kill) -> None:
    if kill.while_starting:
        engine.kill()
        engine.launch()
    elif not engine.is_alive:
        await engine.start()
    await asyncio.sleep(kill.delay)
    engine.kill()


async def _wrong_answers(customers: Customers, todo: Plan) -> list[str]:
    """Waits for the end of every job; the ids of succeeded ones with another job's answer."""

    async def check(number: int, job_id: str) -> str | None:
        while True:
            reply = await customers.persistently(lambda me: me.get(f"/v1/jobs/{job_id}?wait=25"))
            if reply.json["status"] not in {"queued", "running"}:
                break
        if reply.json["status"] != "succeeded":
            return None
        result = await customers.persistently(lambda me: me.get(f"/v1/jobs/{job_id}/result"))
        content = result.json["choices"][0]["message"]["content"]
        return None if content == todo.jobs[number].answer else job_id

    async with asyncio.timeout(DRAIN_SECONDS):
        checked = await asyncio.gather(*(check(*one) for one in customers.accepted.items()))
    return [job_id for job_id in checked if job_id is not None]


async def _until_told(customers: Customers, receiver: WebhookReceiver) -> None:
    """Waits until every delivery is over."""
    pending = "/v1/webhook_deliveries?status=pending&limit=1"
    async with asyncio.timeout(DRAIN_SECONDS):
        while True:
            told = {message.message["data"]["id"] for message in receiver.received}
            reply = await customers.persistently(lambda me: me.get(pending))
            if told >= set(customers.accepted.values()) and not reply.json["data"]:
                return
            await asyncio.sleep(0.2)


def _check_webhooks(history: History, receiver: WebhookReceiver, verdict: Verdict) -> None:
    ids: dict[str, set[str]] = defaultdict(set)
    for received in receiver.received:
        assert received.message_id == received.message["id"]
        ids[received.message["data"]["id"]].add(received.message_id)
    expected = history.terminal_ids
    verdict.figures["webhooks received"] = len(receiver.received)
    verdict.forbid("jobs whose webhook never came", sorted(expected.keys() - ids.keys()))
    other = [job for job, seen in ids.items() if seen != {expected.get(job)}]
    verdict.forbid("jobs told under another id", other)


def report(todo: Plan, verdict: Verdict, seconds: float) -> None:
    """Prints one line a figure, then what is wrong."""
    print(f"\n{'seed':<52}{todo.seed}")
    print(f"{'kills':<52}{len(todo.kills)}")
    for what, figure in verdict.figures.items():
        print(f"{what:<52}{figure}")
    print(f"{'seconds':<52}{seconds:.0f}")
    for violation in verdict.violations:
        print(f"VIOLATION  {violation}")
    if verdict.violations:
        print(f"again: --kills {len(todo.kills)} --jobs {len(todo.jobs)} --seed {todo.seed}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one campaign; the exit status says whether every promise held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    asked = parser.parse_args(arguments)
    todo = plan(asked.seed, asked.jobs, asked.kills)
    folder = Path(tempfile.mkdtemp(prefix="kill9-"))
    began = time.monotonic()
    print(f"seed {todo.seed}: {len(todo.kills)} kills, {len(todo.jobs)} jobs, in {folder}")
    verdict = asyncio.run(campaign(todo, folder))
    report(todo, verdict, time.monotonic() - began)
    if not verdict.violations:
        shutil.rmtree(folder)
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
