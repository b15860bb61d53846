"""Counting the tokens of texts, where no provider did."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class TokenCount:
    """So many tokens; by the model's own tokeniser, or by an estimate."""

    tokens: int
    source: Literal["tokenizer", "estimate"]


class TokenCounter(Protocol):
    """Laws, held by `tests/contract/test_token_counters.py`:

    1. Nothing is fetched: what is not on this machine is done without.
    2. Each text is counted by itself, whatever is in it: there are no special tokens.
    3. Only the tokeniser of the model itself counts as one; anything else is an estimate.
    4. Long texts do not hold up the event loop.
    """

    async def count(self, model: str, texts: Sequence[str]) -> TokenCount:
        """The tokens of all texts together for a model, by its canonical id."""
        ...
