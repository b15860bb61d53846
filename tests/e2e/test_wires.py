"""Both official clients, on all of their wires, served by hosts of every wire.

The same is asked, and the same is answered, whoever speaks: what is promised is that nobody can
tell which host it was, but by its abilities.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.support import scripted_anthropic, scripted_gemini
from tests.support.client import Account
from tests.support.engine import RunningEngine, running_engine
from tests.support.hosts import HOSTS, VECTORS, Call, Host, Said, answering
from tests.support.official import anthropic_client, openai_client
from tests.support.scripted_provider import stream
from tests.support.scripted_upstream import Answering, ScriptedUpstream, sending
from tests.support.wire_clients import CLIENTS, PIXEL, Place, WireClient

NEVER_OPEN = {"consecutive_failures": 10**6, "minimum_requests": 10**6}
CALLS = (
    Call("call_1", "weather", {"place": "Oslo"}),
    Call("call_2", "population", {"place": "Rome"}),
)
RESULTS = {"weather": "Rain in Oslo.", "population": "Three million in Rome."}
pytestmark = pytest.mark.asyncio(loop_scope="module")
MODES = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
EVERY_CLIENT = pytest.mark.parametrize("client_name", CLIENTS)
EVERY_HOST = pytest.mark.parametrize("host_name", HOSTS)


@dataclass
class Site:
    """The engine, and a host of each wire."""

    engine: RunningEngine
    upstreams: dict[str, ScriptedUpstream]
    openai: AsyncOpenAI
    anthropic: AsyncAnthropic


@dataclass
class Stage:
    """One client before one host, and what it pays."""

    client: WireClient
    host: Host
    upstream: ScriptedUpstream
    account: Account
    model: str

    def script(self, *said: Said, streamed: bool) -> None:
        self.upstream.script(*(self.host.says(one, streamed=streamed) for one in said))

    @property
    def asked(self) -> str:
        """The last body that the host saw, as text."""
        return self.upstream.requests[-1].content.decode()

    async def spent(self) -> Decimal:
        balance = await self.account.balance()
        assert balance["held_usd"] == "0.00"
        return Decimal("10.00") - Decimal(balance["available_usd"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        upstreams = {name: await stack.enter_async_context(ScriptedUpstream()) for name in HOSTS}
        providers: dict[str, Any] = {
            f"p-{name}": {
                "protocol": name,
                "base_url": upstreams[name].base_url + host.base_path,
                **host.settings,
            }
            for name, host in HOSTS.items()
        }
        prices = {"input": "1.00", "output": "2.00", "cache_read": "0.10"}
        models: dict[str, Any] = {
            f"wires/{name}": {
                "context_length": 200_000,
                "max_output_tokens": 8000,
                "offers": [{"provider": f"p-{name}", "native_id": host.native_id, **prices}],
            }
            for name, host in HOSTS.items()
        }
        models |= {
            f"wires/{name}-vectors": {
                "kind": "embedding",
                "offers": [{"provider": f"p-{name}", "native_id": "vectors-1", **prices}],
            }
            for name, host in HOSTS.items()
            if host.embeds is not None
        }
        engine = await stack.enter_async_context(
            running_engine(
                tmp_path_factory.mktemp("wires") / "data",
                more_providers=providers,
                more_models=models,
                breaker=NEVER_OPEN,
            )
        )
        one = await stack.enter_async_context(openai_client(engine.admin))
        other = await stack.enter_async_context(anthropic_client(engine.admin))
        yield Site(engine, upstreams, one, other)


@pytest_asyncio.fixture(loop_scope="module")
async def stage(site: Site, client_name: str, host_name: str) -> Stage:
    upstream = site.upstreams[host_name]
    upstream.forget()
    account = await site.engine.account()
    client = CLIENTS[client_name](
        site.openai.with_options(api_key=account.api_key),
        site.anthropic.with_options(api_key=account.api_key),
    )
    return Stage(client, HOSTS[host_name], upstream, account, f"wires/{host_name}")


@MODES
@EVERY_HOST
@EVERY_CLIENT
async def test_a_question_is_answered_counted_and_paid(stage: Stage, streamed: bool) -> None:
    stage.script(Said("Hello there, all of you."), streamed=streamed)
    question = stage.client.question("Say hello.")
    heard = await stage.client.ask(question, model=stage.model, streamed=streamed)
    assert heard.text == "Hello there, all of you."
    assert (heard.finish, heard.calls) == (stage.client.ends["stop"], [])
    counted = stage.host.counted
    assert heard.counts == (counted.input, counted.cached, counted.output)
    assert "Say hello." in stage.asked
    # Input at 1 USD a million, what was read from the cache at a tenth of it, output at 2 USD.
    fresh = counted.input - counted.cached
    cost = Decimal(fresh * 10 + counted.cached + counted.output * 20) / 10**7
    assert await stage.spent() == cost


@MODES
@EVERY_HOST
@EVERY_CLIENT
async def test_tools_are_called_at_once_and_their_results_taken(
    stage: Stage, streamed: bool
) -> None:
    stage.script(Said("Let me see.", calls=CALLS), Said("It rains."), streamed=streamed)
    question = stage.client.question("How is Oslo, and how large is Rome?")
    asked: dict[str, Any] = {
        "model": stage.model,
        "streamed": streamed,
        "tools": [stage.client.tool(name) for name in RESULTS],
    }
    heard = await stage.client.ask(question, **asked)
    assert [(name, given) for _, name, given in heard.calls] == [
        (call.name, call.given) for call in CALLS
    ]
    assert len({call_id for call_id, _, _ in heard.calls}) == 2
    assert (heard.text, heard.finish) == ("Let me see.", stage.client.ends["tools"])
    history = stage.client.going_on(question, heard, RESULTS)
    assert (await stage.client.ask(history, **asked)).text == "It rains."
    for told in (*RESULTS, *RESULTS.values(), "Oslo", "Rome", "Let me see."):
        assert told in stage.asked


@MODES
@EVERY_HOST
@EVERY_CLIENT
async def test_an_answer_is_held_to_a_schema(stage: Stage, streamed: bool) -> None:
    stage.script(Said('{"name": "Oslo", "people": 700000}'), streamed=streamed)
    question = stage.client.question("Which city?")
    heard = await stage.client.parse(question, model=stage.model, streamed=streamed)
    assert heard.parsed == Place(name="Oslo", people=700_000)
    assert '"people"' in stage.asked.replace("\\", "")


@MODES
@EVERY_HOST
@EVERY_CLIENT
async def test_an_image_is_seen(stage: Stage, streamed: bool) -> None:
    stage.script(Said("A pixel."), streamed=streamed)
    question = stage.client.question("What is it?", PIXEL)
    heard = await stage.client.ask(question, model=stage.model, streamed=streamed)
    assert heard.text == "A pixel."
    assert PIXEL in stage.asked.replace("\\/", "/")


@MODES
@EVERY_HOST
@EVERY_CLIENT
async def test_reasoning_is_shown_apart_from_the_answer(stage: Stage, streamed: bool) -> None:
    stage.script(Said("Seven.", thinking="Three and four are seven."), streamed=streamed)
    question = stage.client.question("Three and four?")
    more = stage.client.thinking()
    heard = await stage.client.ask(question, model=stage.model, streamed=streamed, **more)
    assert (heard.text, heard.thinking) == ("Seven.", "Three and four are seven.")


@MODES
@EVERY_HOST
@EVERY_CLIENT
async def test_an_answer_at_its_limit_says_so(stage: Stage, streamed: bool) -> None:
    stage.script(Said("Hello th", finish="length"), streamed=streamed)
    question = stage.client.question("Say hello.")
    heard = await stage.client.ask(question, model=stage.model, streamed=streamed)
    assert (heard.text, heard.finish) == ("Hello th", stage.client.ends["length"])


@MODES
@pytest.mark.parametrize("host_name", [name for name, host in HOSTS.items() if host.blocks])
@EVERY_CLIENT
async def test_what_a_host_blocks_is_told_as_blocked(stage: Stage, streamed: bool) -> None:
    stage.script(Said("I", finish="blocked"), streamed=streamed)
    question = stage.client.question("Say what must not be said.")
    heard = await stage.client.ask(question, model=stage.model, streamed=streamed)
    assert heard.finish == stage.client.ends["blocked"]
    assert await stage.spent() > 0


@MODES
@EVERY_HOST
@EVERY_CLIENT
async def test_what_a_host_refuses_is_an_error_of_the_client_s_kind(
    stage: Stage, streamed: bool
) -> None:
    stage.upstream.script(stage.host.refuses(400))
    kinds = (openai.BadRequestError, anthropic.BadRequestError)
    with pytest.raises(kinds) as refused:
        await stage.client.ask(
            stage.client.question("Say hello."), model=stage.model, streamed=streamed
        )
    assert "secret" not in str(refused.value)
    assert len(stage.upstream.requests) == 1
    assert await stage.spent() == 0


@MODES
@EVERY_HOST
@EVERY_CLIENT
async def test_a_host_that_fails_once_is_asked_again(stage: Stage, streamed: bool) -> None:
    stage.upstream.script(stage.host.refuses(500))
    stage.script(Said("Hello again."), streamed=streamed)
    question = stage.client.question("Say hello.")
    heard = await stage.client.ask(question, model=stage.model, streamed=streamed)
    assert heard.text == "Hello again."
    assert len(stage.upstream.requests) == 2


@pytest.mark.parametrize("host_name", [name for name, host in HOSTS.items() if host.embeds])
async def test_texts_are_embedded_by_hosts_of_other_wires(site: Site, host_name: str) -> None:
    upstream, account = site.upstreams[host_name], await site.engine.account()
    upstream.forget()
    upstream.script(sending(HOSTS[host_name].embeds or {}))
    client = site.openai.with_options(api_key=account.api_key)
    # The client asks for base64 of its own accord.
    reply = await client.embeddings.create(model=f"wires/{host_name}-vectors", input=["one", "two"])
    assert [row.embedding for row in reply.data] == VECTORS
    assert reply.usage.prompt_tokens > 0
    assert (await account.balance())["held_usd"] == "0.00"


def _slowly_gemini() -> Answering:
    items = [scripted_gemini.item(scripted_gemini.said(word)) for word in ("One ", "two ", "three")]
    counts = {"promptTokenCount": 900, "cachedContentTokenCount": 600, "candidatesTokenCount": 2}
    counted = [{**one, "usageMetadata": counts} for one in items]
    return answering(scripted_gemini.events(*counted, gap=0.2))


def _slowly_anthropic() -> Answering:
    told = scripted_anthropic.events(scripted_anthropic.TEXT)
    counts = {"input_tokens": 300, "cache_read_input_tokens": 600, "output_tokens": 2}
    told[0]["message"]["usage"] = counts
    return answering(stream([json.dumps(one) for one in told[:-2]], gap=0.2, hang=True))


SLOW = {"gemini": _slowly_gemini, "anthropic-messages": _slowly_anthropic}


@pytest.mark.parametrize("endpoint", ["chat", "messages"])
@pytest.mark.parametrize("host_name", SLOW)
async def test_who_leaves_pays_what_the_host_had_counted(
    site: Site, host_name: str, endpoint: str
) -> None:
    upstream, account = site.upstreams[host_name], await site.engine.account()
    upstream.forget()
    upstream.script(SLOW[host_name]())
    asked: dict[str, Any] = {"model": f"wires/{host_name}", "max_tokens": 2000, "stream": True}
    asked["messages"] = [{"role": "user", "content": "Count."}]
    if endpoint == "chat":
        one = site.openai.with_options(api_key=account.api_key)
        events: Any = await one.chat.completions.create(**asked)
    else:
        other = site.anthropic.with_options(api_key=account.api_key)
        events = await other.messages.create(**asked)
    job_id = events.response.headers["x-gatewayz-job-id"]
    async for event in events:
        if "One" in str(event) or "Hello" in str(event):
            break
    await events.close()
    await account.finished(job_id)
    (charge,) = await account.charges(job_id)
    usage = charge["usage"]
    cached = usage["input_tokens_details"]["cached_tokens"]
    assert (usage["input_tokens"], cached) == (900, 600)
    assert (charge["usage_source"], usage["output_tokens"] >= 2) == ("estimate", True)
