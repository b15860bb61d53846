"""Providers' lists, in the shapes that their documentation shows, come out in our units."""

import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.providers.model_lists.pages import ListForm, ListPage, read_page
from domain.catalog.events import ListedPrices
from domain.catalog.listing import ListedOffer, UnreadableList
from infra.model_lists import form_of
from infra.providers.registry import registry


def form(provider: str) -> ListForm:
    """The form that the registry says."""
    listing = registry()[provider].models
    assert listing is not None
    return form_of(listing)


def page(provider: str, body: Any) -> ListPage:
    """What comes of a page of the provider's."""
    return read_page(json.dumps(body).encode(), form(provider))


def only(provider: str, entry: Any) -> ListedOffer:
    """What comes of a list of one."""
    items = form(provider).items
    (offer,) = page(provider, {items: [entry]} if items else [entry]).offers
    return offer


def priced(input_picodollars: int, output_picodollars: int, **others: int) -> ListedPrices:
    return ListedPrices(
        input_picodollars=input_picodollars, output_picodollars=output_picodollars, **others
    )


OPENROUTER = {
    "id": "acme/large",
    "context_length": 131072,
    "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
    "pricing": {
        "prompt": "0.00000015",
        "completion": "0.0000006",
        "request": "0",
        "internal_reasoning": "0",
        "input_cache_read": "0.000000075",
    },
    "top_provider": {"max_completion_tokens": 16384},
    "supported_parameters": ["tools", "structured_outputs", "reasoning", "seed"],
}


def test_openrouter_tells_usd_per_token_as_text() -> None:
    assert only("openrouter", OPENROUTER) == ListedOffer(
        native_id="acme/large",
        prices=priced(150_000, 600_000, cache_read_picodollars=75_000),
        context_length=131072,
        max_output_tokens=16384,
        capabilities=("json_schema", "reasoning", "tools", "vision"),
        inputs=("text", "image"),
        outputs=("text",),
    )


def test_openrouter_tells_what_a_search_costs() -> None:
    pricing = {"prompt": "0.000001", "completion": "0.000001", "web_search": "0.005"}
    found = only("openrouter", {**OPENROUTER, "pricing": pricing})
    assert found.prices == priced(1_000_000, 1_000_000, search_picodollars=5_000_000_000)


def test_a_price_that_depends_is_none() -> None:
    dynamic = {**OPENROUTER, "pricing": {"prompt": "-1", "completion": "-1"}}
    assert only("openrouter", dynamic).prices is None


def test_a_missing_price_is_none_and_not_zero() -> None:
    for pricing in ({}, {"prompt": None}, {"prompt": "", "completion": "1"}, {"completion": "1"}):
        assert only("openrouter", {**OPENROUTER, "pricing": pricing}).prices is None


def test_what_is_free_says_so() -> None:
    free = {**OPENROUTER, "id": "acme/large:free", "pricing": {"prompt": "0", "completion": "0"}}
    assert only("openrouter", free).free
    assert only("openrouter", free).prices == priced(0, 0)
    assert not only("openrouter", {**free, "id": "acme/large"}).free


def test_together_lists_an_array_in_usd_per_million() -> None:
    entry = {
        "id": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "type": "chat",
        "context_length": 131072,
        "pricing": {"hourly": 0, "input": 0.88, "output": 0.88, "cached_input": 0.1, "base": 0},
    }
    offer = only("together", entry)
    assert offer.prices == priced(880_000, 880_000, cache_read_picodollars=100_000)
    assert (offer.kind, offer.context_length) == ("chat", 131072)
    assert only("together", {**entry, "type": "embedding"}).kind == "embedding"


def test_deepinfra_tells_usd_per_million_within_metadata() -> None:
    entry = {
        "id": "deepseek-ai/DeepSeek-V3.1",
        "metadata": {
            "context_length": 163840,
            "max_tokens": 16384,
            "pricing": {"input_tokens": 0.27, "output_tokens": 1.0, "cache_read_tokens": 0.216},
            "tags": ["vision", "prompt_cache"],
        },
    }
    offer = only("deepinfra", entry)
    assert offer.prices == priced(270_000, 1_000_000, cache_read_picodollars=216_000)
    assert (offer.context_length, offer.max_output_tokens) == (163840, 16384)
    assert offer.capabilities == ("prompt_caching", "vision")


