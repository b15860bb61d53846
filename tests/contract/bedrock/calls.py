"""Calls of the wire `bedrock-converse`, and how it is reached."""

from typing import Any

import pytest

from adapters.providers.bedrock.credentials import AccessKey
from adapters.providers.bedrock.credentials import Credentials as AnyCredentials
from adapters.providers.bedrock.wire import BedrockWire
from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from domain.ports.provider import CallTimeouts, ProviderCall, ProviderFailure, ProviderReply
from tests.support.scripted_upstream import ScriptedUpstream

REGION = "eu-west-1"
KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session==")
SONNET = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
MESSAGES = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}


def provider(
    upstream: ScriptedUpstream, session: HttpSession, credentials: AnyCredentials
) -> HttpProvider:
    return HttpProvider(session, BedrockWire(REGION, credentials, base_url=upstream.base_url))


def chat(*, streamed: bool = False, model: str = SONNET, **body: Any) -> ProviderCall:
    return ProviderCall(
        endpoint="/v1/chat/completions",
        native_id=model,
        body={"model": "anthropic/claude-sonnet-4.5", "messages": MESSAGES, **body},
        stream=streamed,
        timeouts=PATIENT,
        request_id="job_1",
        max_output_tokens=64_000,
    )


async def failure(provider: HttpProvider, call: ProviderCall) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as raised:
        await provider.call(call)
    return raised.value


def message(reply: ProviderReply) -> dict[str, Any]:
    told: dict[str, Any] = reply.body["choices"][0]["message"]
    return told
