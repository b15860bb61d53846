"""The tokenisers that are shipped as data, and the files that they are fetched with."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from adapters.tokens.vocabularies import Shelf
from infra.settings import load_settings
from infra.tokenizers import fetch, known
from tests.unit.test_likely_tokens import SAMPLES

FOLDER = load_settings(None).tokens.vocabularies


@pytest.mark.parametrize(
    ("model", "vocabulary", "is_own"),
    [
        ("openai/gpt-4o-mini", "o200k_base", True),
        ("openai/gpt-5.1", "o200k_base", True),
        ("openai/gpt-oss-120b", "o200k_base", True),
        ("openai/gpt-4.1-nano", "o200k_base", True),
        ("openai/gpt-4-turbo", "cl100k_base", True),
        ("openai/text-embedding-3-small", "cl100k_base", True),
        ("openai/gpt-6-sol", "o200k_base", False),
        ("anthropic/claude-sonnet-4.5", "o200k_base", False),
        ("acme/alpha", "o200k_base", False),
    ],
)
def test_a_model_is_counted_as_its_vendor_says(model: str, vocabulary: str, is_own: bool) -> None:
    first = next(one for one in known().tokenizers if fnmatchcase(model, one.models))
    assert (first.vocabulary.name, first.is_own) == (vocabulary, is_own)


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    for vocabulary, _ in known().vocabularies:
        (tmp_path / vocabulary.file_name).write_bytes(b"")
    assert fetch(tmp_path) == ()


@pytest.mark.skipif(FOLDER is None, reason="GATEWAYZ_TOKENS__VOCABULARIES is not set")
@pytest.mark.parametrize("kind", SAMPLES)
def test_the_samples_have_as_many_tokens_as_is_said(kind: str) -> None:
    assert FOLDER is not None
    names = {vocabulary.name: vocabulary for vocabulary, _ in known().vocabularies}
    count: Callable[[str], int] | None = Shelf(FOLDER).counter(names["o200k_base"])
    assert count is not None
    text, counted, _ = SAMPLES[kind]
    assert count(text) == counted
