"""What stands around the engine in a campaign: customers, an upstream and a webhook receiver."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import aiohttp
from aiohttp import web

from tests.chaos.plan import JobPlan, Plan
from tests.support.client import Account, Answer, Client
from tests.support.engine import ADMIN_KEY
from tests.support.scripted_provider import Seen, answer, error
from tests.support.webhook_receiver import Reply, WebhookReceiver

PAUSE_SECONDS = 0.03
# How many of a hundred webhooks are answered with a 500.
FAILED_WEBHOOKS = 5
# After so many replies that should never come they are not waited out any more.
MAX_BROKEN = 100


class Upstream:
    """Answers each job after its nature; a flaky one fails at the first call."""

    def __init__(self, campaign: Plan) -> None:
        self.calls: Counter[int] = Counter()
        self._jobs = {job.number: job for job in campaign.jobs}

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
    under the same Idempotency-Key. `address` gives the base URL to ask next.
    """

    def __init__(
        self,
        address: Callable[[], str],
        campaign: Plan,
        session: aiohttp.ClientSession,
        hook: str,
    ) -> None:
        self.accepted: dict[int, str] = {}
        self.resent = 0
        # Replies that no customer should ever get.
        self.broken: list[str] = []
        self._address, self._campaign, self._session, self._hook = address, campaign, session, hook
        self.accounts: dict[int, Account] = {}
        self._released = asyncio.Semaphore(0)

    def owner(self, number: int = 0) -> Account:
        """An account that pays for the campaign, wherever an engine listens now."""
        opened = self.accounts[number]
        return Account(self.admin(), opened.account_id, opened.api_key or "")

    async def open_account(self) -> None:
        """Opens the first account; nothing may fail meanwhile."""
        self.accounts[0] = await self.admin().account("1000.00", "Chaos")

    def release(self, jobs: int) -> None:
        """Lets so many more jobs be submitted."""
        for _ in range(jobs):
            self._released.release()

    async def run(self) -> None:
        """Returns when every job is accepted and every cancellation answered."""
        async with asyncio.TaskGroup() as customers:
            for job in self._campaign.jobs:
                await self._released.acquire()
                customers.create_task(self.submit(job))

    async def persistently(
        self, ask: Callable[[Account], Awaitable[Answer]], account: int = 0
    ) -> Answer:
        """What an account asks, until an engine is there to answer."""
        return await self.insist(lambda: ask(self.owner(account)))

    async def insist(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Asks until an engine is there to answer."""
        while True:
            try:
                reply = await ask()
                if reply.status < 500 or len(self.broken) > MAX_BROKEN:
                    return reply
                if reply.status != 503:
                    self.broken.append(f"{reply.status} {reply.body[:500]!r}")
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.resent += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def submit(self, job: JobPlan) -> None:
        """Submits a job until it is accepted, and cancels it if that is planned."""
        reply = await self.send(job)
        assert reply.status == 202, reply.body
        self.accepted[job.number] = reply.json["id"]
        if job.cancel_after is not None:
            await asyncio.sleep(job.cancel_after)
            path = f"/v1/jobs/{reply.json['id']}/cancel"
            answered = await self.persistently(lambda me: me.post(path), job.account)
            assert answered.status in {200, 409}, answered.body

    async def send(self, job: JobPlan) -> Answer:
        """The first answer to the submission of a job."""
        submission, headers = job.submission(self._hook), {"idempotency-key": job.key}
        return await self.persistently(
            lambda me: me.post("/v1/jobs", submission, **headers), job.account
        )

    def admin(self) -> Client:
        """The administrator, wherever an engine listens now."""
        return Client(self._session, self._address(), ADMIN_KEY)


def answer_webhooks(receiver: WebhookReceiver, random: Random, messages: int) -> None:
    """Gives the receiver its answers: mostly 200, now and then a 500."""
    receiver.answer(
        *(Reply(500 if random.random() * 100 < FAILED_WEBHOOKS else 200) for _ in range(messages))
    )
