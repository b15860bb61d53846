"""The laws of `domain.ports.provider.Provider`, for the wire adapter and the simulator."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.providers import replies
from adapters.providers.http import HttpProvider
from adapters.providers.openai_chat import OpenAIChatWire
from adapters.providers.session import HttpSession
from adapters.providers.simulator import LABEL, SLOW, Simulator
from adapters.system.clock import SystemClock
from domain.dialects.surface import Delta
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Endpoint, Usage
from domain.ports.provider import (
    CallTimeouts,
    FailureKind,
    Provider,
    ProviderCall,
    ProviderFailure,
    ProviderReply,
)
from tests.support.scripted_provider import (
    Reply,
    ScriptedProvider,
    answer,
    chunk,
    completion,
    cut_body,
    error,
    hang_up,
    silence,
    stream,
    whole,
    words,
)

PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
MESSAGES = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
async def session() -> AsyncIterator[HttpSession]:
    opened = HttpSession()
    yield opened
    await opened.close()


@pytest.fixture
def wire(upstream: ScriptedProvider, session: HttpSession) -> HttpProvider:
    return HttpProvider(session, OpenAIChatWire(upstream.base_url, "sk-test"))


@pytest.fixture(params=["wire", "simulator"])
def provider(request: pytest.FixtureRequest) -> Provider:
    if request.param == "simulator":
        return Simulator(SystemClock(), latency_seconds=0.001)
    wire: HttpProvider = request.getfixturevalue("wire")
    return wire


def chat(timeouts: CallTimeouts = PATIENT, *, streamed: bool = False, **body: Any) -> ProviderCall:
    return ProviderCall(
        endpoint="/v1/chat/completions",
        native_id="alpha-native",
        body={"model": "acme/alpha", "messages": MESSAGES, **body},
        stream=streamed,
        timeouts=timeouts,
        request_id="job_1",
    )


def embed(*texts: str) -> ProviderCall:
    endpoint: Endpoint = "/v1/embeddings"
    return replace(chat(), endpoint=endpoint, body={"model": "acme/e", "input": list(texts)})


async def failure(provider: Provider, call: ProviderCall) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as raised:
        await provider.call(call)
    return raised.value


def text(reply: ProviderReply) -> str:
    content: str = reply.body["choices"][0]["message"]["content"]
    return content


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


# What goes out.


async def test_the_call_carries_the_native_model_the_key_and_the_request_id(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    await wire.call(chat(temperature=0.5, custom={"kept": True}))
    sent = upstream.requests[0]
    assert sent.body == {
        "model": "alpha-native",
        "messages": MESSAGES,
        "temperature": 0.5,
        "custom": {"kept": True},
    }
    headers = {name.lower(): value for name, value in sent.headers.items()}
    assert (headers["authorization"], headers["x-request-id"]) == ("Bearer sk-test", "job_1")


async def test_a_streamed_call_asks_for_its_usage(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    await wire.call(chat(streamed=True))
    sent = upstream.requests[0].body
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})


async def test_the_callers_own_stream_flag_is_not_passed_on(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    await wire.call(chat(stream=True, stream_options={"include_usage": False}))
    assert not {"stream", "stream_options"} & set(upstream.requests[0].body)


async def test_without_a_key_no_authorization_is_sent(
    upstream: ScriptedProvider, session: HttpSession
) -> None:
    await HttpProvider(session, OpenAIChatWire(upstream.base_url, None)).call(chat())
    assert "authorization" not in {name.lower() for name in upstream.requests[0].headers}


async def test_one_connection_serves_call_after_call(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    for streamed in (False, True, False):
        await wire.call(chat(streamed=streamed))
    assert len({seen.peer for seen in upstream.requests}) == 1


# What comes back.


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, None, "bad_request"),
        (400, "context_length_exceeded", "context_length"),
        (400, "content_filter", "refused"),
        (400, "model_not_found", "not_found"),
        (400, "invalid_api_key", "auth"),
        (401, None, "auth"),
        (402, None, "quota"),
        (403, None, "auth"),
        (404, None, "not_found"),
        (408, None, "overloaded"),
        (413, None, "too_large"),
        (422, None, "bad_request"),
        (429, None, "rate_limited"),
        (429, "insufficient_quota", "quota"),
        (500, None, "server_error"),
        (502, None, "overloaded"),
        (503, None, "overloaded"),
        (529, None, "overloaded"),
    ],
)
async def test_a_status_and_its_code_say_what_went_wrong(
    upstream: ScriptedProvider,
    wire: HttpProvider,
    status: int,
    code: str | None,
    kind: FailureKind,
) -> None:
    upstream.script(error(status, code=code))
    failed = await failure(wire, chat())
    assert (failed.kind, failed.status_code) == (kind, status)


async def test_a_retry_after_is_told(upstream: ScriptedProvider, wire: HttpProvider) -> None:
    upstream.script(error(429, retry_after="3"))
    assert (await failure(wire, chat())).retry_after == 3.0


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (hang_up(), "connect"),
        (cut_body(completion()), "truncated"),
        (whole(b"<html>Bad gateway</html>"), "malformed"),
        (whole({"error": {"code": 503, "message": "no"}}), "overloaded"),
        (whole({"error": {"message": "?"}}), "malformed"),
        (whole({}, status=302, location="http://127.0.0.1:1/"), "malformed"),
        (stream(words()[:3], done=False), "truncated"),
        (stream(words()[:3], done=False, cut=True), "truncated"),
        (stream([words()[0], "{not json", *words()[1:]]), "malformed"),
        (stream([words()[0], "[]"]), "malformed"),
        (stream([words()[0], '{"choices": [7]}']), "malformed"),
        (stream([words()[0], '{"error": {"code": 500, "message": "x"}}']), "server_error"),
        (stream([]), "truncated"),
    ],
)
async def test_a_reply_that_is_no_whole_answer_is_a_failure(
    upstream: ScriptedProvider, wire: HttpProvider, reply: Reply, kind: FailureKind
) -> None:
    upstream.script(reply)
    assert (await failure(wire, chat(streamed=True))).kind == kind


async def test_no_upstream_text_is_in_a_failure(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    upstream.script(error(500, message="secret text"))
    failed = await failure(wire, chat())
    assert "secret" not in failed.message
    assert upstream.base_url not in failed.message


async def test_nobody_listening_is_a_connect_failure(session: HttpSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody = HttpProvider(session, OpenAIChatWire(f"http://127.0.0.1:{port}/v1", None))
    assert (await failure(nobody, chat())).kind == "connect"


async def test_a_reply_without_an_end_is_cut_at_the_size_limit(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    upstream.script(whole(completion("x" * (replies.MAX_REPLY_BYTES + 1))))
    assert (await failure(wire, chat())).kind == "malformed"


@pytest.mark.parametrize(
    "reply",
    [
        stream(words("whole it is")[:-1], done=False),
        stream(words("whole it is"), done=False, cut=True),
        stream(words("whole it is"), prefix="data:"),
        stream(words("whole it is"), separator="\r\n\r\n"),
        stream([*words("whole it is")[:2], '{"type": "ping"}', *words("whole it is")[2:]]),
        stream(words("whole it is")[:-1], done=False, hang=True),
        answer("whole it is"),
        whole(completion("whole it is")),
    ],
)
async def test_a_stream_is_whole_with_its_finish_reason(
    upstream: ScriptedProvider, wire: HttpProvider, reply: Reply
) -> None:
    upstream.script(reply)
    call = chat(replace(PATIENT, chunk=0.2), streamed=True)
    assert text(await wire.call(call)) == "whole it is"


async def test_a_stream_without_usage_reports_none(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    upstream.script(stream(words()[:-1]))
    reply = await wire.call(chat(streamed=True))
    assert (reply.usage, reply.raw_usage) == (None, None)


async def test_tool_calls_are_put_together_by_index(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    def part(index: int, arguments: str, **more: Any) -> str:
        function = {"arguments": arguments, **more}
        call_id = {"id": f"call_{index}"} if more else {}
        return chunk({"tool_calls": [{"index": index, "function": function, **call_id}]})

    chunks = [part(0, "", name="a"), part(1, "{", name="b"), part(0, '{"x":'), part(1, "}")]
    upstream.script(stream([*chunks, part(0, "1}"), chunk({}, "tool_calls")]))
    reply = await wire.call(chat(streamed=True))
    calls = reply.body["choices"][0]["message"]["tool_calls"]
    assert [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls] == [
        ("call_0", "a", '{"x":1}'),
        ("call_1", "b", "{}"),
    ]


async def test_several_choices_are_kept_apart(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    parts = [chunk({"content": "B"}, index=1), chunk({"content": "A"}, index=0)]
    upstream.script(stream([*parts, chunk({}, "stop", 0), chunk({}, "length", 1)], done=False))
    choices = (await wire.call(chat(streamed=True, n=2))).body["choices"]
    assert [(c["message"]["content"], c["finish_reason"]) for c in choices] == [
        ("A", "stop"),
        ("B", "length"),
    ]


async def test_a_choice_that_never_ended_truncates_the_answer(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    upstream.script(stream([chunk({"content": "A"}, "stop", 0)], done=False))
    assert (await failure(wire, chat(streamed=True, n=2))).kind == "truncated"


async def test_usage_details_are_read_and_the_rest_kept_untouched(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    details = {
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
        "cost": 0.10,
    }
    usage = {"prompt_tokens": 11, "completion_tokens": 7, **details}
    upstream.script(whole(completion(usage=usage)))
    reply = await wire.call(chat())
    assert reply.usage == Usage(
        input_tokens=11, output_tokens=7, cached_input_tokens=4, reasoning_tokens=3
    )
    assert reply.raw_usage == json.dumps(usage)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1}, {"prompt_tokens": 10**30}, 7])
async def test_usage_that_makes_no_sense_counts_as_not_reported(
    upstream: ScriptedProvider, wire: HttpProvider, usage: object
) -> None:
    upstream.script(whole(completion(usage=usage)))
    assert (await wire.call(chat())).usage is None


# The simulator.


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
