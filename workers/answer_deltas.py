"""A streamed answer on its way from the attempts of a job to its client.

Nothing is handed on before an attempt has brought some of the answer, so that one that fails before
leaves no trace. What was shown cannot be taken back: after it, another attempt can only go on from
there.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any

from domain.dialects.surface import Body, Delta, GoesOn, Surface
from domain.inference.events import OfferRef
from domain.ports.clock import Clock
from domain.ports.provider import OnDelta as OnProviderDelta

# Gets each event of a streamed answer and the offer that it is from. What it returns is as in
# `domain.ports.provider.OnDelta`.
OnDelta = Callable[[OfferRef, Delta], Awaitable[None] | None]


class AnswerDeltas:
    """Hands the events of an answer on; `begun_at` is when the first of it came (monotonic), and
    `held_up_seconds` is how long an attempt's provider was not read because its client was slow.

    With `prefill` another attempt may go on from what was shown, where its surface can.
    """

    def __init__(
        self, surface: Surface, on_delta: OnDelta, clock: Clock, *, prefill: bool = False
    ) -> None:
        self._surface = surface
        self._goes_on = surface if prefill and isinstance(surface, GoesOn) else None
        self._on_delta = on_delta
        self._clock = clock
        self._waiting: list[tuple[OfferRef, Delta]] = []
        # What was shown, while it is nothing but text; and how much of it is of earlier attempts.
        self._said: list[str] | None = None if self._goes_on is None else []
        self._before = ""
        self.begun_at: float | None = None
        self.held_up_seconds = 0.0

    @property
    def has_begun(self) -> bool:
        return self.begun_at is not None

    def attempt(self, offer: OfferRef) -> OnProviderDelta:
        """What gets the events of one attempt; those that an earlier one left are forgotten."""
        self._waiting.clear()
        self.held_up_seconds = 0.0

        def take(delta: Delta) -> Awaitable[None] | None:
            if self.begun_at is not None:
                hand_on = self._on_delta if self._goes_on is None else self._hand_on
                room = hand_on(offer, delta)
                return None if room is None else _Room(room, self._clock, self._held_up)
            self._waiting.append((offer, delta))
            if self._surface.is_content(delta):
                self.finish()
            return None

        return take

    def finish(self) -> None:
        """The answer is complete, though it may have been empty."""
        self.begun_at = self.begun_at or self._clock.monotonic()
        for one in self._waiting:
            self._hand_on(*one)
        self._waiting.clear()

    def going_on(self, request: Mapping[str, Any]) -> Body | None:
        """The request whose answer goes on from what was shown; None when it cannot."""
        if self._said is None or self._goes_on is None:
            return None
        self._before = "".join(self._said)
        return self._goes_on.going_on(request, self._before)

    def whole(self, body: Body) -> Body:
        """The body of the last attempt with what the earlier ones had shown before it."""
        if not self._before or self._goes_on is None:
            return body
        return self._goes_on.joined(self._before, body)

    def _held_up(self, seconds: float) -> None:
        self.held_up_seconds += seconds

    def _hand_on(self, offer: OfferRef, delta: Delta) -> Awaitable[None] | None:
        if self._said is not None and self._goes_on is not None:
            text = self._goes_on.plain_text(delta)
            if text is None:
                self._said = None
            elif text:
                self._said.append(text)
        return self._on_delta(offer, delta)


class _Room:
    """Waits for room, and tells how long that took. One that nobody waits for tells nothing."""

    def __init__(
        self, room: Awaitable[None], clock: Clock, held_up: Callable[[float], None]
    ) -> None:
        self._room, self._clock, self._held_up = room, clock, held_up

    def __await__(self) -> Generator[Any, None, None]:
        begun_at = self._clock.monotonic()
        try:
            yield from self._room.__await__()
        finally:
            self._held_up(self._clock.monotonic() - begun_at)
