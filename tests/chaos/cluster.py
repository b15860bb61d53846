"""Breaks a cluster in every way that its plan knows while jobs run, and judges what is left.

    python -m tests.chaos.cluster --jobs 2000 --seed 7

The seed decides every job and every fault. Exit status 1 means that a promise was broken; the
folder with all data and logs is then kept.
"""

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.relay import PostgresRelayProgress
from domain.access.events import AccountOpened
from domain.billing.events import CreditGranted
from domain.errors import StoreUnavailable
from domain.inference.events import JobFailed
from domain.money import usd_to_picodollars
from domain.ports.read_models import ReadModelUnavailable
from infra.cluster.storage import open_cluster_storage
from infra.settings import Settings
from infra.storage import Storage
from tests.chaos.cluster_faults import Chaos
from tests.chaos.cluster_keeper import Keeper
from tests.chaos.cluster_oracle import check_webhooks, inspect_cluster, to_be_told
from tests.chaos.cluster_plan import LONG, SHORT, ClusterPlan, cluster_plan
from tests.chaos.cluster_world import ClusterCustomers, MoodyReceiver, customers_session
from tests.chaos.oracle import History, Verdict, read_history
from tests.chaos.world import Upstream
from tests.support.client import ENDED
from tests.support.cluster import NodeProcess, Role, running_cluster
from tests.support.scripted_provider import ScriptedProvider

NODES: tuple[Role, ...] = (
    *("api", "api", "api"),
    *("work", "work", "work"),
    *("project", "project"),
    *("relay", "relay"),
)
# Partitions so few that they get long, leases that a frozen worker outlives, and webhooks that are
# tried for as long as a receiver fails.
SETTINGS: dict[str, Any] = {
    "kafka": {"partitions": 3},
    "dispatch": {"lease_seconds": 4, "drain_timeout": 3},
    "webhooks": {
        "allow_private_targets": True,
        "timeout": 3,
        "retry_schedule": [0.2, 0.5, 1, 2, *(4,) * 12],
    },
    "storage": {"durability": "disk"},
    # One provider fails so often here that a breaker would leave jobs without any.
    "breaker": {"consecutive_failures": 10**6, "minimum_requests": 10**6},
}
# How jobs may fail: only those that the upstream refuses for what is in them.
CUSTOMERS_OWN = {"invalid_request"}
DRAIN_SECONDS = 120.0
LOOK_SECONDS = 0.5
ASKED_AT_ONCE = 40


async def campaign(todo: ClusterPlan, folder: Path) -> Verdict:
    """Runs a campaign in an empty folder that every OS user can enter, and judges it."""
    random = Random(todo.seed)  # noqa: S311 - replayable
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(ScriptedProvider())
        upstream.default = (behaviour := Upstream(todo)).reply
        receiver = await stack.enter_async_context(MoodyReceiver(Random(todo.seed)))  # noqa: S311
        cluster = await stack.enter_async_context(
            running_cluster(folder, upstream.base_url, NODES, **SETTINGS)
        )
        keeper = Keeper(cluster)
        session = await stack.enter_async_context(customers_session())
        customers = ClusterCustomers(lambda: keeper.address(random), todo, session, receiver)
        settings = cluster.settings()
        chaos = Chaos(cluster, settings, keeper, receiver)
        early = Verdict()
        await _break_everything(todo, customers, chaos, random)
        await drained(settings, receiver, early)
        await _check_answers(customers, todo, early)
        await keeper.stop()
        early.forbid("nodes that ended by themselves", keeper.fallen)
        # What the others record at their end is relayed and projected too.
        ill = await ended(cluster.of("api", "work"))
        await drained(settings, receiver, early)
        ill += await ended(cluster.of("project", "relay"))
        early.forbid("nodes that did not end well after SIGTERM", ill)
        verdict, history = await inspect_cluster(settings)
    ids = {recorded.stream for recorded in history.log}
    verdict.forbid("accepted jobs that are lost", sorted({*customers.accepted.values()} - ids))
    verdict.forbid("replies that nobody should get", customers.broken)
    faulty = [r for r in history.of(JobFailed) if r.event.failure.code not in CUSTOMERS_OWN]
    verdict.forbid("jobs that failed by our own fault", [f"{r.stream}: {r.event}" for r in faulty])
    _check_credits(history, customers, todo, verdict)
    check_webhooks(history, receiver, customers.secrets, verdict)
    _note_figures(chaos, customers, verdict)
    verdict.figures["upstream calls"] = sum(behaviour.calls.values())
    verdict.figures |= early.figures
    verdict.violations += early.violations
    return verdict


async def _break_everything(
    todo: ClusterPlan, customers: ClusterCustomers, chaos: Chaos, random: Random
) -> None:
    """All jobs and all faults; afterwards everything runs."""
    chaos.keeper.start()
    looking = asyncio.create_task(customers.look_around(random))
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(customers.run())
            both.create_task(chaos.run(todo))
        await chaos.keeper.all_up()
    finally:
        looking.cancel()
        await asyncio.wait({looking})
    if not looking.cancelled():
        looking.result()


