"""The lanes of jobs: only the first event of a job tells its lane, and all of them follow it."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from adapters.codec.events import Envelope
from adapters.kafka.topics import has_lane, topic_of
from domain.inference.events import Lane
from domain.ports.relay import RelaySource
from domain.ports.stored_rows import StoredRow

KEPT: Final = 100_000
# Of a job whose first event cannot be read. One lane for ever, so that the stream stays whole.
UNREADABLE_LANE: Final[Lane] = "standard"


class _Accepted(msgspec.Struct):
    lane: Lane


_envelope = msgspec.json.Decoder(Envelope).decode
_accepted = msgspec.json.Decoder(_Accepted).decode


class Lanes:
    """Knows the topic of every event, and the lanes of the jobs that were busy of late."""

    def __init__(self, source: RelaySource) -> None:
        self._source = source
        self._lanes: OrderedDict[str, Lane] = OrderedDict()

    async def families(self, rows: Sequence[StoredRow]) -> list[str]:
        """The family of each row. Raises `UnknownFamily`."""
        named = [(row, row.topic.partition("@")[0]) for row in rows]
        await self._learn([row for row, name in named if has_lane(name)])
        families = [
            topic_of(name, self._lanes[row.stream] if has_lane(name) else None)
            for row, name in named
        ]
        while len(self._lanes) > KEPT:
            self._lanes.popitem(last=False)
        return families

    async def _learn(self, rows: Sequence[StoredRow]) -> None:
        unknown: dict[str, None] = {}
        for row in rows:
            if row.version == 1:
                self._lanes[row.stream] = _lane_of(row)
            elif row.stream in self._lanes:
                self._lanes.move_to_end(row.stream)
            else:
                unknown[row.stream] = None
        if unknown:
            firsts = await self._source.firsts(tuple(unknown))
            self._lanes.update((row.stream, _lane_of(row)) for row in firsts)


def _lane_of(first: StoredRow) -> Lane:
    try:
        return _accepted(_envelope(first.state).data).lane
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return UNREADABLE_LANE
