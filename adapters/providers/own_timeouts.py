"""A provider whose calls have timeouts of their own: one that starts slowly, or must be fast."""

from dataclasses import dataclass, replace

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


class TimedProvider:
    """See `domain.ports.provider.Provider`: another one, with timeouts of its own."""

    def __init__(self, provider: Provider, timeouts: OwnTimeouts) -> None:
        self._provider = provider
        self._timeouts = timeouts

    async def call(self, call: ProviderCall, on_delta: OnDelta | None = None) -> ProviderReply:
        timed = replace(call, timeouts=self._timeouts.of(call.timeouts))
        return await self._provider.call(timed, on_delta)
