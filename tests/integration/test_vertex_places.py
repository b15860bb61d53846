"""Models of Vertex AI that only the location `global` has."""

import json

import pytest

from domain.ports.provider import CallTimeouts, ProviderCall
from infra.providers.wires import build_wire
from infra.settings import ProviderSettings
from tests.support.scripted_gemini import ScriptedGemini, service_account

TIMEOUTS = CallTimeouts(connect=5, first_byte=5, chunk=5, total=10)


async def location_of(native_id: str, **settings: object) -> str:
    """The location that a call goes to."""
    async with ScriptedGemini() as upstream:
        account = json.loads(service_account("http://127.0.0.1:1/token"))
        account["token_uri"] = f"{upstream.url}/token"
        wire = build_wire(
            ProviderSettings.model_validate(
                {
                    "preset": "google-vertex",
                    "credentials_json": json.dumps(account),
                    "base_url": upstream.url,
                    **settings,
                }
            )
        )
        body = {"messages": [{"role": "user", "content": "hi"}]}
        request = await wire.request(
            ProviderCall("/v1/chat/completions", native_id, body, False, TIMEOUTS, "req_1")
        )
    return request.url.partition("/locations/")[2].partition("/")[0]


@pytest.mark.parametrize("model", ["gemini-3-pro", "gemini-2.5-flash-preview-09-2025"])
async def test_what_is_global_alone_is_called_there_while_no_location_is_named(
    model: str,
) -> None:
    assert await location_of(model) == "global"


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "meta/llama-4-preview"])
async def test_all_else_is_called_at_the_default_location(model: str) -> None:
    assert await location_of(model) == "us-central1"


async def test_nothing_leaves_a_location_that_is_named() -> None:
    assert await location_of("gemini-3-pro", location="europe-west4") == "europe-west4"


async def test_unless_that_is_allowed() -> None:
    place = await location_of("gemini-3-pro", location="europe-west4", allow_global=True)
    assert place == "global"
