"""The usage of a call as far as its provider did not tell it: counted from the texts themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain.inference.events import Usage
from domain.ports.tokens import TokenCount, TokenCounter
from domain.rating.estimate import Told, asked_tokens
from domain.rating.likely import likely_tokens


class LikelyTokens:
    """A `TokenCounter` that only estimates."""

    async def count(self, model: str, texts: Sequence[str]) -> TokenCount:  # noqa: ARG002
        return TokenCount(sum(map(likely_tokens, texts)), "estimate")


LIKELY = LikelyTokens()


async def counted_input(
    counter: TokenCounter, model: str, request: Mapping[str, Any]
) -> TokenCount:
    """The input tokens of a request."""
    return await _counted(counter, model, asked_tokens(request))


async def counted_usage(
    counter: TokenCounter,
    model: str,
    request: Mapping[str, Any],
    put_out: Told,
    reported: Usage | None = None,
) -> Usage:
    """The usage of a call that brought `put_out`.

    `reported` is what its provider had counted when the call was cut off: its word on the input
    stands, and what it says of the output is the least that it can be.
    """
    output = await _counted(counter, model, put_out)
    if reported is not None and reported.input_tokens:
        most = max(output.tokens, reported.output_tokens)
        return replace(reported, output_tokens=most, source=output.source)
    asked = await counted_input(counter, model, request)
    is_exact = asked.source == output.source == "tokenizer"
    return Usage(
        input_tokens=asked.tokens,
        output_tokens=output.tokens,
        source="tokenizer" if is_exact else "estimate",
    )


async def _counted(counter: TokenCounter, model: str, told: Told) -> TokenCount:
    found = await counter.count(model, told.texts)
    return TokenCount(found.tokens + told.other_tokens, found.source)
