"""Writes the golden bytes that are missing; it never changes bytes that are there.

Run as `python -m tests.golden.write` after a new event, a new version or a new optional field.
"""

from pathlib import Path

from adapters.codec.events import EventCodec, topic_of
from domain.event import Event
from domain.event_types import ALL_EVENTS
from tests.support.samples import sample_recorded

FOLDER = Path(__file__).parent


def golden_files(event_type: type[Event]) -> list[Path]:
    """The stored samples of the type's present version, the oldest first."""
    topic = topic_of(event_type)
    return sorted([*FOLDER.glob(f"{topic}.json"), *FOLDER.glob(f"{topic}.with-*.json")])


def topic_in(path: Path) -> str:
    """The stored topic that a golden file is of."""
    return path.name.removesuffix(".json").partition(".with-")[0]


def main() -> None:
    """Writes one file for every event type whose sample has no bytes yet."""
    codec = EventCodec(ALL_EVENTS)
    for event_type in ALL_EVENTS:
        state = codec.encode(sample_recorded(event_type))
        present = golden_files(event_type)
        if state not in [path.read_bytes() for path in present]:
            suffix = f".with-{len(present)}" if present else ""
            (FOLDER / f"{topic_of(event_type)}{suffix}.json").write_bytes(state)


if __name__ == "__main__":
    main()
