"""Many marks of one transaction as one a consumer."""

from collections.abc import Sequence

from domain.ports.event_store import Mark


def latest(marks: Sequence[Mark]) -> list[Mark]:
    """One mark a consumer, by name: its highest watermark, and everything handled beyond it."""
    by_consumer: dict[str, Mark] = {}
    for mark in marks:
        before = by_consumer.get(mark.consumer, Mark(mark.consumer, 0))
        by_consumer[mark.consumer] = Mark(
            mark.consumer,
            max(before.watermark, mark.watermark),
            (*before.handled, *mark.handled),
        )
    return [by_consumer[consumer] for consumer in sorted(by_consumer)]
