"""The export of the log: JSON lines, each chained to the one before it by a hash.

The first line names the format, and the position after which the export begins where that is not
the beginning of the log; the last line counts the events. Every line ends with the member `hash`:
the SHA-256 of the hash before it (64 zeros at first) followed by the line without that member. An
event's `envelope` holds the stored bytes as they are, so that the chain speaks of what the log
holds and not of a rendering of it.

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


class _Head(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    format: str
    after: int = 0


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
_head = msgspec.json.Decoder(_Head)
_line = msgspec.json.Decoder(_Event)
_trailer = msgspec.json.Decoder(_Trailer)


def export_log(
    reader: StoredRows,
    output: BinaryIO,
    progress: Progress,
    after: int = 0,
    last: int | None = None,
) -> Chain:
    """Writes the events after one position up to another, or to the end as it is now."""
    last = reader.last() if last is None else last
    head = _write(output, START, _encode(_Head(FORMAT, after)))
    count, position = 0, after
    while position < last:
        for row in reader.rows(position, min(ROWS_AT_ONCE, last - position)):
            head = _write(output, head, _encode(_event(row)))
            position, count = row.position, count + 1
        progress(position - after, last - after)
    head = _write(output, head, _encode(_Trailer(count, position)))
    return Chain(count, position, head)


def verify_export(path: Path) -> Chain:
    """Follows the chain of a file. Raises `UnreadableExport` or `AlteredExport`."""
    lines = _lines(path)
    number, head, content = next(lines, (1, "", b""))
    position, count = _begin(path, head, content), 0
    for number, claimed, content in lines:
        head = _hash(head, content)
        if head != claimed:
            raise AlteredExport(number, "its content does not match its hash")
        if content.startswith(b'{"events":'):
            return _ended(lines, number, content, Chain(count, position, head))
        position, count = _position(number, content, position), count + 1
    raise AlteredExport(number + 1, "the file ends without its last line: it was cut short")


def _begin(path: Path, head: str, content: bytes) -> int:
    """The position after which the export begins."""
    try:
        begun = _head.decode(content)
    except msgspec.MsgspecError:
        begun = _Head("")
    if begun.format != FORMAT or head != _hash(START, content) or content != _encode(begun):
        raise UnreadableExport(f"{path} is no export in the format {FORMAT}")
    return begun.after


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
