"""A plain HTTP client of the engine: real requests, whole answers, server-sent events."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})


@dataclass(frozen=True)
class Answer:
    """One reply, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error of the documented shape. Raises `AssertionError` on any other body."""
        parsed = self.json
        assert set(parsed) == {"error"}
        error: dict[str, Any] = parsed["error"]
        assert {"type", "code", "message", "param", "request_id"} <= set(error)
        assert error["request_id"] == self.headers["x-request-id"]
        return error


@dataclass(frozen=True)
class Frame:
    """One server-sent event; an error frame has no id."""

    id: str
    event: str
    data: dict[str, Any]


def chat(prompt: str = "Say hello.", **changes: Any) -> dict[str, Any]:
    """A job submission of one small chat completion; `changes` are fields of the submission."""
    messages = [{"role": "user", "content": prompt}]
    body = {"model": "alpha", "messages": messages, "max_tokens": 100}
    return {"endpoint": "/v1/chat/completions", "body": body, **changes}


class Client:
    """One API key's view of an engine."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, api_key: str | None) -> None:
        self.session, self.base_url, self.api_key = session, base_url, api_key

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends `body` as JSON, or `content` as it is."""
        if body is not None:
            content = json.dumps(body).encode()
        async with self.session.request(
            method,
            self.base_url + path,
            data=None if content is None else io.BytesIO(content),
            headers={**self._credentials(), "content-type": "application/json", **(headers or {})},
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.send("GET", path, headers=headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return await self.send("POST", path, body, headers=headers)

    async def submit(self, submission: dict[str, Any] | None = None, **headers: str) -> str:
        """Submits a job that is accepted and returns its id."""
        reply = await self.post("/v1/jobs", submission or chat(), **headers)
        assert reply.status == 202, reply.body
        job_id: str = reply.json["id"]
        return job_id

    async def job(self, job_id: str) -> dict[str, Any]:
        """The job as it is."""
        job: dict[str, Any] = (await self.get(f"/v1/jobs/{job_id}")).json
        return job

    async def finished(self, job_id: str, timeout: float = 20) -> dict[str, Any]:
        """The job once it has ended."""
        job: dict[str, Any] = (await self.get(f"/v1/jobs/{job_id}?wait={timeout}")).json
        assert job["status"] in ENDED, job
        return job

    async def running(self, job_id: str) -> None:
        """Returns once a worker has the job."""
        async with asyncio.timeout(10):
            while (await self.job(job_id))["status"] != "running":
                await asyncio.sleep(0.01)

    async def balance(self) -> dict[str, Any]:
        balance: dict[str, Any] = (await self.get("/v1/billing/balance")).json
        return balance

    async def charges(self, job_id: str) -> list[dict[str, Any]]:
        async with asyncio.timeout(20):
            while (reply := await self.get(f"/v1/billing/charges?job_id={job_id}")).status == 503:
                await asyncio.sleep(0.1)  # the read models are made for the first time
        charges: list[dict[str, Any]] = reply.json["data"]
        return charges

    async def timeline(self, job_id: str) -> list[str]:
        """The names of the job's events."""
        reply = await self.get(f"/v1/jobs/{job_id}/events")
        return [entry["type"] for entry in reply.json["data"]]

    async def frames(self, job_id: str, last_event_id: str | None = None) -> AsyncIterator[Frame]:
        """The job's live timeline, until the server ends it."""
        headers = {**self._credentials(), "accept": "text/event-stream"}
        if last_event_id is not None:
            headers["last-event-id"] = last_event_id
        url = f"{self.base_url}/v1/jobs/{job_id}/events"
        async with self.session.get(url, headers=headers) as response:
            assert response.status == 200
            fields: dict[str, str] = {}
            async for line in response.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "data" in fields:
                    yield Frame(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
                    fields = {}

    def with_key(self, api_key: str | None) -> "Client":
        """The same engine under another key."""
        return Client(self.session, self.base_url, api_key)

    async def account(self, credit_usd: str | None = "10.00", name: str = "Acme") -> "Account":
        """Opens an account with credit; this client must be an administrator's."""
        reply = await self.post("/admin/accounts", {"name": name})
        assert reply.status == 201, reply.body
        opened = Account(self, reply.json["account"]["id"], reply.json["api_key"])
        if credit_usd is not None:
            await opened.credit(credit_usd)
        return opened

    def _credentials(self) -> dict[str, str]:
        return {} if self.api_key is None else {"authorization": f"Bearer {self.api_key}"}


class Account(Client):
    """An account's owner."""

    def __init__(self, admin: Client, account_id: str, api_key: str) -> None:
        super().__init__(admin.session, admin.base_url, api_key)
        self.admin, self.account_id = admin, account_id

    async def credit(self, usd: str) -> None:
        """Gets credit from the administrator."""
        path = f"/admin/accounts/{self.account_id}/credits"
        reply = await self.admin.post(path, {"amount_usd": usd, "reason": "test"})
        assert reply.status == 201, reply.body

    async def key(self, *scopes: str) -> tuple[str, Client]:
        """Makes another key of the account; returns its id and a client under it."""
        reply = await self.post("/v1/keys", {"name": "second", "scopes": list(scopes)})
        assert reply.status == 201, reply.body
        return reply.json["key"]["id"], self.with_key(reply.json["api_key"])


@asynccontextmanager
async def client(base_url: str, api_key: str | None) -> AsyncIterator[Client]:
    """A client with a session of its own."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield Client(session, base_url, api_key)
