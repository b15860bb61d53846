"""Counting tokens: by the model's own tokeniser where it is here, else as likely as can be."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import ceil

from adapters.tokens.vocabularies import Shelf, Vocabulary
from domain.ports.tokens import TokenCount
from domain.rating.likely import likely_tokens

# So many characters are counted in about a millisecond; more are counted in a thread.
_AT_ONCE = 2_000
# No model takes more characters; counting them would take a thread for seconds.
EXACT_UP_TO = 4_000_000


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """How models, by a pattern of their ids, make tokens.

    `vocabulary` is theirs when `is_own`; else they take `factor` tokens for one of it.
    """

    models: str
    vocabulary: Vocabulary
    is_own: bool
    factor: float = 1.0


class LocalTokenCounter:
    """See `domain.ports.tokens.TokenCounter`; the first tokeniser whose pattern fits is taken."""

    def __init__(self, tokenizers: Sequence[Tokenizer], shelf: Shelf) -> None:
        self._tokenizers = tokenizers
        self._shelf = shelf
        # Of its own: counting costs a caller nothing, and must not take the threads of the others.
        self._threads = ThreadPoolExecutor(1, "tokens")

    async def count(self, model: str, texts: Sequence[str]) -> TokenCount:
        tokenizer = self._of(model)
        is_ready = tokenizer is None or self._shelf.is_ready(tokenizer.vocabulary)
        if is_ready and sum(map(len, texts)) <= _AT_ONCE:
            return self._counted(tokenizer, texts)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._counted, tokenizer, texts)

    def _of(self, model: str) -> Tokenizer | None:
        fitting = (one for one in self._tokenizers if fnmatchcase(model, one.models))
        return next(fitting, None)

    def _counted(self, tokenizer: Tokenizer | None, texts: Sequence[str]) -> TokenCount:
        factor = 1.0 if tokenizer is None else tokenizer.factor
        is_bounded = sum(map(len, texts)) <= EXACT_UP_TO
        count = self._shelf.counter(tokenizer.vocabulary) if tokenizer and is_bounded else None
        if tokenizer is None or count is None:
            return TokenCount(sum(likely_tokens(text, factor) for text in texts), "estimate")
        tokens = ceil(sum(map(count, texts)) * factor)
        return TokenCount(tokens, "tokenizer" if tokenizer.is_own else "estimate")
