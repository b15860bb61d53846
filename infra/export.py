"""The export of the log: JSON lines, each chained to the one before it by a hash.

The first line names the format, the last one counts the events and repeats the head of the
chain. Every line ends with the member `hash`: the SHA-256 of the hash before it (64 zeros at
first) followed by the line without that member. An event's `envelope` holds the stored bytes as
they are, so that the chain speaks of what the log holds and not of a rendering of it.

The chain shows any change to a line, any line lost, added or moved, and a file cut short. Who
can write the file can chain it anew: note the head elsewhere to rule that out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from domain.ports.stored_rows import StoredRow, StoredRows

FORMAT: Final = "gatewayz-log/1"
START = "0" * 64
ROWS_AT_ONCE = 1_000
_TAIL = len(b',"hash":"') + len(START) + len(b'"}')
Progress = Callable[[int, int], None]


class UnreadableExport(Exception):
    """The file cannot be read, or is no export of this format."""


class AlteredExport(Exception):
    """The file is not what was exported; `line` is the first bad one, from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line, self.reason = line, reason


@dataclass(frozen=True, slots=True)
class Chain:
    """The end of a chain: how many events, the last position, and the hash over all of it."""

    events: int
    position: int
    head: str


class _Head(msgspec.Struct):
    format: str


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    position: int
    stream: str
    version: int
    topic: str
    envelope: msgspec.Raw


class _Trailer(msgspec.Struct, forbid_unknown_fields=True):
    events: int
    position: int


_encode = msgspec.json.Encoder().encode
_line = msgspec.json.Decoder(_Event)
_trailer = msgspec.json.Decoder(_Trailer)


def export_log(reader: StoredRows, output: BinaryIO, progress: Progress) -> Chain:
    """Writes the whole log, as it stands now, to `output`."""
    head = _write(output, START, _encode(_Head(FORMAT)))
    last, count, position = reader.last(), 0, 0
    while position < last:
        for row in reader.rows(position, min(ROWS_AT_ONCE, last - position)):
            head = _write(output, head, _encode(_event(row)))
            position, count = row.position, count + 1
        progress(position, last)
    head = _write(output, head, _encode(_Trailer(count, position)))
    return Chain(count, position, head)


def verify_export(path: Path) -> Chain:
    """Follows the chain of a file. Raises `UnreadableExport` or `AlteredExport`."""
    lines = _lines(path)
    number, head, content = next(lines, (1, "", b""))
    if head != _hash(START, content) or content != _encode(_Head(FORMAT)):
        raise UnreadableExport(f"{path} is no export in the format {FORMAT}")
    position = count = 0
    for number, claimed, content in lines:
        head = _hash(head, content)
        if head != claimed:
            raise AlteredExport(number, "its content does not match its hash")
        if content.startswith(b'{"events":'):
            return _ended(lines, number, content, Chain(count, position, head))
        position, count = _position(number, content, position), count + 1
    raise AlteredExport(number + 1, "the file ends without its last line: it was cut short")


def _event(row: StoredRow) -> _Event:
    return _Event(row.position, row.stream, row.version, row.topic, msgspec.Raw(row.state))


def _write(output: BinaryIO, before: str, content: bytes) -> str:
    after = _hash(before, content)
    output.write(content[:-1] + b',"hash":"' + after.encode() + b'"}\n')
    return after


def _hash(before: str, content: bytes) -> str:
    return sha256(before.encode() + content).hexdigest()


def _lines(path: Path) -> Iterator[tuple[int, str, bytes]]:
    """Each line's number, the hash it claims and its content without it."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                line = raw.removesuffix(b"\n")
                yield number, line[-66:-2].decode("latin-1"), line[:-_TAIL] + b"}"
    except OSError as error:
        raise UnreadableExport(f"{path} cannot be read: {error.strerror}") from error


def _position(number: int, content: bytes, before: int) -> int:
    try:
        position = _line.decode(content).position
    except msgspec.MsgspecError as error:
        raise AlteredExport(number, f"it is no event: {error}") from error
    if position != before + 1:
        raise AlteredExport(number, f"position {position} follows {before}")
    return position


def _ended(
    lines: Iterator[tuple[int, str, bytes]], number: int, content: bytes, chain: Chain
) -> Chain:
    try:
        trailer = _trailer.decode(content)
    except msgspec.MsgspecError as error:
        raise AlteredExport(number, f"it is no last line: {error}") from error
    if (trailer.events, trailer.position) != (chain.events, chain.position):
        raise AlteredExport(number, "its counts are not those of the file")
    if next(lines, None) is not None:
        raise AlteredExport(number + 1, "there is more after the last line")
    return chain
