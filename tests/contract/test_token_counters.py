"""The laws of token counters, held by those with a vocabulary and those without."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.tokens.counting import EXACT_UP_TO, LocalTokenCounter, Tokenizer
from adapters.tokens.vocabularies import Shelf, Vocabulary
from domain.ports.tokens import TokenCount, TokenCounter
from domain.rating.counting import LikelyTokens

# A vocabulary of bytes and of a few longer tokens.
MERGES = [b"he", b"ll", b"hell", b"hello"]
CONTENT = b"\n".join(
    b64encode(token) + b" %d" % rank
    for rank, token in enumerate([*(bytes([one]) for one in range(256)), *MERGES])
)
OWN = Vocabulary("tiny", sha256(CONTENT).hexdigest(), r"\S+|\s+")
TOKENIZERS = (
    Tokenizer("acme/*", OWN, is_own=True),
    Tokenizer("*", OWN, is_own=False, factor=2.0),
)


def counter(folder: Path, content: bytes | None) -> LocalTokenCounter:
    if content is not None:
        (folder / OWN.file_name).write_bytes(content)
    return LocalTokenCounter(TOKENIZERS, Shelf(folder))


@pytest.fixture(params=["vocabulary", "no vocabulary", "likely"])
def anyone(request: pytest.FixtureRequest, tmp_path: Path) -> TokenCounter:
    if request.param == "likely":
        return LikelyTokens()
    return counter(tmp_path, CONTENT if request.param == "vocabulary" else None)


async def test_whatever_text_is_counted(anyone: TokenCounter) -> None:
    texts = ["<|endoftext|>", " " * 100_000, "x" * 100_000, "\ud800", "😀", ""]
    assert (await anyone.count("acme/alpha", texts)).tokens > 0
    assert (await anyone.count("acme/alpha", [])).tokens == 0


async def test_texts_are_counted_each_by_itself(anyone: TokenCounter) -> None:
    one = await anyone.count("acme/alpha", ["hello"])
    assert (await anyone.count("acme/alpha", ["hello"] * 3)).tokens == 3 * one.tokens


async def test_the_model_s_own_tokeniser_counts_exactly(tmp_path: Path) -> None:
    own = counter(tmp_path, CONTENT)
    assert await own.count("acme/alpha", ["hello he"]) == TokenCount(3, "tokenizer")


async def test_another_s_tokeniser_is_an_estimate(tmp_path: Path) -> None:
    assert await counter(tmp_path, CONTENT).count("else/beta", ["hello he"]) == TokenCount(
        6, "estimate"
    )


async def test_without_its_file_the_count_is_an_estimate(tmp_path: Path) -> None:
    assert (await counter(tmp_path, None).count("acme/alpha", ["hello"])).source == "estimate"


async def test_a_damaged_file_is_not_counted_by(tmp_path: Path) -> None:
    damaged = counter(tmp_path, CONTENT.replace(b" 7\n", b" 8\n"))
    assert (await damaged.count("acme/alpha", ["hello"])).source == "estimate"


async def test_more_than_any_model_takes_is_estimated(tmp_path: Path) -> None:
    found = await counter(tmp_path, CONTENT).count("acme/alpha", ["hello " * EXACT_UP_TO])
    assert found.source == "estimate"