async def drained(settings: Settings, receiver: MoodyReceiver, verdict: Verdict) -> None:
    """Waits until nothing is left to do; notes what is, should it take too long."""
    began = time.monotonic()
    async with open_cluster_storage(settings) as storage:
        while True:
            try:
                left = await _left(storage, receiver, verdict)
            except (StoreUnavailable, ReadModelUnavailable) as error:
                left = {str(error): 1}
            seconds = time.monotonic() - began
            if not any(left.values()) or seconds > DRAIN_SECONDS:
                break
            await asyncio.sleep(LOOK_SECONDS)
    verdict.figures.setdefault("seconds to drain", round(seconds, 1))
    verdict.forbid("left undone", [f"{what}: {count}" for what, count in left.items() if count])


async def _left(
    storage: Storage[PostgresEventStore], receiver: MoodyReceiver, verdict: Verdict
) -> dict[str, int]:
    """What is left to do, by what it is."""
    store = storage.store
    head, relayed = await store.head(), await PostgresRelayProgress(store).load()
    generations = await storage.read_models.generations()
    left = {
        "waiting jobs": len(await store.backlog("dispatch")),
        "waiting deliveries": len(await store.backlog("webhooks")),
        "events to relay": head - relayed,
        "events to project": sum(head - one.position for one in generations if one.is_active),
    }
    if not any(left.values()):
        expected = to_be_told(await read_history(store, verdict))
        left["webhooks to schedule"] = len(expected.keys() - receiver.by_path().keys())
    return left


async def _check_answers(customers: ClusterCustomers, todo: ClusterPlan, verdict: Verdict) -> None:
    """Every job has ended, as any node tells, and those that succeeded have their own answer."""
    turn, jobs = asyncio.Semaphore(ASKED_AT_ONCE), {job.number: job for job in todo.jobs}
    unended, changed, wrong = list[str](), list[str](), list[str]()

    async def check(number: int, job_id: str) -> None:
        job, path = jobs[number], f"/v1/jobs/{job_id}"
        async with turn:
            reply = await customers.persistently(lambda me: me.get(path), job.account)
            status = reply.json["status"]
            if status not in ENDED:
                unended.append(job_id)
            if customers.told.get(number, status) != status:
                changed.append(f"{job_id}: {customers.told[number]}, then {status}")
            if status == "succeeded":
                result = await customers.persistently(
                    lambda me: me.get(f"{path}/result"), job.account
                )
                if result.json["choices"][0]["message"]["content"] != job.answer:
                    wrong.append(job_id)

    await asyncio.gather(*(check(*one) for one in customers.accepted.items()))
    verdict.forbid("jobs that are said to run", unended)
    verdict.figures["customers who waited for the end"] = len(customers.told)
    verdict.forbid("jobs that ended in one way and then in another", changed)
    verdict.forbid("answers that are not the job's own", wrong)


def _check_credits(
    history: History, customers: ClusterCustomers, todo: ClusterPlan, verdict: Verdict
) -> None:
    """Every account got its credit once, and those whose key got lost got none."""
    granted: Counter[str] = Counter()
    for recorded in history.of(CreditGranted):
        granted[recorded.account_id] += recorded.event.picodollars
    planned = {
        account.account_id: usd_to_picodollars(todo.accounts[number].credit_usd)
        for number, account in customers.accounts.items()
    }
    verdict.figures["accounts opened"] = len(history.of(AccountOpened))
    wrong = [one for one in granted | planned if granted[one] != planned.get(one)]
    verdict.forbid("accounts with other credit than they were given", wrong)


async def ended(nodes: Sequence[NodeProcess]) -> list[str]:
    statuses = await asyncio.gather(*(node.stop() for node in nodes), return_exceptions=True)
    return [f"{n.name}: {s}" for n, s in zip(nodes, statuses, strict=True) if s != 0]


def _note_figures(chaos: Chaos, customers: ClusterCustomers, verdict: Verdict) -> None:
    for kind, count in sorted(chaos.done.items()):
        verdict.figures[kind] = count
    verdict.figures["faults that could not be"] = sum(chaos.missed.values())
    verdict.figures["kills of nodes"] = chaos.kills
    verdict.figures["node starts"] = sum(n.starts for n in chaos.cluster.nodes.values())
    verdict.figures["starts in vain"] = chaos.keeper.false_starts
    verdict.figures["jobs refused for want of credit"] = len(customers.refused)
    verdict.figures["jobs sent to two nodes at once"] = customers.sent_twice
    verdict.figures["requests sent again"] = customers.resent


def report(todo: ClusterPlan, verdict: Verdict, seconds: float) -> None:
    """Prints one line a figure, then what is wrong."""
    print(f"\n{'seed':<60}{todo.seed}")
    print(f"{'jobs':<60}{len(todo.jobs)}")
    for what, figure in verdict.figures.items():
        print(f"{what:<60}{figure}")
    print(f"{'seconds':<60}{seconds:.0f}")
    for violation in verdict.violations:
        print(f"VIOLATION  {violation}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one campaign; the exit status says whether every promise held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    parser.add_argument("--short", action="store_true", help="a handful of faults")
    asked = parser.parse_args(arguments)
    todo = cluster_plan(asked.seed, asked.jobs, SHORT if asked.short else LONG)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o755)  # PostgreSQL may have to run as another user
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of every broker killed
    began = time.monotonic()
    print(f"seed {todo.seed}: {len(todo.faults)} faults, {len(todo.jobs)} jobs, in {folder}")
    verdict = asyncio.run(campaign(todo, folder))
    report(todo, verdict, time.monotonic() - began)
    if verdict.violations:
        form = " --short" if asked.short else ""
        print(f"again: --jobs {asked.jobs} --seed {todo.seed}{form}; all logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
