"""Calls of the wire `anthropic-messages`, by callers of two wires."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.providers.http import HttpProvider
from domain.inference.events import Endpoint
from domain.ports.provider import CallTimeouts, ProviderCall, ProviderFailure

PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
ASKED: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]
TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}


def chat(*, stream: bool = False, model: str = "claude-sonnet-4-5", **body: Any) -> ProviderCall:
    return ProviderCall(
        endpoint="/v1/chat/completions",
        native_id=model,
        body={"model": "anthropic/alpha", "messages": ASKED, **body},
        stream=stream,
        timeouts=PATIENT,
        request_id="job_1",
        max_output_tokens=64_000,
    )


def messages(*, stream: bool = False, **body: Any) -> ProviderCall:
    asked = {"model": "anthropic/alpha", "max_tokens": 99, "messages": ASKED, **body}
    endpoint: Endpoint = "/v1/messages"
    return replace(chat(stream=stream), endpoint=endpoint, body=asked)


async def failure(wire: HttpProvider, call: ProviderCall) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as raised:
        await wire.call(call)
    return raised.value
