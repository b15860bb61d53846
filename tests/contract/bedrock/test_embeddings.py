"""Embeddings at Bedrock."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.providers.http import HttpProvider
from domain.inference.events import Usage
from domain.ports.provider import ProviderCall
from tests.contract.bedrock.calls import chat, failure
from tests.support.scripted_upstream import ScriptedUpstream, sending


def embed(model: str, given: object, **body: Any) -> ProviderCall:
    body = {"model": "acme/embedder", "input": given, **body}
    return replace(chat(model=model), endpoint="/v1/embeddings", body=body)


async def test_titan_embeds_one_text(upstream: ScriptedUpstream, bedrock: HttpProvider) -> None:
    upstream.script(sending({"embedding": [0.5, -1.0], "inputTextTokenCount": 3}))
    titan = "amazon.titan-embed-text-v2:0"
    reply = await bedrock.call(embed(titan, "one", dimensions=256, user="u"))
    sent = upstream.requests[0]
    assert sent.path == "/model/amazon.titan-embed-text-v2%3A0/invoke"
    assert sent.json() == {"inputText": "one", "dimensions": 256}
    assert reply.body["data"] == [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}]
    assert reply.usage == Usage(input_tokens=3, output_tokens=0)
    assert reply.dropped == ("user",)
    assert (await failure(bedrock, embed(titan, ["one", "two"]))).kind == "unsupported"


async def test_cohere_embeds_many_texts(upstream: ScriptedUpstream, bedrock: HttpProvider) -> None:
    upstream.script(sending({"embeddings": {"float": [[0.5], [1.0]]}, "response_type": "x"}))
    asked = embed("cohere.embed-v4:0", ["one", "two"], encoding_format="base64", dimensions=1)
    reply = await bedrock.call(asked)
    assert upstream.requests[0].json() == {
        "texts": ["one", "two"],
        "input_type": "search_document",
        "truncate": "NONE",
        "embedding_types": ["float"],
        "output_dimension": 1,
    }
    assert [vector["embedding"] for vector in reply.body["data"]] == ["AAAAPw==", "AACAPw=="]
    assert (await failure(bedrock, embed("cohere.embed-v4:0", [[1, 2]]))).kind == "unsupported"


@pytest.mark.parametrize(
    "body",
    [{}, {"embeddings": None}, {"embeddings": {"float": 7}}, {"embeddings": {"float": [["x"]]}}],
)
async def test_embeddings_that_are_none_are_malformed(
    upstream: ScriptedUpstream, bedrock: HttpProvider, body: dict[str, Any]
) -> None:
    upstream.script(sending(body))
    assert (
        await failure(bedrock, embed("cohere.embed-v4:0", "one", encoding_format="base64"))
    ).kind == "malformed"
