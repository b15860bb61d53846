"""Admission: what a submission becomes once its model, price and worst case are known."""

from domain.catalog.catalogue import Resolved
from domain.errors import InvalidRequest
from domain.rating.estimate import tokens_to_hold

# The output limit of a model that states none.
DEFAULT_OUTPUT_TOKENS = 4_096
# What such a model puts out for a caller who names no limit either is held for up to so many.
UNTOLD_OUTPUT_TOKENS = 32_768


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


def output_to_hold(resolved: Resolved, asked: int | None, choices: int) -> int:
    """Output tokens to set money aside for: where nobody names a limit, none is sent on, and the
    answer may be as long as the model's context has room for. Else as `output_limit`.
    """
    limit = output_limit(resolved, asked, choices)
    if asked is not None or resolved.model.max_output_tokens is not None:
        return limit
    room = min(resolved.model.context_length or 0, UNTOLD_OUTPUT_TOKENS)
    return max(limit, room * choices)


def estimated_input(size: int) -> int:
    """Input tokens to hold for, given the body's size in bytes."""
    return tokens_to_hold(size)