def test_novita_tells_ten_thousandths_of_usd_per_million() -> None:
    entry = {
        "id": "deepseek/deepseek-v3.1",
        "input_token_price_per_m": 27000,
        "output_token_price_per_m": 110000,
        "context_size": 131072,
        "model_type": "chat",
        "features": ["function-calling", "structured-outputs"],
    }
    offer = only("novita", entry)
    assert offer.prices == priced(2_700_000, 11_000_000)
    assert offer.capabilities == ("json_schema", "tools")


def test_xai_tells_cents_per_hundred_million_tokens() -> None:
    entry = {
        "id": "grok-4",
        "prompt_text_token_price": 30000,
        "cached_prompt_text_token_price": 7500,
        "completion_text_token_price": 150000,
    }
    expected = priced(3_000_000, 15_000_000, cache_read_picodollars=750_000)
    assert only("xai", entry).prices == expected


def test_vercel_and_sambanova_tell_usd_per_token() -> None:
    vercel = {
        "id": "anthropic/claude-sonnet-4.5",
        "type": "language",
        "context_window": 200000,
        "max_tokens": 64000,
        "tags": ["tool-use", "reasoning", "vision", "file-input"],
        "pricing": {"input": "0.000003", "output": "0.000015", "input_cache_read": "0.0000003"},
    }
    offer = only("vercel-ai-gateway", vercel)
    assert offer.prices == priced(3_000_000, 15_000_000, cache_read_picodollars=300_000)
    assert offer.capabilities == ("pdf", "reasoning", "tools", "vision")
    sambanova = {"id": "DeepSeek-R1", "pricing": {"prompt": "0.000005", "completion": "0.000007"}}
    assert only("sambanova", sambanova).prices == priced(5_000_000, 7_000_000)


def test_chutes_tells_usd_per_million() -> None:
    entry = {"id": "moonshotai/Kimi-K2", "pricing": {"prompt": 0.5, "completion": 2.0}}
    assert only("chutes", entry).prices == priced(500_000, 2_000_000)


def test_near_tells_an_amount_with_a_scale() -> None:
    entry = {
        "modelId": "deepseek-ai/DeepSeek-V3.1",
        "inputCostPerToken": {"amount": 1, "scale": 6, "currency": "USD"},
        "outputCostPerToken": {"amount": 25, "scale": 7, "currency": "USD"},
        "metadata": {"contextLength": 128000},
    }
    offer = only("near", entry)
    assert (offer.prices, offer.context_length) == (priced(1_000_000, 2_500_000), 128000)
    foreign = {**entry, "inputCostPerToken": {"amount": 1, "scale": 6, "currency": "EUR"}}
    assert only("near", foreign).prices is None


def test_hugging_face_costs_what_its_dearest_host_takes() -> None:
    hosts = [
        {"status": "live", "context_length": 131072, "pricing": {"input": 0.5, "output": 1.0}},
        {"status": "live", "context_length": 65536, "pricing": {"input": 0.6, "output": 0.9}},
        {"status": "error", "pricing": {"input": 90, "output": 90}},
    ]
    offer = only("huggingface", {"id": "openai/gpt-oss-120b", "providers": hosts})
    assert (offer.prices, offer.context_length) == (priced(600_000, 1_000_000), 65536)
    unpriced = [*hosts, {"status": "live"}]
    assert only("huggingface", {"id": "a/b", "providers": unpriced}).prices is None


def test_cloudflare_tells_each_price_with_its_unit() -> None:
    entry = {
        "name": "@cf/meta/llama-3.1-8b-instruct",
        "task": {"name": "Text Generation"},
        "properties": [
            {"property_id": "context_window", "value": "7968"},
            {
                "property_id": "price",
                "value": [
                    {"unit": "per M input tokens", "price": 0.282, "currency": "USD"},
                    {"unit": "per M output tokens", "price": 0.827, "currency": "USD"},
                    {"unit": "per inference step", "price": 9, "currency": "USD"},
                ],
            },
            {"property_id": "function_calling", "value": "true"},
        ],
    }
    offer = only("cloudflare-workers-ai", entry)
    assert offer.prices == priced(282_000, 827_000)
    assert (offer.kind, offer.context_length) == ("chat", 7968)
    assert offer.capabilities == ("tools",)


