"""What stands around a cluster in a campaign: customers of many accounts, and their receivers."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from tests.chaos.cluster_plan import AccountPlan, ClusterPlan
from tests.chaos.plan import JobPlan
from tests.chaos.world import FAILED_WEBHOOKS, Customers
from tests.support.client import ENDED, Account, Answer
from tests.support.webhook_receiver import Reply, WebhookReceiver

# How often somebody looks at what the read models say, and at what.
LOOK_SECONDS = 0.25
LOOKS = (
    "/v1/jobs?limit=5",
    "/v1/billing/balance",
    "/v1/billing/charges?limit=3",
    "/v1/webhook_deliveries?limit=3",
    "/v1/keys",
)
LOOKED_AT = {200, 503}
REQUEST_SECONDS = 10
WAIT_SECONDS = 6
# A webhook that is answered after so long counts as failed.
SLOW_SECONDS = 4.0


class ClusterCustomers(Customers):
    """Submits every job at its moment, each request to any of the nodes.

    `refused` are the jobs that their account had no credit for.
    """

    def __init__(
        self,
        address: Callable[[], str],
        campaign: ClusterPlan,
        session: aiohttp.ClientSession,
        receiver: WebhookReceiver,
    ) -> None:
        super().__init__(address, campaign, session, f"{receiver.url}/own")
        self.refused: set[int] = set()
        self.sent_twice = 0
        # What customers were told who waited for the end of their job.
        self.told: dict[int, str] = {}
        # The signing secret of each path that an endpoint is at.
        self.secrets: dict[str, str] = {}
        self._plan, self._receiver = campaign, receiver
        self._opening = {account.number: asyncio.Lock() for account in campaign.accounts}

    async def run(self) -> None:
        """Returns when every job is accepted or refused, and every cancellation answered."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as customers:
            for job in self._plan.jobs:
                left = began + job.at - asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, left))
                customers.create_task(self.submit(job))

    async def submit(self, job: JobPlan) -> None:
        async with self._opening[job.account]:
            if job.account not in self.accounts:
                await self._open(self._plan.accounts[job.account])
        if await self._is_refused(job):
            self.refused.add(job.number)
            return
        await super().submit(job)
        if job.watched:
            await self._watch(job, f"/v1/jobs/{self.accepted[job.number]}?wait={WAIT_SECONDS}")

    async def _open(self, planned: AccountPlan) -> None:
        """Opens an account, and another one where the key was in an answer that got lost."""
        api_key, tries = None, 0
        while api_key is None:
            tries += 1
            body, key = {"name": f"Chaos {planned.number}"}, f"account-{planned.number}-{tries}"
            reply = await self._create("/admin/accounts", body, key)
            account_id, api_key = reply["account"]["id"], reply["api_key"]
        credit = {"amount_usd": planned.credit_usd, "reason": "chaos"}
        await self._create(f"/admin/accounts/{account_id}/credits", credit, f"credit-{account_id}")
        opened = Account(self.admin(), account_id, api_key)
        if planned.has_endpoint:
            url = f"{self._receiver.url}/{planned.number}"
            endpoint = {"name": "chaos", "url": url, "event_types": ["*"]}
            reply = await self._create("/v1/webhook_endpoints", endpoint, "endpoint", opened)
            if reply["signing_secret"] is not None:
                self.secrets[f"/hook/{planned.number}"] = reply["signing_secret"]
        self.accounts[planned.number] = opened

    async def _create(
        self, path: str, body: dict[str, Any], key: str, by: Account | None = None
    ) -> Any:
        """Asks until it is made, under one Idempotency-Key, each time at any of the nodes."""

        def ask() -> Awaitable[Answer]:
            client = self.admin()
            client = client if by is None else client.with_key(by.api_key)
            return client.post(path, body, **{"idempotency-key": key})

        reply = await self.insist(ask)
        assert reply.status == 201, f"{path}: {reply.status} {reply.body!r}"
        return reply.json

    async def _watch(self, job: JobPlan, path: str) -> None:
        while job.number not in self.told:
            reply = await self.persistently(lambda me: me.get(path), job.account)
            if reply.status != 200:
                self.broken.append(f"{path}: {reply.status} {reply.body[:500]!r}")
                return
            if reply.json["status"] in ENDED:
                self.told[job.number] = reply.json["status"]

    async def _is_refused(self, job: JobPlan) -> bool:
        """Sends the job, once or twice at once; whether it was refused for want of credit."""
        self.sent_twice += job.twice
        replies = await asyncio.gather(*(self.send(job) for _ in range(1 + job.twice)))
        taken = {reply.json["id"] for reply in replies if reply.status == 202}
        if len(taken) > 1 or any(reply.status not in {202, 402} for reply in replies):
            self.broken += [f"job {job.number}: {r.status} {r.body[:500]!r}" for r in replies]
        return not taken

    async def look_around(self, random: Random) -> None:
        """Reads at random until cancelled: nobody may get anything but an answer or a 503."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self.accounts:
                continue
            owner, path = self.owner(random.choice([*self.accounts])), random.choice(LOOKS)
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                self._note(path, await owner.get(path))

    def _note(self, path: str, reply: Answer) -> None:
        if reply.status not in LOOKED_AT:
            self.broken.append(f"{path}: {reply.status} {reply.body[:500]!r}")


class MoodyReceiver(WebhookReceiver):
    """Mostly answers 200, and everything otherwise while it `is_failing` or `is_slow`."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.is_failing = self.is_slow = False
        self._random = random

    def by_path(self) -> dict[tuple[str, str], set[str]]:
        """The ids under which each path was told of each job."""
        told: dict[tuple[str, str], set[str]] = defaultdict(set)
        for one in self.received:
            told[one.path, one.message["data"]["id"]].add(one.message_id)
        return told

    async def _answered(self, request: web.Request) -> web.Response:
        fails = self.is_failing or self._random.random() * 100 < FAILED_WEBHOOKS
        self.answer(Reply(500 if fails else 200, delay=SLOW_SECONDS if self.is_slow else 0.0))
        return await super()._answered(request)


def customers_session() -> aiohttp.ClientSession:
    """Of customers who lose patience with a node that does not answer."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
    )
