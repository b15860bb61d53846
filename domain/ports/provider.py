"""A provider: one wire protocol at one base URL."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from domain.inference.events import Endpoint, Usage
from domain.value import value

# What can go wrong with a call, as the attempt policy sees it.
FailureKind = Literal[
    "connect",  # refused, DNS, TLS, reset before the request was processed
    "timeout_connect",
    "timeout_first_byte",
    "timeout_chunk",  # the stream stalled
    "timeout_total",
    "rate_limited",  # 429
    "quota",  # out of funds or quota at the provider: 402, or a 429 that says so
    "auth",  # 401, 403: our credential, not the caller's fault
    "not_found",  # 404, 410: the offer is gone
    "server_error",  # 500
    "overloaded",  # 502, 503, 504, 520-529
    "bad_request",  # 400, 422: the caller's fault
    "too_large",  # 413
    "context_length",  # more tokens than the model takes
    "refused",  # the content was blocked
    "malformed",  # a reply that is no valid answer
    "truncated",  # a stream that ended without a finish reason
    "own_key_refused",  # 401, 402, 403 to the customer's own key, or it was removed
    "unsupported",  # the request has no form in this provider's wire; it was not called
]


class ProviderFailure(Exception):
    """A call that brought no complete answer; `message` is ours and holds no upstream text."""

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        status_code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status_code = status_code
        self.retry_after = retry_after


@value()
class CallTimeouts:
    """Seconds; each bounds one phase of a call and `total` the whole."""

    connect: float
    first_byte: float
    chunk: float
    total: float


@value()
class ProviderCall:
    """One request: the caller's body, in the wire of its endpoint, for the provider's own model.

    `stream` asks the provider to stream; the reply is assembled to the same whole body.
    `max_output_tokens` is the model's limit, for wires that want one where the caller named none.
    `own_key` is the id of the customer's own key that it is made with.
    `on_cut` gets what the provider had counted so far when the call is cancelled.
    """

    endpoint: Endpoint
    native_id: str
    body: dict[str, Any]
    stream: bool
    timeouts: CallTimeouts
    request_id: str
    max_output_tokens: int | None = None
    own_key: str | None = None
    on_cut: Callable[[Usage], None] | None = None


@value()
class ProviderReply:
    """A complete answer: the endpoint's own response body, parsed.

    `usage` is None when the provider did not report any; `raw_usage` is its own object as JSON.
    `finish_reason` is in OpenAI's words. `dropped` names the caller's parameters that this
    provider could not be given.
    """

    body: dict[str, Any]
    usage: Usage | None
    raw_usage: str | None
    finish_reason: str | None
    dropped: tuple[str, ...] = ()


# Gets each event of a streamed answer, in the endpoint's own wire. What it returns, if anything, is
# over once there is room for more.
OnDelta = Callable[[dict[str, Any]], Awaitable[None] | None]


class Provider(Protocol):
    """Laws, held by `tests/contract/providers/test_laws.py`:

    1. `call` returns a complete answer or raises `ProviderFailure`; never half an answer.
    2. Cancelling the task closes the upstream connection.
    3. Every timeout of the call is kept.
    4. With `on_delta` and a streamed call, every event of the answer is given to it as it comes,
       in order, before `call` returns; what it was given may turn out to be half an answer. No
       more of the answer is read before there is room for it, and no timeout counts that time.
    5. What the wire cannot carry is refused as "unsupported" without a call, or named in
       `dropped`; nothing is left out silently.
    """

    async def call(self, call: ProviderCall, on_delta: OnDelta | None = None) -> ProviderReply: ...
