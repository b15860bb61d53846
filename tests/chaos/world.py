"""What stands around the engine in a campaign: customers, an upstream and a webhook receiver."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import aiohttp
from aiohttp import web

from tests.chaos.plan import JobPlan, Plan
from tests.support.client import Account, Answer, Client
from tests.support.engine import ADMIN_KEY, EngineProcess
from tests.support.scripted_provider import Seen, answer, error
from tests.support.webhook_receiver import Reply, WebhookReceiver

PAUSE_SECONDS = 0.03
# How many of a hundred webhooks are answered with a 500.
FAILED_WEBHOOKS = 5


class Upstream:
    """Answers each job after its nature; a flaky one fails at the first call."""

    def __init__(self, campaign: Plan) -> None:
        self.calls: Counter[int] = Counter()
        self._jobs = campaign.jobs

    async def reply(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        job = self._jobs[int(seen.body["messages"][0]["content"].split()[1])]
        self.calls[job.number] += 1
        if job.nature == "refused":
            return await error(400)(request, seen)
        if job.nature == "flaky" and self.calls[job.number] == 1:
            return await error(503)(request, seen)
        return await answer(job.answer, delay=job.delay)(request, seen)


class Customers:
    """Submits every job of the plan, as many at a time as `release` allows, until accepted.

    A customer whose connection broke cannot know whether the job was accepted, and sends it again
    under the same Idempotency-Key.
    """

    def __init__(
        self, engine: EngineProcess, campaign: Plan, session: aiohttp.ClientSession, hook: str
    ) -> None:
        self.accepted: dict[int, str] = {}
        self.resent = 0
        self._engine, self._campaign, self._session, self._hook = engine, campaign, session, hook
        self._owner: Account | None = None
        self._released = asyncio.Semaphore(0)

    @property
    def owner(self) -> Account:
        """The account that pays for the campaign, wherever the engine listens now."""
        assert self._owner is not None
        return Account(self._admin(), self._owner.account_id, self._owner.api_key or "")

    async def open_account(self) -> None:
        self._owner = await self._admin().account("1000.00", "Chaos")

    def release(self, jobs: int) -> None:
        """Lets so many more jobs be submitted."""
        for _ in range(jobs):
            self._released.release()

    async def run(self) -> None:
        """Returns when every job is accepted and every cancellation answered."""
        async with asyncio.TaskGroup() as customers:
            for job in self._campaign.jobs:
                await self._released.acquire()
                customers.create_task(self._submit(job))

    async def persistently(self, ask: Callable[[Account], Awaitable[Answer]]) -> Answer:
        """Asks until the engine is there to answer."""
        while True:
            try:
                reply = await ask(self.owner)
                if reply.status != 503:
                    return reply
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.resent += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def _submit(self, job: JobPlan) -> None:
        submission = job.submission(self._hook)
        headers = {"idempotency-key": job.key}
        reply = await self.persistently(lambda me: me.post("/v1/jobs", submission, **headers))
        assert reply.status == 202, reply.body
        self.accepted[job.number] = reply.json["id"]
        if job.cancel_after is not None:
            await asyncio.sleep(job.cancel_after)
            path = f"/v1/jobs/{reply.json['id']}/cancel"
            answered = await self.persistently(lambda me: me.post(path))
            assert answered.status in {200, 409}, answered.body

    def _admin(self) -> Client:
        return Client(self._session, self._engine.base_url, ADMIN_KEY)


def answer_webhooks(receiver: WebhookReceiver, random: Random, messages: int) -> None:
    """Gives the receiver its answers: mostly 200, now and then a 500."""
    receiver.answer(
        *(Reply(500 if random.random() * 100 < FAILED_WEBHOOKS else 200) for _ in range(messages))
    )
