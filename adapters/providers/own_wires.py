"""A provider that speaks several wires: callers of one of them go through that one.

Some of its models may answer on one of them alone, or at another address.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from adapters.providers.http import HttpRequest, Wire
from adapters.providers.replies import Reading
from domain.inference.events import Endpoint
from domain.ports.provider import ProviderCall, ProviderFailure


class OwnWires:
    """See `adapters.providers.http.Wire`.

    Models whose native id fits a pattern of `alone` answer on that wire and on no other. `usual`
    takes the calls of every endpoint that has no wire of its own.
    """

    def __init__(
        self,
        usual: Wire,
        wires: Mapping[Endpoint, Wire],
        alone: Sequence[tuple[Wire, tuple[str, ...]]],
    ) -> None:
        self._usual = usual
        self._wires = wires
        self._alone = alone

    async def request(self, call: ProviderCall) -> HttpRequest:
        return await self._wire(call).request(call)

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        return self._wire(call).reading(call, content_type)

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return self._usual.refusal(status, headers, content)

    def _wire(self, call: ProviderCall) -> Wire:
        for wire, patterns in self._alone:
            if any(fnmatchcase(call.native_id, pattern) for pattern in patterns):
                return wire
        return self._wires.get(call.endpoint, self._usual)
