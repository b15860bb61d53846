"""The simulator, which stands for every provider."""

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.providers.simulator import LABEL, Simulator
from adapters.system.clock import SystemClock
from domain.dialects.surface import Delta
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Endpoint
from domain.ports.provider import ProviderFailure
from tests.contract.providers.calls import MESSAGES, chat, embed, failure, text


async def test_the_simulator_gives_the_same_answer_for_the_same_prompt() -> None:
    one, other = (Simulator(SystemClock(), latency_seconds=0) for _ in range(2))
    assert text(await one.call(chat())) == text(await other.call(chat()))


async def test_the_simulator_labels_every_reply() -> None:
    simulator = Simulator(SystemClock(), latency_seconds=0)
    reply = await simulator.call(chat(max_tokens=1))
    vectors = await simulator.call(embed("one"))
    assert text(reply).startswith(LABEL)
    assert vectors.body["simulated"]


async def test_the_simulator_stays_within_the_token_limit() -> None:
    reply = await Simulator(SystemClock(), latency_seconds=0).call(chat(max_tokens=8))
    assert reply.finish_reason == "length"
    assert reply.usage is not None
    assert reply.usage.output_tokens <= 8


async def test_the_flaky_offer_fails_a_request_once_and_then_answers() -> None:
    simulator = Simulator(SystemClock(), latency_seconds=0)
    calls = [replace(chat(), native_id="simulator-flaky", request_id=f"job_{i}") for i in range(6)]
    failed = 0
    for call in calls:
        try:
            await simulator.call(call)
        except ProviderFailure:
            failed += 1
            await simulator.call(call)
    assert failed == 2


async def test_a_fault_rate_of_one_fails_every_call() -> None:
    simulator = Simulator(SystemClock(), latency_seconds=0, fault_rate=1.0)
    assert (await failure(simulator, chat())).kind == "server_error"


# The simulator stands for every provider, whichever wire its caller speaks.


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/messages", {"messages": MESSAGES, "max_tokens": 50}),
        ("/v1/responses", {"input": "Say hello."}),
        ("/v1/completions", {"prompt": "Say hello."}),
    ],
)
async def test_the_simulator_answers_callers_of_every_wire(
    endpoint: Endpoint, body: dict[str, Any]
) -> None:
    simulator, surface = Simulator(SystemClock(), latency_seconds=0.001), SURFACES[endpoint]
    deltas: list[Delta] = []
    call = replace(chat(streamed=True), endpoint=endpoint, body={"model": "m", **body})
    reply = await simulator.call(call, deltas.append)
    assert surface.is_whole(call.body, reply.body)
    assert LABEL.strip() in json.dumps(reply.body)
    assert sum(surface.is_content(delta) for delta in deltas) > 3
