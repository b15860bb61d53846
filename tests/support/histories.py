"""Recorded events for tests, made without a store."""

from domain.event import Event, Recorded

STARTED_AT = 1_700_000_000_000


def recorded(
    event: Event,
    *,
    position: int = 1,
    stream: str = "stream",
    version: int = 1,
    at: int = STARTED_AT,
    account_id: str = "acct_test",
) -> Recorded[Event]:
    """`event` as it would stand in the log."""
    return Recorded(
        position=position,
        stream=stream,
        version=version,
        event_id=f"evt_{position:032x}",
        recorded_at=at,
        account_id=account_id,
        actor_type="system",
        actor_id="test",
        correlation_id="req_test",
        causation_id=None,
        trace=None,
        event=event,
    )
