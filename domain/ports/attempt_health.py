"""What the attempt engine asks and tells about the health of offers, without ever waiting."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.inference.events import OfferRef
from domain.value import value


@value()
class Speed:
    """How fast an answer came; `first_token_ms` is known of streamed answers alone."""

    first_token_ms: int | None
    output_tokens: int


class AttemptHealth(Protocol):
    """Which offers are left alone, and how fast those are that answer."""

    def avoided(self, offers: Sequence[OfferRef]) -> Mapping[int, int]:
        """The places of the offers whose breakers are open, with when each last failed."""
        ...

    def begins(self, offer: OfferRef) -> None:
        """A call to this offer begins now; it is observed when it has ended."""
        ...

    def abandoned(self, offer: OfferRef) -> None:
        """A call was given up before it ended, and is not observed."""
        ...

    def measured(self, offer: OfferRef, speed: Speed) -> None:
        """A call has brought an answer; it is observed next."""
        ...


class NoHealth:
    """Nothing is known and nothing is kept."""

    def avoided(self, _offers: Sequence[OfferRef]) -> Mapping[int, int]:
        return {}

    def begins(self, _offer: OfferRef) -> None:
        """Nothing is kept."""

    def abandoned(self, _offer: OfferRef) -> None:
        """Nothing is kept."""

    def measured(self, _offer: OfferRef, _speed: Speed) -> None:
        """Nothing is kept."""
