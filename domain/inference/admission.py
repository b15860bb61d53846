"""Admission: what a submission becomes once its model, price and worst case are known."""

from domain.catalog.catalogue import Resolved
from domain.errors import InvalidRequest
from domain.rating.estimate import tokens_to_hold

# The output limit of a model that states none.
DEFAULT_OUTPUT_TOKENS = 4_096


def output_limit(resolved: Resolved, asked: int | None, choices: int) -> int:
    """The most output tokens the request can bring, over all its choices.

    Raises `InvalidRequest` when one choice asks for more than the model can give.
    """
    limit = resolved.model.max_output_tokens or DEFAULT_OUTPUT_TOKENS
    if asked is None:
        return limit * choices
    if resolved.model.max_output_tokens is not None and asked > limit:
        raise InvalidRequest(
            f"{resolved.model.id} puts out {limit} tokens at most, {asked} were asked for",
            code="max_tokens_exceeded",
            param="body.max_tokens",
        )
    return asked * choices


def estimated_input(size: int) -> int:
    """Input tokens to hold for, given the body's size in bytes."""
    return tokens_to_hold(size)
