"""Vocabularies of byte pair encodings, from files on this machine alone.

tiktoken is the optional extra `tokens`; it would fetch what it does not have, and so it is given
everything here.
"""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from tiktoken import Encoding

# tiktoken gives up, in a panic, on endless runs of spaces; a cut adds a token at most.
_AT_ONCE = 10_000

log = structlog.get_logger(__name__)
CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """An encoding: the checksum of its file, and the pattern by which text is cut into words."""

    name: str
    checksum: str
    pattern: str

    @property
    def file_name(self) -> str:
        return f"{self.name}.tiktoken"


class Shelf:
    """The vocabularies of one folder, each read at its first use; for any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reading = Lock()
        self._read: dict[str, CountTokens | None] = {}

    def is_ready(self, vocabulary: Vocabulary) -> bool:
        """Whether asking for it takes no time: it was read, or is known to be missing."""
        return vocabulary.name in self._read

    def counter(self, vocabulary: Vocabulary) -> CountTokens | None:
        """What counts tokens in it; None without the file, or without tiktoken."""
        if vocabulary.name not in self._read:
            with self._reading:
                if vocabulary.name not in self._read:
                    self._read[vocabulary.name] = self._counter(vocabulary)
        return self._read[vocabulary.name]

    def _counter(self, vocabulary: Vocabulary) -> CountTokens | None:
        path = self._folder / vocabulary.file_name
        if not path.exists():
            return None
        content = path.read_bytes()
        if sha256(content).hexdigest() != vocabulary.checksum:
            log.warning("vocabulary.damaged", path=str(path))
            return None
        encoding = _encoding(vocabulary, content)
        return None if encoding is None else lambda text: _count(encoding, text)


def _count(encoding: "Encoding", text: str) -> int:
    parts = (text[start : start + _AT_ONCE] for start in range(0, len(text), _AT_ONCE))
    return sum(len(encoding.encode_ordinary(part)) for part in parts)


def _encoding(vocabulary: Vocabulary, content: bytes) -> "Encoding | None":
    try:
        from tiktoken import Encoding  # noqa: PLC0415  an optional library
    except ModuleNotFoundError:
        log.warning("vocabulary.unused", reason="tiktoken is not installed")
        return None
    lines = (line.split() for line in content.splitlines() if line)
    return Encoding(
        vocabulary.name,
        pat_str=vocabulary.pattern,
        mergeable_ranks={b64decode(token): int(rank) for token, rank in lines},
        special_tokens={},
    )
