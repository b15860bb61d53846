"""A part of the log, named by positions or by times.

Times are those at which events were recorded; on many nodes they need not rise with the position.
A time therefore names a place in the log, once and for all: that before the first event which was
recorded at or after it. So neighbouring ranges share no event and leave none out.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

import msgspec

from adapters.codec.events import Envelope
from domain.ports.stored_rows import StoredRow, StoredRows

Point = int | datetime
_envelope = msgspec.json.Decoder(Envelope).decode


@runtime_checkable
class TimedRows(StoredRows, Protocol):
    """Rows that know by themselves where a time is."""

    def before(self, unix_ms: int) -> int:
        """The last position before the first event recorded at or after this time."""
        ...


@dataclass(frozen=True, slots=True)
class LogRange:
    """The events after one position, up to and with another."""

    after: int
    last: int


def point_of(text: str) -> Point:
    """A position, or a time in RFC 3339, in UTC where it names no offset. Raises `ValueError`."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is neither a position nor a time in RFC 3339") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def range_of(rows: StoredRows, begin: Point | None, end: Point | None) -> LogRange:
    """From `begin` on, up to and with a position `end` or before a time; all without them."""
    head = rows.last()
    after = 0 if begin is None else begin - 1 if isinstance(begin, int) else _before(rows, begin)
    last = head if end is None else end if isinstance(end, int) else _before(rows, end)
    last = min(head, last)
    return LogRange(min(max(0, after), last), last)


def _before(rows: StoredRows, time: datetime) -> int:
    unix_ms = round(time.timestamp() * 1000)
    if isinstance(rows, TimedRows):
        return rows.before(unix_ms)
    low, high = 0, rows.last()
    while low < high:
        middle = (low + high) // 2
        if _recorded_at(rows, middle + 1) < unix_ms:
            low = middle + 1
        else:
            high = middle
    return low


def _recorded_at(rows: StoredRows, position: int) -> int:
    """When the event was recorded, or the next one whose envelope can be read."""
    while found := rows.rows(position - 1, 1):
        if (at := time_in(found[0])) is not None:
            return at
        position += 1
    return 2**63 - 1


def time_in(row: StoredRow) -> int | None:
    """When an event was recorded, in Unix milliseconds; None when its envelope cannot be read."""
    try:
        return _envelope(row.state).at
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
