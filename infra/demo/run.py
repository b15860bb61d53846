"""The scenario of the demo: submit, crash in the middle, start again, and look what is left."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Protocol, TypeVar

from infra.client import Client, Reply
from infra.demo.engine_process import EngineCommand, EngineProcess, last_words
from infra.demo.evidence import (
    Account,
    Log,
    Report,
    Submitted,
    findings,
    outcomes,
    read_account,
    spent,
)
from infra.demo.models import DemoModels
from infra.demo.prompts import Prompt
from infra.demo.receiver import Receiver
from infra.export import export_log
from infra.offline import open_log
from infra.proof import prove
from infra.settings import load_settings

CREDIT_USD = Decimal("100.00")
AT_ONCE = 16
# The crash comes when this share of the jobs is done; so few run at once, and the simulator is
# so slow, that the others are then waiting or running.
CRASH_AT = 1 / 3
IN_FLIGHT = 12
SIMULATED_LATENCY = "400ms"
T = TypeVar("T")
R = TypeVar("R")


class DemoFailed(Exception):
    """The scenario could not be played to its end."""


class Narrator(Protocol):
    """Who tells the story while it happens."""

    def say(self, text: str) -> None: ...

    def advance(self, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What to play: on which directory (empty, or to be made), with which prompts and models."""

    work: Path
    config: Path | None
    prompts: Sequence[Prompt]
    models: DemoModels
    patience_seconds: float = 45.0


async def run_demo(options: DemoOptions, narrator: Narrator) -> Report:
    """Plays the scenario. Raises `DemoFailed` and `EngineDidNotStart`."""
    admin_key = f"gw_live_{secrets.token_hex(24)}"
    command = _command(options, admin_key)
    async with Receiver() as receiver:
        try:
            async with asyncio.timeout(options.patience_seconds):
                scenario = _Scenario(options, command, receiver, narrator)
                return await scenario.play(admin_key)
        except TimeoutError as error:
            raise DemoFailed(
                f"{len(receiver.told)} of {len(options.prompts)} jobs were done after "
                f"{options.patience_seconds:g} s; the engine said:\n{last_words(command.log)}"
            ) from error


def _command(options: DemoOptions, admin_key: str) -> EngineCommand:
    environment = {
        "GATEWAYZ_BOOTSTRAP_ADMIN_KEY": admin_key,
        "GATEWAYZ_WEBHOOKS__ALLOW_PRIVATE_TARGETS": "true",
        "GATEWAYZ_DISPATCH__CONCURRENCY": str(IN_FLIGHT),
        "GATEWAYZ_SIMULATOR__LATENCY": SIMULATED_LATENCY,
        "GATEWAYZ_LOGGING__LEVEL": "warning",
    }
    data = options.work / "data"
    return EngineCommand(data, options.config, environment, options.work / "engine.log")


@dataclass(slots=True)
class _Scenario:
    options: DemoOptions
    command: EngineCommand
    receiver: Receiver
    narrator: Narrator

    async def play(self, admin_key: str) -> Report:
        begun = time.monotonic()
        async with self._engine() as (engine, url):
            api_key = await self._open_account(url, admin_key)
            first = await self._submit(url, api_key)
            done = await self._crash(engine)
        self.narrator.say(f"SIGKILL with {done} done; starting again on the same directory")
        async with self._engine() as (engine, url):
            again = await self._submit(url, api_key)
            await self._until_told(len(first))
            async with Client(url, api_key) as client:
                account = await read_account(client, CREDIT_USD)
            await engine.stop()
        self.narrator.say("replaying the log beside the read models")
        log = await self._examine_log()
        submitted = Submitted(_ids(first), _ids(again), sum(map(_is_replay, again)))
        return self._report(submitted, account, log, done, time.monotonic() - begun)

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[tuple[EngineProcess, str]]:
        engine = await EngineProcess.start(self.command)
        try:
            yield engine, engine.url
        finally:
            await engine.kill()

    async def _open_account(self, url: str, admin_key: str) -> str:
        async with Client(url, admin_key) as admin:
            opened = await admin.post("/admin/accounts", {"name": "Demo"})
            credit = {"amount_usd": str(CREDIT_USD), "reason": "demo"}
            await admin.post(f"/admin/accounts/{opened['account']['id']}/credits", credit)
        api_key: str = opened["api_key"]
        async with Client(url, api_key) as client:
            secret = await client.get("/v1/webhook_endpoints/default/secret")
        self.receiver.verify_with(secret["key"])
        return api_key

    async def _submit(self, url: str, api_key: str) -> list[Reply]:
        async with Client(url, api_key) as client:

            async def submit(numbered: tuple[int, Prompt]) -> Reply:
                number, prompt = numbered
                return await client.send(
                    "POST",
                    "/v1/jobs",
                    body=self._job(prompt),
                    headers={"idempotency-key": f"demo-{number}"},
                )

            return await _side_by_side(submit, list(enumerate(self.options.prompts)))

    def _job(self, prompt: Prompt) -> Mapping[str, object]:
        return {
            "endpoint": prompt.endpoint,
            "body": prompt.body(self.options.models.serving(prompt.endpoint)),
            "webhook": {"url": self.receiver.url},
            "metadata": {"category": prompt.category},
        }

    async def _crash(self, engine: EngineProcess) -> int:
        await self._until_told(max(1, int(len(self.options.prompts) * CRASH_AT)))
        await engine.kill()
        return len(self.receiver.told)

    async def _until_told(self, jobs: int) -> None:
        total = len(self.options.prompts)
        for count in range(len(self.receiver.told), jobs + 1):
            await self.receiver.told_of(count)
            self.narrator.advance(len(self.receiver.told), total)

    async def _examine_log(self) -> Log:
        settings = load_settings(self.options.config, data_dir=self.command.data)
        proof = await prove(settings, (), _ignore, drained=True)
        with open_log(settings) as reader:
            chain = export_log(reader, BytesIO(), _ignore)
        return Log(chain.position, chain.head, proof)

    def _report(
        self, submitted: Submitted, account: Account, log: Log, done: int, seconds: float
    ) -> Report:
        models = self.options.models
        if not account.charges:
            raise DemoFailed(
                f"none of {len(account.jobs)} jobs was answered{_first_error(account)}"
            )
        return Report(
            provider=str(account.charges[0]["provider"]),
            models=[models.chat, models.embedding],
            jobs=len(account.jobs),
            outcomes=outcomes(account),
            done_at_the_crash=done,
            seconds=round(seconds, 1),
            spent_usd=str(spent(account)),
            charge=max(account.charges, key=lambda charge: Decimal(charge["amount_usd"])),
            log_position=log.position,
            log_head=log.head,
            findings=list(findings(submitted, account, self.receiver, log)),
        )


async def _side_by_side(work: Callable[[T], Awaitable[R]], items: Sequence[T]) -> list[R]:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> R:
        async with free:
            return await work(item)

    return await asyncio.gather(*(one(item) for item in items))


def _ids(replies: Sequence[Reply]) -> list[str]:
    return [reply.body["id"] for reply in replies]


def _first_error(account: Account) -> str:
    errors = (job["error"]["message"] for job in account.jobs if job["error"])
    return next((f"; the first error: {message}" for message in errors), "")


def _is_replay(reply: Reply) -> bool:
    return reply.headers.get("idempotent-replayed") == "true"


def _ignore(_done: int, _total: int) -> None:
    """The log of a demo is read in an instant."""
