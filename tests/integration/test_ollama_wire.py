"""The wire `ollama` against a server that speaks its native routes."""

import base64
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from adapters.providers.http import HttpProvider
from adapters.providers.ollama import OllamaWire
from adapters.providers.session import HttpSession
from domain.inference.events import Endpoint, Usage
from domain.ports.provider import CallTimeouts, ProviderCall, ProviderFailure, ProviderReply

TIMEOUTS = CallTimeouts(connect=5, first_byte=5, chunk=5, total=10)
LAST = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 4}
HI = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def said(content: str = "", **message: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": content, **message}, "done": False}


@dataclass
class Server:
    """Answers each request with `lines`, a JSON object a line."""

    url: str = ""
    status: int = 200
    lines: list[Any] = field(default_factory=lambda: [{**said("Hello."), **LAST}])
    asked: list[tuple[str, Any]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, await request.json()))
        text = "\n".join(json.dumps(line) for line in self.lines)
        kind = "application/json" if len(self.lines) == 1 else "application/x-ndjson"
        return web.Response(text=text, status=self.status, content_type=kind)

    @property
    def body(self) -> Any:
        return self.asked[-1][1]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    served = Server()
    app = web.Application()
    app.router.add_post("/api/{route}", served.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


async def ask(
    server: Server,
    body: dict[str, Any],
    endpoint: Endpoint = "/v1/chat/completions",
    *,
    model: str = "llama3.1:8b",
    deltas: list[dict[str, Any]] | None = None,
) -> ProviderReply:
    session = HttpSession()
    try:
        provider = HttpProvider(session, OllamaWire(f"{server.url}/v1"))
        call = ProviderCall(endpoint, model, body, deltas is not None, TIMEOUTS, "req_1", 4096)
        return await provider.call(call, None if deltas is None else deltas.append)
    finally:
        await session.close()


async def test_a_question_is_asked_and_answered(server: Server) -> None:
    reply = await ask(server, {"messages": HI})
    assert server.asked == [
        ("/api/chat", {"model": "llama3.1:8b", "messages": HI, "stream": False})
    ]
    assert reply.body["choices"][0]["message"]["content"] == "Hello."
    assert reply.finish_reason == "stop"
    assert reply.usage == Usage(input_tokens=9, output_tokens=4)
    assert json.loads(reply.raw_usage or "") == {"prompt_eval_count": 9, "eval_count": 4}


async def test_an_answer_comes_line_by_line(server: Server) -> None:
    server.lines = [said(thinking="Hm. "), said("Hel"), said("lo."), {**said(), **LAST}]
    deltas: list[dict[str, Any]] = []
    reply = await ask(server, {"messages": HI}, deltas=deltas)
    assert server.body["stream"] is True
    message = reply.body["choices"][0]["message"]
    assert message["content"] == "Hello."
    assert len(deltas) >= 3
    assert reply.usage == Usage(input_tokens=9, output_tokens=4)


async def test_what_tunes_the_answer_becomes_options(server: Server) -> None:
    asked = {"max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "seed": 3, "stop": ["x"]}
    reply = await ask(server, {"messages": HI, **asked})
    assert server.body["options"] == {
        "num_predict": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "stop": ["x"],
    }
    assert reply.dropped == ()


async def test_what_it_does_not_know_is_left_out_and_told(server: Server) -> None:
    body = {"messages": HI, "logit_bias": {"1": 1}, "user": "u", "parallel_tool_calls": False}
    reply = await ask(server, body)
    assert set(reply.dropped) == {"logit_bias", "user", "parallel_tool_calls"}


@pytest.mark.parametrize(
    "body",
    [
        {"n": 2},
        {"tools": [TOOL], "tool_choice": "required"},
        {"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://here.example/x.png"}}]}]},
    ],
)  # fmt: skip
async def test_what_would_be_another_answer_is_refused_without_a_call(
    server: Server, body: dict[str, Any]
) -> None:
    with pytest.raises(ProviderFailure) as refused:
        await ask(server, {"messages": HI, **body})
    assert (refused.value.kind, server.asked) == ("unsupported", [])


async def test_a_picture_goes_as_base64(server: Server) -> None:
    data = base64.b64encode(b"png").decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    text = {"type": "text", "text": "what is it?"}
    await ask(server, {"messages": [{"role": "user", "content": [text, part]}]})
    assert server.body["messages"] == [{"role": "user", "content": "what is it?", "images": [data]}]