def test_anthropic_lists_in_pages() -> None:
    entry = {"type": "model", "id": "claude-sonnet-4-5", "max_input_tokens": 200000}
    read = page("anthropic", {"data": [entry], "has_more": True, "last_id": "claude-sonnet-4-5"})
    assert read.offers[0].context_length == 200000
    assert read.after == {"after_id": "claude-sonnet-4-5"}
    assert page("anthropic", {"data": [entry], "has_more": False, "last_id": "x"}).after is None


def test_gemini_lists_in_pages_under_names_with_a_prefix() -> None:
    entry = {
        "name": "models/gemini-2.5-flash",
        "inputTokenLimit": 1048576,
        "outputTokenLimit": 65536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": True,
    }
    embedding = {
        "name": "models/gemini-embedding-001",
        "supportedGenerationMethods": ["embedContent"],
    }
    read = page("google-gemini", {"models": [entry, embedding], "nextPageToken": "t1"})
    assert read.after == {"pageToken": "t1"}
    assert [(one.native_id, one.kind) for one in read.offers] == [
        ("gemini-2.5-flash", "chat"),
        ("gemini-embedding-001", "embedding"),
    ]
    assert (read.offers[0].context_length, read.offers[0].max_output_tokens) == (1048576, 65536)


def test_cohere_says_what_a_model_is_for() -> None:
    entry = {"name": "command-a-03-2025", "endpoints": ["chat"], "context_length": 288000}
    assert only("cohere", entry).kind == "chat"
    assert only("cohere", {**entry, "endpoints": ["embed"]}).kind == "embedding"
    assert page("cohere", {"models": [entry], "next_page_token": "n"}).after == {"page_token": "n"}


def test_bedrock_summarises_foundation_models() -> None:
    entry = {
        "modelId": "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "inputModalities": ["TEXT", "IMAGE"],
        "outputModalities": ["TEXT"],
    }
    offer = only("bedrock", entry)
    assert (offer.kind, offer.inputs, offer.outputs) == ("chat", ("text", "image"), ("text",))
    assert only("bedrock", {**entry, "outputModalities": ["EMBEDDING"]}).kind == "embedding"


def test_ollama_lists_what_is_pulled() -> None:
    body = {"models": [{"name": "llama3.2:latest", "model": "llama3.2:latest", "size": 2019393189}]}
    read = read_page(json.dumps(body).encode(), ListForm("ollama", "models"))
    assert [one.native_id for one in read.offers] == ["llama3.2:latest"]


@pytest.mark.parametrize(
    "provider", ["openai", "groq", "mistral", "fireworks", "nebius", "moonshot"]
)
def test_the_plain_shape_is_read_with_what_each_adds(provider: str) -> None:
    entry = {"id": "m1", "object": "model", "context_window": 8192, "max_completion_tokens": 4096}
    offer = only(provider, entry)
    assert (offer.native_id, offer.prices) == ("m1", None)
    assert (offer.context_length, offer.max_output_tokens) == (8192, 4096)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b'{"data":[{"id":"a"},',
        b"[" * 100_000,
        b'{"data":null}',
        b'{"error":"x"}',
        b'{"data":[{"id":"a"},{},{},7]}',
        b'"\xff"',
    ],
)
def test_what_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableList):
        read_page(content, form("openrouter"))


def test_a_strange_entry_costs_nobody_else_anything() -> None:
    strange = {"id": 7, "pricing": "free"}
    odd = {"id": "b", "pricing": [1], "context_length": "many", "architecture": 3, "tags": {"a": 1}}
    read = page("openrouter", {"data": [OPENROUTER, strange, odd]})
    assert [one.native_id for one in read.offers] == ["acme/large", "b"]


def test_every_known_unit_is_exact() -> None:
    for name, facts in registry().items():
        if facts.models is not None and facts.models.price is not None:
            assert form(name).places.scale == Decimal(facts.models.price.scale)
            assert form(name).tells_prices


@pytest.mark.parametrize("odd", ["a" * 300, "two\nlines", "nul\0"], ids=["long", "lines", "nul"])
def test_what_can_be_no_id_is_no_entry(odd: str) -> None:
    """An id is searched, recorded and listed on every node: an endless one is nobody's model."""
    found = page("openai", {"data": [{"id": "gpt-9"}, {"id": odd}]}).offers
    assert [offer.native_id for offer in found] == ["gpt-9"]
