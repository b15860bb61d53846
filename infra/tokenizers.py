"""Which model has which tokeniser, and where the files of the tokenisers come from."""

import tempfile
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec

from adapters.tokens.counting import LocalTokenCounter, Tokenizer
from adapters.tokens.vocabularies import Shelf, Vocabulary
from infra.model_data.packages import PACKAGES, WrongPackage, downloaded
from infra.settings import Settings

TOKENIZERS = Path(__file__).parent / "model_data" / "tokenizers.json"
# The package that carries the files, under its own licence and theirs (both MIT).
SOURCE = next(package for package in PACKAGES if package.name == "litellm")


class _File(msgspec.Struct):
    within: str
    checksum: str
    pattern: str


class _Near(msgspec.Struct):
    models: str
    vocabulary: str
    factor: float


class _Told(msgspec.Struct):
    vocabularies: dict[str, _File]
    own: dict[str, list[str]]
    near: list[_Near]


@dataclass(frozen=True, slots=True)
class Known:
    """Every vocabulary with the path of its file in the package, and the tokenisers in order."""

    vocabularies: tuple[tuple[Vocabulary, str], ...]
    tokenizers: tuple[Tokenizer, ...]


@cache
def known() -> Known:
    """What is shipped."""
    told = msgspec.json.decode(TOKENIZERS.read_bytes(), type=_Told)
    found = {
        name: Vocabulary(name, file.checksum, file.pattern)
        for name, file in told.vocabularies.items()
    }
    own = [
        Tokenizer(pattern, found[name], is_own=True)
        for name, patterns in told.own.items()
        for pattern in patterns
    ]
    near = [
        Tokenizer(one.models, found[one.vocabulary], is_own=False, factor=one.factor)
        for one in told.near
    ]
    places = ((vocabulary, told.vocabularies[name].within) for name, vocabulary in found.items())
    return Known(tuple(places), (*own, *near))


def token_counter(settings: Settings) -> LocalTokenCounter:
    """What counts tokens on this node."""
    return _counter(settings.vocabularies_path)


@cache
def _counter(folder: Path) -> LocalTokenCounter:
    return LocalTokenCounter(known().tokenizers, Shelf(folder))


def fetch(folder: Path) -> tuple[str, ...]:
    """Takes the vocabularies out of their package into `folder`; the names of those that were new.

    Raises `WrongPackage`, and `CalledProcessError` when the package cannot be had.
    """
    missing = [
        (vocabulary, within)
        for vocabulary, within in known().vocabularies
        if not (folder / vocabulary.file_name).exists()
    ]
    if not missing:
        return ()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        wheel = downloaded(Path(place), (SOURCE,))[SOURCE.name]
        with wheel:
            for vocabulary, within in missing:
                _keep(vocabulary, wheel.read(within), folder)
    return tuple(vocabulary.name for vocabulary, _ in missing)


def _keep(vocabulary: Vocabulary, content: bytes, folder: Path) -> None:
    if sha256(content).hexdigest() != vocabulary.checksum:
        raise WrongPackage(f"{vocabulary.name} is not the vocabulary that was reviewed")
    partial = folder / f"{vocabulary.file_name}.part"
    partial.write_bytes(content)
    partial.replace(folder / vocabulary.file_name)
