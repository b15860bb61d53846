"""Sending webhooks: which targets are allowed, how a message is signed, and the POST itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.event import Origin
from domain.webhooks.state import Endpoint


@dataclass(frozen=True, slots=True)
class SendResult:
    """What came of one POST: a status code, or an `error` in our own words.

    `retry_after` is what the receiver asked for, in seconds.
    """

    status_code: int | None
    retry_after: float | None
    error: str | None
    duration_ms: int


class WebhookSender(Protocol):
    """Laws, held by `tests/integration/test_webhook_sender.py`:

    1. `post` never raises for what the receiver or the network does, and never follows a
       redirect.
    2. It ends within the timeout.
    3. An address that is not public is refused when the connection is made, whatever its name
       resolved to before, unless private targets are allowed.
    """

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> SendResult: ...


class TargetPolicy(Protocol):
    """Whether a URL may be registered as a target."""

    async def check(self, url: str) -> None:
        """Raises `InvalidRequest` with the code `webhook_target_refused`."""
        ...


class Signer(Protocol):
    """Signatures of the Standard Webhooks scheme."""

    def headers(
        self, message_id: str, at: int, body: bytes, secrets: Sequence[str]
    ) -> dict[str, str]:
        """The headers of an attempt made at `at` (Unix ms), with one signature a secret."""
        ...


class Pings(Protocol):
    """Test messages."""

    async def ping(self, endpoint: Endpoint, event_type: str, origin: Origin) -> SendResult:
        """Sends a signed test message now, once, and records it with what came of it."""
        ...
