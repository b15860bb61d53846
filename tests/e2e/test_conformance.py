"""No route reaches a provider without a hold, and none leaves without a terminal event.

Whoever adds an endpoint adds its body here: the list is compared with that of the engine.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from domain.inference.events import ENDPOINTS, TERMINAL, Endpoint, JobAccepted, JobStarted
from tests.support.client import Account
from tests.support.engine import RunningEngine, running_engine
from tests.support.scripted_provider import Reply, Seen, answer, error

MESSAGES = [{"role": "user", "content": "Say it."}]
BODIES: dict[Endpoint, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "alpha", "messages": MESSAGES},
    "/v1/embeddings": {"model": "embed", "input": "one"},
    "/v1/completions": {"model": "alpha", "prompt": "Say it.", "max_tokens": 20},
    "/v1/messages": {"model": "alpha", "messages": MESSAGES, "max_tokens": 20},
    "/v1/responses": {"model": "alpha", "input": "Say it."},
}
STREAMED = [endpoint for endpoint in ENDPOINTS if endpoint != "/v1/embeddings"]
# How a provider may behave, and whether the answer is to be had then.
PROVIDERS: dict[str, tuple[Reply, bool]] = {
    "answers": (answer(), True),
    "fails": (error(500), False),
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Witness:
    """Stands in front of a provider's reply and looks at the log and the wallet meanwhile."""

    engine: RunningEngine
    account: Account
    seen: list[tuple[int, list[type]]] = field(default_factory=list)

    def watching(self, reply: Reply) -> Reply:
        async def watched(request: web.Request, seen: Seen) -> web.StreamResponse:
            store = self.engine.engine.ports.store
            wallet = await store.wallet(self.account.account_id)
            events = await store.read_stream(request.headers["x-request-id"])
            self.seen.append((wallet.held, [type(recorded.event) for recorded in events]))
            return await reply(request, seen)

        return watched

    async def ended(self) -> None:
        """Every job of the account has ended once, and nothing is held."""
        store = self.engine.engine.ports.store
        jobs = (await self.account.get("/v1/jobs?limit=100")).json["data"]
        assert jobs
        for job in jobs:
            await self.account.finished(job["id"])
            history = await store.read_stream(job["id"])
            assert sum(isinstance(recorded.event, TERMINAL) for recorded in history) == 1
            assert isinstance(history[-1].event, TERMINAL)
        assert (await store.wallet(self.account.account_id)).held == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningEngine]:
    never = {"consecutive_failures": 10**6, "minimum_requests": 10**6}
    folder: Path = tmp_path_factory.mktemp("conformance")
    async with running_engine(folder / "data", breaker=never) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", params=PROVIDERS)
async def witness(engine: RunningEngine, request: pytest.FixtureRequest) -> Witness:
    reply, _ = PROVIDERS[request.param]
    engine.upstream.forget()
    made = Witness(engine, await engine.account())
    engine.upstream.default = made.watching(reply)
    return made


def held(witness: Witness) -> None:
    """Each call was made while the job was accepted, started and held for."""
    assert witness.seen
    for amount, events in witness.seen:
        assert amount > 0
        assert events[:2] == [JobAccepted, JobStarted]


async def test_every_endpoint_is_looked_at() -> None:
    assert set(BODIES) == set(ENDPOINTS)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_request_for_a_whole_answer(witness: Witness, endpoint: Endpoint) -> None:
    await witness.account.post(endpoint, BODIES[endpoint])
    held(witness)
    await witness.ended()


@pytest.mark.parametrize("endpoint", STREAMED)
async def test_a_request_for_a_stream(witness: Witness, endpoint: Endpoint) -> None:
    await witness.account.post(endpoint, {**BODIES[endpoint], "stream": True})
    held(witness)
    await witness.ended()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_job(witness: Witness, endpoint: Endpoint) -> None:
    job_id = await witness.account.submit({"endpoint": endpoint, "body": BODIES[endpoint]})
    await witness.account.finished(job_id)
    held(witness)
    await witness.ended()


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_response_in_the_background(witness: Witness, streamed: bool) -> None:
    body = {**BODIES["/v1/responses"], "background": True, "stream": streamed}
    reply = await witness.account.post("/v1/responses", body)
    assert reply.status == 200, reply.body
    await witness.ended()
    held(witness)
