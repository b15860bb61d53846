"""The official clients behind one face: the same is asked of each in its own wire.

Whatever a client says of an answer is read from the client's own objects.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel

PARAMETERS = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
MAX_TOKENS = 2000


class Place(BaseModel):
    """What a structured answer is."""

    name: str
    people: int


@dataclass(frozen=True)
class Heard:
    """What a client understood of an answer; `job_id` is none of a stream."""

    text: str
    thinking: str
    calls: Sequence[tuple[str, str, Mapping[str, Any]]]
    finish: str | None
    counts: tuple[int, int, int]
    raw: Any = field(repr=False)
    parsed: Any = None


class ChatClient:
    """OpenAI's client, for chat completions."""

    ends: Mapping[str, str] = {
        "stop": "stop",
        "tools": "tool_calls",
        "length": "length",
        "blocked": "content_filter",
    }

    def __init__(self, openai: AsyncOpenAI, _anthropic: AsyncAnthropic) -> None:
        self._create = openai.chat.completions

    def question(self, text: str, image: str | None = None) -> list[Any]:
        parts: list[Any] = [{"type": "text", "text": text}]
        if image is not None:
            url = f"data:image/png;base64,{image}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        return [{"role": "user", "content": text if image is None else parts}]

    def tool(self, name: str) -> dict[str, Any]:
        return {"type": "function", "function": {"name": name, "parameters": PARAMETERS}}

    def thinking(self) -> dict[str, Any]:
        return {"reasoning_effort": "low"}

    async def ask(self, history: Any, *, streamed: bool, **more: Any) -> Heard:
        asked = {"messages": history, "max_completion_tokens": MAX_TOKENS, **more}
        if not streamed:
            return self._heard(await self._create.create(**asked))
        async with self._create.stream(**asked, stream_options={"include_usage": True}) as events:
            async for _ in events:
                pass
            if "response_format" in more:
                return self._heard(await events.get_final_completion())
            # Which the client does not give out for an answer that was cut or blocked.
            return self._heard(events.current_completion_snapshot)

    async def parse(self, history: Any, *, streamed: bool, **more: Any) -> Heard:
        if streamed:
            return await self.ask(history, streamed=True, response_format=Place, **more)
        asked = {"messages": history, "max_completion_tokens": MAX_TOKENS, **more}
        return self._heard(await self._create.parse(**asked, response_format=Place))

    def going_on(self, history: Any, heard: Heard, results: Mapping[str, str]) -> Any:
        message = heard.raw.choices[0].message.model_dump(exclude_none=True)
        for call in message["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)
        message.pop("parsed", None)
        told = [
            {"role": "tool", "tool_call_id": call_id, "content": results[name]}
            for call_id, name, _ in heard.calls
        ]
        return [*history, message, *told]

    def _heard(self, completion: Any) -> Heard:
        (choice,) = completion.choices
        message, usage = choice.message, completion.usage
        return Heard(
            text=message.content or "",
            thinking=getattr(message, "reasoning_content", None) or "",
            calls=[
                (call.id, call.function.name, json.loads(call.function.arguments))
                for call in message.tool_calls or ()
            ],
            finish=choice.finish_reason,
            counts=(
                usage.prompt_tokens,
                usage.prompt_tokens_details.cached_tokens,
                usage.completion_tokens,
            ),
            raw=completion,
            parsed=getattr(message, "parsed", None),
        )


class ResponsesClient:
    """OpenAI's client, for responses."""

    ends: Mapping[str, str] = {
        "stop": "completed",
        "tools": "completed",
        "length": "max_output_tokens",
        "blocked": "content_filter",
    }

    def __init__(self, openai: AsyncOpenAI, _anthropic: AsyncAnthropic) -> None:
        self._responses = openai.responses

    def question(self, text: str, image: str | None = None) -> list[Any]:
        parts: list[Any] = [{"type": "input_text", "text": text}]
        if image is not None:
            url = f"data:image/png;base64,{image}"
            parts.append({"type": "input_image", "image_url": url, "detail": "auto"})
        return [{"role": "user", "content": parts}]

    def tool(self, name: str) -> dict[str, Any]:
        return {"type": "function", "name": name, "parameters": PARAMETERS, "strict": False}

    def thinking(self) -> dict[str, Any]:
        return {"reasoning": {"effort": "low", "summary": "auto"}}

    async def ask(self, history: Any, *, streamed: bool, **more: Any) -> Heard:
        asked = {"input": history, "max_output_tokens": MAX_TOKENS, **more}
        if not streamed:
            return self._heard(await self._responses.create(**asked))
        last: Any = None
        async with self._responses.stream(**asked) as events:
            async for event in events:
                last = event
        return self._heard(last.response)

    async def parse(self, history: Any, *, streamed: bool, **more: Any) -> Heard:
        if streamed:
            return await self.ask(history, streamed=True, text_format=Place, **more)
        asked = {"input": history, "max_output_tokens": MAX_TOKENS, **more}
        return self._heard(await self._responses.parse(**asked, text_format=Place))

    def going_on(self, history: Any, heard: Heard, results: Mapping[str, str]) -> Any:
        output = [item.model_dump(exclude_none=True) for item in heard.raw.output]
        for item in output:
            item.pop("parsed_arguments", None)
        told = [
            {"type": "function_call_output", "call_id": call_id, "output": results[name]}
            for call_id, name, _ in heard.calls
        ]
        return [*history, *output, *told]

    def _heard(self, response: Any) -> Heard:
        usage, items = response.usage, response.output
        why = response.incomplete_details
        return Heard(
            text=response.output_text,
            thinking="".join(
                part.text for item in items if item.type == "reasoning" for part in item.summary
            ),
            calls=[
                (item.call_id, item.name, json.loads(item.arguments))
                for item in items
                if item.type == "function_call"
            ],
            finish=response.status if why is None else why.reason,
            counts=(
                usage.input_tokens,
                usage.input_tokens_details.cached_tokens,
                usage.output_tokens,
            ),
            raw=response,
            parsed=getattr(response, "output_parsed", None),
        )


class MessagesClient:
    """Anthropic's client."""

    ends: Mapping[str, str] = {
        "stop": "end_turn",
        "tools": "tool_use",
        "length": "max_tokens",
        "blocked": "refusal",
    }

    def __init__(self, _openai: AsyncOpenAI, anthropic: AsyncAnthropic) -> None:
        self._messages = anthropic.messages

    def question(self, text: str, image: str | None = None) -> list[Any]:
        parts: list[Any] = [{"type": "text", "text": text}]
        if image is not None:
            source = {"type": "base64", "media_type": "image/png", "data": image}
            parts.append({"type": "image", "source": source})
        return [{"role": "user", "content": text if image is None else parts}]

    def tool(self, name: str) -> dict[str, Any]:
        return {"name": name, "input_schema": PARAMETERS}

    def thinking(self) -> dict[str, Any]:
        return {"thinking": {"type": "enabled", "budget_tokens": 1024}}

    async def ask(self, history: Any, *, streamed: bool, **more: Any) -> Heard:
        asked = {"messages": history, "max_tokens": MAX_TOKENS, **more}
        if not streamed:
            return self._heard(await self._messages.create(**asked))
        async with self._messages.stream(**asked) as events:
            return self._heard(await events.get_final_message())

    async def parse(self, history: Any, *, streamed: bool, **more: Any) -> Heard:
        if streamed:
            return await self.ask(history, streamed=True, output_format=Place, **more)
        asked = {"messages": history, "max_tokens": MAX_TOKENS, **more}
        return self._heard(await self._messages.parse(**asked, output_format=Place))

    def going_on(self, history: Any, heard: Heard, results: Mapping[str, str]) -> Any:
        told = [
            {"type": "tool_result", "tool_use_id": call_id, "content": results[name]}
            for call_id, name, _ in heard.calls
        ]
        said = {"role": "assistant", "content": heard.raw.content}
        return [*history, said, {"role": "user", "content": told}]

    def _heard(self, message: Any) -> Heard:
        usage, blocks = message.usage, message.content
        cached = usage.cache_read_input_tokens or 0
        written = usage.cache_creation_input_tokens or 0
        return Heard(
            text="".join(block.text for block in blocks if block.type == "text"),
            thinking="".join(block.thinking for block in blocks if block.type == "thinking"),
            calls=[
                (block.id, block.name, block.input) for block in blocks if block.type == "tool_use"
            ],
            finish=message.stop_reason,
            counts=(usage.input_tokens + cached + written, cached, usage.output_tokens),
            raw=message,
            parsed=getattr(message, "parsed_output", None),
        )


WireClient = ChatClient | ResponsesClient | MessagesClient
CLIENTS: Mapping[str, type[ChatClient] | type[ResponsesClient] | type[MessagesClient]] = {
    "chat": ChatClient,
    "responses": ResponsesClient,
    "messages": MessagesClient,
}
