"""The refusals: each says its machine code, what is wrong, and whether retrying can help.

A `DomainError` is raised at the door and records nothing. The map from `kind` to an HTTP status
stands in `api/errors.py` alone.
"""

from typing import ClassVar, Literal

Kind = Literal[
    "invalid_request",
    "unauthenticated",
    "payment_required",
    "forbidden",
    "not_found",
    "conflict",
    "unprocessable",
    "too_large",
    "rate_limited",
    "unavailable",
]


class DomainError(Exception):
    """A refusal that the caller can understand; `param` names the field at fault."""

    kind: ClassVar[Kind]
    code: str
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code


class InvalidRequest(DomainError):
    """The request can never succeed as it is."""

    kind = "invalid_request"
    code = "invalid_request"


class Unauthenticated(DomainError):
    """No valid API key came with the request."""

    kind = "unauthenticated"
    code = "invalid_api_key"


class Forbidden(DomainError):
    """The key is valid and may not do this."""

    kind = "forbidden"
    code = "insufficient_permissions"


class NotFound(DomainError):
    """No such thing in this account."""

    kind = "not_found"
    code = "resource_not_found"


class Conflict(DomainError):
    """The thing's present state does not allow it."""

    kind = "conflict"
    code = "conflict"


class IdempotencyMismatch(DomainError):
    """The Idempotency-Key was used before with another input."""

    kind = "unprocessable"
    code = "idempotency_key_reused"


class TooLarge(DomainError):
    """The body or a part of it passes its size limit."""

    kind = "too_large"
    code = "request_too_large"


class Unavailable(DomainError):
    """The engine cannot record new work just now; the same request may succeed later."""

    kind = "unavailable"
    code = "service_unavailable"
    retryable = True


class VersionConflict(Exception):
    """The stream moved on since it was read: load it again and decide again."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"{stream}: expected version {expected}, found {actual}")
        self.stream, self.expected, self.actual = stream, expected, actual


class StoreUnavailable(Exception):
    """The event store could not be written or read; nothing of the append was recorded."""


class UndecodableEvent(Exception):
    """Stored bytes that no known event name and version can read."""
