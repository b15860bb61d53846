"""One host for each provider wire, all made to say the same things, each in its own words.

    host = HOSTS["gemini"]
    upstream.script(host.says(Said(text="Hello."), streamed=True))

Each counts `COUNTED` tokens, as far as its wire can tell them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

from tests.support import (
    scripted_anthropic,
    scripted_bedrock,
    scripted_cohere,
    scripted_gemini,
    scripted_provider,
    scripted_responses,
)
from tests.support.scripted_provider import Reply, Seen
from tests.support.scripted_upstream import Answering, sending

Finish = Literal["stop", "length", "blocked"]


@dataclass(frozen=True)
class Call:
    """A call of a tool."""

    id: str
    name: str
    given: Mapping[str, Any]

    @property
    def arguments(self) -> str:
        return json.dumps(self.given)


@dataclass(frozen=True)
class Said:
    """What a model says."""

    text: str = ""
    thinking: str = ""
    calls: Sequence[Call] = ()
    finish: Finish = "stop"


@dataclass(frozen=True)
class Counted:
    """The tokens that a host tells."""

    input: int = 100
    cached: int = 60
    output: int = 20


COUNTED = Counted()


@dataclass(frozen=True)
class Host:
    """A provider: its settings but for the address, and what it replies."""

    settings: Mapping[str, Any]
    native_id: str
    says: Callable[..., Answering]
    refuses: Callable[[int], Answering]
    base_path: str = ""
    counted: Counted = COUNTED
    blocks: bool = True
    # Two vectors for two texts; None where the wire has none.
    embeds: Mapping[str, Any] | None = None


def answering(reply: Reply) -> Answering:
    """The reply of a scripted provider, for any upstream."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await reply(request, Seen(request.path, 0, {}, {}))

    return answer


def _chat(said: Said, *, streamed: bool) -> Answering:
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in said.calls
    ]
    finishes = {"stop": "tool_calls" if calls else "stop", "blocked": "content_filter"}
    finish = finishes.get(said.finish, said.finish)
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 60},
    }
    if not streamed:
        message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
        message |= {"reasoning_content": said.thinking} if said.thinking else {}
        message |= {"tool_calls": calls} if calls else {}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return answering(
            scripted_provider.whole(scripted_provider.completion(choices=[choice], usage=usage))
        )
    chunk = scripted_provider.chunk
    told = [chunk({"role": "assistant", "content": ""})]
    told += [chunk({"reasoning_content": part}) for part in _halves(said.thinking)]
    told += [chunk({"content": part}) for part in _halves(said.text)]
    for index, call in enumerate(calls):
        head = {**call, "index": index, "function": {"name": said.calls[index].name}}
        told.append(chunk({"tool_calls": [head]}))
        for part in _halves(said.calls[index].arguments):
            told.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]}))
    last = json.dumps({"id": "chatcmpl-scripted", "choices": [], "usage": usage})
    return answering(scripted_provider.stream([*told, chunk({}, finish), last]))


def _anthropic(said: Said, *, streamed: bool) -> Answering:
    blocks: list[dict[str, Any]] = []
    if said.thinking:
        blocks.append({"type": "thinking", "thinking": said.thinking, "signature": "c2lnbmVk"})
    if said.text:
        blocks.append({"type": "text", "text": said.text})
    tool_use = scripted_anthropic.tool_use
    blocks += [dict(tool_use(call.id, call.name, call.given)) for call in said.calls]
    stops = {"stop": "tool_use" if said.calls else "end_turn", "length": "max_tokens"}
    stop = stops.get(said.finish, "refusal")
    counts = {"input_tokens": 40, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 0}
    if not streamed:
        usage = {**counts, "output_tokens": 20}
        return scripted_anthropic.whole(*blocks, stop_reason=stop, usage=usage)
    events = scripted_anthropic.events(*blocks, stop_reason=stop)
    events[0]["message"]["usage"] = {**counts, "output_tokens": 1}
    events[-2]["usage"] = {"output_tokens": 20}
    return sending(scripted_anthropic.sse(events), "text/event-stream", portion=97)


def _gemini(said: Said, *, streamed: bool) -> Answering:
    text = scripted_gemini.said
    finish = {"stop": "STOP", "length": "MAX_TOKENS", "blocked": "SAFETY"}[said.finish]
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "candidatesTokenCount": 20,
        "totalTokenCount": 120,
    }
    calls = [scripted_gemini.called(call.name, dict(call.given)) for call in said.calls]
    if not streamed:
        thought = [text(said.thinking, thought=True)] if said.thinking else []
        spoken = [text(said.text)] if said.text else []
        parts = [*thought, *spoken, *calls]
        return sending(scripted_gemini.item(*parts, finish=finish, usage=usage))
    parts = [text(part, thought=True) for part in _halves(said.thinking)]
    parts += [text(part) for part in _halves(said.text)]
    items = [scripted_gemini.item(part) for part in [*parts, *calls]]
    return answering(
        scripted_gemini.events(*items, scripted_gemini.item(finish=finish, usage=usage))
    )


