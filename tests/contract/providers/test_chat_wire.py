"""The wire of chat completions: what goes out, and what comes back."""

import json
import socket
from dataclasses import replace
from typing import Any

import pytest

from adapters.providers import replies
from adapters.providers.http import HttpProvider
from adapters.providers.openai_chat import OpenAIChatWire
from adapters.providers.session import HttpSession
from domain.inference.events import Usage
from domain.ports.provider import FailureKind
from tests.contract.providers.calls import MESSAGES, PATIENT, chat, failure, text
from tests.support.scripted_provider import (
    Reply,
    ScriptedProvider,
    answer,
    chunk,
    completion,
    cut_body,
    error,
    hang_up,
    stream,
    whole,
    words,
)

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


async def test_a_large_request_arrives_as_a_small_one_does(
    upstream: ScriptedProvider, wire: HttpProvider
) -> None:
    for size in (10, 3 * 2**20):
        await wire.call(chat(user="x" * size))
    small, large = upstream.requests
    assert len(large.body["user"]) == 3 * 2**20
    assert {name.lower() for name in small.headers} == {name.lower() for name in large.headers}


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
