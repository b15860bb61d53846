"""Calls of a provider, and what is read of its answers."""

from dataclasses import replace
from typing import Any

import pytest

from domain.inference.events import Endpoint
from domain.ports.provider import (
    CallTimeouts,
    Provider,
    ProviderCall,
    ProviderFailure,
    ProviderReply,
)

PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
MESSAGES = [{"role": "user", "content": "Say hello."}]


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