def _bedrock(said: Said, *, streamed: bool) -> Answering:
    blocks: list[dict[str, Any]] = []
    if said.thinking:
        told = {"text": said.thinking, "signature": "c2lnbmVk"}
        blocks.append({"reasoningContent": {"reasoningText": told}})
    if said.text:
        blocks.append({"text": said.text})
    for call in said.calls:
        use = {"toolUseId": call.id, "name": call.name, "input": call.given}
        blocks.append({"toolUse": use})
    stops = {"stop": "tool_use" if said.calls else "end_turn", "length": "max_tokens"}
    stop = stops.get(said.finish, "content_filtered")
    usage = {
        "inputTokens": 40,
        "cacheReadInputTokens": 60,
        "cacheWriteInputTokens": 0,
        "outputTokens": 20,
        "totalTokens": 120,
    }
    if streamed:
        return scripted_bedrock.streamed(scripted_bedrock.events(blocks, stop, usage))
    return sending(scripted_bedrock.converse(blocks, stop, usage))


def _cohere(said: Said, *, streamed: bool) -> Answering:
    finishes = {"stop": "TOOL_CALL" if said.calls else "COMPLETE", "length": "MAX_TOKENS"}
    calls = [scripted_cohere.call(call.id, call.name, call.arguments) for call in said.calls]
    usage = {"billed_units": {"input_tokens": 100, "output_tokens": 20}, "cached_tokens": 60}
    body = scripted_cohere.message(
        said.text, finishes[said.finish], thinking=said.thinking, calls=calls, usage=usage
    )
    return scripted_cohere.streamed(scripted_cohere.events(body)) if streamed else sending(body)


def _responses(said: Said, *, streamed: bool) -> Answering:
    output = [scripted_responses.reasoning(said.thinking)] if said.thinking else []
    output += [scripted_responses.message(said.text)] if said.text else []
    output += [scripted_responses.call(one.id, one.name, one.arguments) for one in said.calls]
    changes: dict[str, Any] = {
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 60},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 120,
        }
    }
    if said.finish != "stop":
        reason = "max_output_tokens" if said.finish == "length" else "content_filter"
        changes |= {"status": "incomplete", "incomplete_details": {"reason": reason}}
    form = scripted_responses.respond_in_events if streamed else scripted_responses.respond
    return answering(form(*output, **changes))


def _ollama(said: Said, *, streamed: bool) -> Answering:
    calls = [{"function": {"name": call.name, "arguments": call.given}} for call in said.calls]
    reason = "length" if said.finish == "length" else "stop"
    last = {"done": True, "done_reason": reason, "prompt_eval_count": 100, "eval_count": 20}
    if not streamed:
        message = {"content": said.text, "thinking": said.thinking, "tool_calls": calls}
        return sending({"message": {"role": "assistant", **message}, **last})
    parts = [{"content": "", "thinking": part} for part in _halves(said.thinking)]
    parts += [{"content": part} for part in _halves(said.text)]
    told: list[dict[str, Any]] = [{"message": part, "done": False} for part in parts]
    told += [{"message": {"content": "", "tool_calls": [one]}, "done": False} for one in calls]
    lines = [*told, {"message": {"content": ""}, **last}]
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return sending(content, "application/x-ndjson", portion=61)


def _openai_error(status: int) -> Answering:
    return answering(scripted_provider.error(status))


def _bedrock_error(status: int) -> Answering:
    kinds = {400: "ValidationException", 429: "ThrottlingException"}
    return scripted_bedrock.refused(status, kinds.get(status, "InternalServerException"))


def _gemini_error(status: int) -> Answering:
    words = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED"}
    return answering(scripted_gemini.refused(status, words.get(status, "INTERNAL")))


def _cohere_error(status: int) -> Answering:
    return sending({"id": "c1", "message": "secret text"}, status=status)


def _ollama_error(status: int) -> Answering:
    return sending({"error": "secret text"}, status=status)


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [part for part in (text[:middle], text[middle:]) if part]


VECTORS = [[0.5, -1.0], [0.25, 2.0]]
_ROWS = [{"index": place, "embedding": vector} for place, vector in enumerate(VECTORS)]
HOSTS: Mapping[str, Host] = {
    "openai-chat": Host(
        {"api_key": "k"},
        "alpha",
        _chat,
        _openai_error,
        "/v1",
        embeds=scripted_provider.embedding(data=_ROWS),
    ),
    "openai-responses": Host({"api_key": "k"}, "gpt-5", _responses, _openai_error, "/v1"),
    "anthropic-messages": Host(
        {"api_key": "k"}, "claude-sonnet-4-5", _anthropic, scripted_anthropic.error
    ),
    "gemini": Host(
        {"api_key": "k"},
        "gemini-2.5-flash",
        _gemini,
        _gemini_error,
        "/v1beta",
        embeds={"embeddings": [{"values": one} for one in VECTORS]},
    ),
    "bedrock-converse": Host(
        {"api_key": "k", "region": "us-east-1"},
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        _bedrock,
        _bedrock_error,
    ),
    "cohere": Host(
        {"api_key": "k"},
        "command-a-03-2025",
        _cohere,
        _cohere_error,
        blocks=False,
        embeds={"embeddings": {"float": VECTORS}, "meta": {"billed_units": {"input_tokens": 5}}},
    ),
    "ollama": Host(
        {},
        "llama3.1:8b",
        _ollama,
        _ollama_error,
        counted=Counted(cached=0),
        blocks=False,
        embeds={"embeddings": VECTORS, "prompt_eval_count": 5},
    ),
}