async def test_a_tool_is_called_and_its_result_told(server: Server) -> None:
    call = {"function": {"name": "look", "arguments": {"at": "sky", "n": 1.50}}}
    server.lines = [said(tool_calls=[call]), {**said(), **LAST}]
    reply = await ask(server, {"messages": HI, "tools": [TOOL]})
    assert server.body["tools"][0]["function"]["name"] == "look"
    assert reply.finish_reason == "tool_calls"
    (made,) = reply.body["choices"][0]["message"]["tool_calls"]
    assert json.loads(made["function"]["arguments"]) == {"at": "sky", "n": 1.5}
    result = {"role": "tool", "tool_call_id": made["id"], "content": "blue"}
    turn = {"role": "assistant", "content": None, "tool_calls": [made]}
    await ask(server, {"messages": [*HI, turn, result], "tools": [TOOL]})
    *_, told_call, told_result = server.body["messages"]
    assert told_call["tool_calls"] == [call]
    assert told_result == {"role": "tool", "content": "blue", "tool_name": "look"}


async def test_without_a_choice_of_tools_none_is_sent(server: Server) -> None:
    await ask(server, {"messages": HI, "tools": [TOOL], "tool_choice": "none"})
    assert "tools" not in server.body


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ({"type": "json_object"}, "json"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
         {"type": "object"}),
        ({"type": "text"}, None),
    ],
)  # fmt: skip
async def test_the_form_of_the_answer_is_asked_for(
    server: Server, wanted: dict[str, Any], sent: Any
) -> None:
    await ask(server, {"messages": HI, "response_format": wanted})
    assert server.body.get("format") == sent


@pytest.mark.parametrize(
    ("model", "effort", "think", "dropped"),
    [
        ("gpt-oss:20b", "high", "high", ()),
        ("gpt-oss:20b", "none", "low", ("reasoning_effort",)),
        ("qwen3:8b", "none", False, ()),
        ("qwen3:8b", "high", True, ("reasoning_effort",)),
    ],
)
async def test_thinking_is_asked_for_as_the_model_knows_it(
    server: Server, model: str, effort: str, think: Any, dropped: tuple[str, ...]
) -> None:
    reply = await ask(server, {"messages": HI, "reasoning_effort": effort}, model=model)
    assert (server.body["think"], reply.dropped) == (think, dropped)


async def test_texts_are_embedded(server: Server) -> None:
    server.lines = [{"embeddings": [[0.5, 1.0]], "prompt_eval_count": 3}]
    reply = await ask(server, {"input": ["hi"], "dimensions": 2}, "/v1/embeddings")
    assert server.asked == [
        ("/api/embed", {"model": "llama3.1:8b", "input": ["hi"], "dimensions": 2})
    ]
    assert reply.body["data"][0]["embedding"] == [0.5, 1.0]
    assert reply.usage == Usage(input_tokens=3, output_tokens=0)


async def test_a_vector_may_be_wanted_in_base64(server: Server) -> None:
    server.lines = [{"embeddings": [[0.5, 1.0]]}]
    body = {"input": "hi", "encoding_format": "base64"}
    reply = await ask(server, body, "/v1/embeddings")
    vector = base64.b64decode(reply.body["data"][0]["embedding"])
    assert struct.unpack("<2f", vector) == (0.5, 1.0)
    assert reply.usage is None


async def test_a_count_that_the_cache_leaves_out_is_no_zero(server: Server) -> None:
    server.lines = [{**said("Hello."), "done": True, "eval_count": 4}]
    assert (await ask(server, {"messages": HI})).usage is None


@pytest.mark.parametrize(
    ("status", "lines", "kind"),
    [
        (404, [{"error": "model 'x' not found, try pulling it first"}], "not_found"),
        (503, [{"error": "server busy"}], "overloaded"),
        (200, [said("Hel"), {"error": "unexpected EOF"}], "malformed"),
        (200, [said("Hel"), said("lo")], "truncated"),
        (200, [{"done": True, "done_reason": "load"}], "malformed"),
        (200, [["no object"]], "malformed"),
    ],
)
async def test_what_is_no_answer_is_a_failure(
    server: Server, status: int, lines: list[Any], kind: str
) -> None:
    server.status, server.lines = status, lines
    with pytest.raises(ProviderFailure) as failed:
        await ask(server, {"messages": HI}, deltas=[])
    assert failed.value.kind == kind


async def test_an_answer_that_was_too_long_says_so(server: Server) -> None:
    server.lines = [{**said("Hel"), **LAST, "done_reason": "length"}]
    assert (await ask(server, {"messages": HI})).finish_reason == "length"
