"""The laws of `domain.ports.provider.Provider` against its adapters."""

import asyncio
import json
import socket
from dataclasses import replace

import pytest

from adapters.providers.http import HttpProvider
from adapters.providers.openai_chat import OpenAIChatWire
from adapters.providers.session import HttpSession
from adapters.providers.simulator import SLOW, Simulator
from adapters.system.clock import SystemClock
from domain.ports.provider import CallTimeouts, FailureKind, Provider
from tests.contract.providers.calls import PATIENT, chat, embed, failure, text
from tests.support.scripted_provider import Reply, ScriptedProvider, silence, stream, words

# Law 1: a complete answer or a failure.


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_chat_call_brings_a_complete_answer(provider: Provider, streamed: bool) -> None:
    reply = await provider.call(chat(streamed=streamed))
    assert text(reply)
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_reported_usage_is_parsed_and_kept_raw(
    provider: Provider, streamed: bool
) -> None:
    reply = await provider.call(chat(streamed=streamed))
    assert reply.usage is not None
    assert reply.raw_usage is not None
    assert json.loads(reply.raw_usage)["prompt_tokens"] == reply.usage.input_tokens


async def test_every_text_gets_its_vector(provider: Provider) -> None:
    reply = await provider.call(embed("one", "two"))
    assert [vector["index"] for vector in reply.body["data"]] == [0, 1]


# Law 2: cancelling closes the connection.


@pytest.mark.parametrize("reply", [silence(), stream(words(), done=False, hang=True)])
async def test_cancelling_the_task_closes_the_upstream_connection(
    upstream: ScriptedProvider, wire: HttpProvider, reply: Reply
) -> None:
    upstream.script(reply)
    task = asyncio.create_task(wire.call(chat(streamed=True)))
    while not upstream.requests:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(upstream.requests[0].finished.wait(), 5)
    assert upstream.requests[0].disconnected


# Law 3: every timeout is kept.


@pytest.mark.parametrize(
    ("reply", "timeouts", "kind"),
    [
        (silence(), replace(PATIENT, first_byte=0.05), "timeout_first_byte"),
        (silence(), replace(PATIENT, total=0.05), "timeout_total"),
        (stream(words(), delay=30), replace(PATIENT, first_byte=0.05), "timeout_first_byte"),
        (stream([], done=False, hang=True), replace(PATIENT, first_byte=0.05),
         "timeout_first_byte"),
        (stream(words()[:2], gap=30), replace(PATIENT, chunk=0.05), "timeout_chunk"),
        (stream(words("a b c d e f g h"), gap=0.04), replace(PATIENT, total=0.1),
         "timeout_total"),
    ],
)  # fmt: skip
async def test_each_timeout_ends_the_call_as_itself(
    upstream: ScriptedProvider,
    wire: HttpProvider,
    reply: Reply,
    timeouts: CallTimeouts,
    kind: FailureKind,
) -> None:
    upstream.script(reply)
    assert (await failure(wire, chat(timeouts, streamed=True))).kind == kind
    await asyncio.wait_for(upstream.requests[0].finished.wait(), 5)
    assert upstream.requests[0].disconnected


async def test_a_connection_that_is_not_accepted_is_a_connect_timeout(
    session: HttpSession,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address):
            url = f"http://127.0.0.1:{address[1]}/v1"
            call = chat(replace(PATIENT, connect=0.1))
            assert (await failure(HttpProvider(session, OpenAIChatWire(url, None)), call)).kind == (
                "timeout_connect"
            )


async def test_keep_alive_comments_do_not_extend_the_first_byte_timeout(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    upstream.script(stream(["wait"] * 50, prefix=": ", gap=0.02))
    call = chat(replace(PATIENT, first_byte=0.1), streamed=True)
    assert (await failure(wire, call)).kind == "timeout_first_byte"


async def test_the_simulator_keeps_the_first_byte_timeout() -> None:
    slow = Simulator(SystemClock(), latency_seconds=1)
    call = replace(chat(replace(PATIENT, first_byte=0.01)), native_id=SLOW)
    assert (await failure(slow, call)).kind == "timeout_first_byte"
