"""Providers whose calls have timeouts of their own, and models that are silent while they think."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from domain.ports.provider import CallTimeouts, OnDelta, Provider, ProviderCall, ProviderReply


@dataclass(frozen=True, slots=True)
class OwnTimeouts:
    """Seconds, in place of the call's; `total` can only be shorter, as the call has a deadline."""

    connect: float | None = None
    first_byte: float | None = None
    chunk: float | None = None
    total: float | None = None

    def of(self, timeouts: CallTimeouts) -> CallTimeouts:
        """The timeouts of a call."""
        return CallTimeouts(
            connect=self.connect or timeouts.connect,
            first_byte=self.first_byte or timeouts.first_byte,
            chunk=self.chunk or timeouts.chunk,
            total=min(self.total or timeouts.total, timeouts.total),
        )


@dataclass(frozen=True, slots=True)
class Thinking:
    """Models, by patterns of their native ids, that may show nothing for `seconds`."""

    patterns: Sequence[str]
    seconds: float

    def of(self, native_id: str, timeouts: CallTimeouts) -> CallTimeouts:
        """The timeouts of a call of this model; none becomes shorter."""
        if not any(fnmatchcase(native_id, pattern) for pattern in self.patterns):
            return timeouts
        return CallTimeouts(
            connect=timeouts.connect,
            first_byte=max(self.seconds, timeouts.first_byte),
            chunk=max(self.seconds, timeouts.chunk),
            total=timeouts.total,
        )


class TimedProvider:
    """See `domain.ports.provider.Provider`: another one, with timeouts of its own.

    What the operator set comes before what is known of models that think.
    """

    def __init__(self, provider: Provider, thinking: Thinking, own: OwnTimeouts) -> None:
        self._provider = provider
        self._thinking = thinking
        self._own = own

    async def call(self, call: ProviderCall, on_delta: OnDelta | None = None) -> ProviderReply:
        timeouts = self._own.of(self._thinking.of(call.native_id, call.timeouts))
        return await self._provider.call(replace(call, timeouts=timeouts), on_delta)
