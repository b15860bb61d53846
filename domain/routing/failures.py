"""What the customer is told when no offer could answer: our codes, our words, no upstream text."""

from collections.abc import Sequence
from typing import Final

from domain.inference.events import Failure
from domain.ports.provider import FailureKind, ProviderFailure

# The same request fails everywhere: these are returned and never tried elsewhere.
_FINAL: Final[dict[FailureKind, Failure]] = {
    "bad_request": Failure(
        code="invalid_request",
        message="the provider refused the request as invalid; check its fields against the model",
        status_code=400,
    ),
    "too_large": Failure(
        code="request_too_large",
        message="the request is larger than the provider takes",
        status_code=413,
    ),
    "context_length": Failure(
        code="context_length_exceeded",
        message="the prompt and the requested output are longer than the model's context",
        status_code=400,
    ),
    "refused": Failure(
        code="content_refused",
        message="the provider's content policy refused the request",
        status_code=400,
    ),
}
# A streamed answer broke off after the customer had seen some of it.
INTERRUPTED: Final = Failure(
    code="stream_interrupted",
    message="the provider's answer broke off; what came so far is not complete",
    status_code=502,
)
_KEY_REFUSED: Final = Failure(
    code="provider_key_refused",
    message="your own key was refused by its provider, or has no funds there, or was removed",
    status_code=403,
)
_UNSUPPORTED: Final = Failure(
    code="unsupported_parameter",
    message="no provider of this model can be given what the request asks for",
    status_code=400,
)
_TIMEOUT = Failure(
    code="provider_timeout",
    message="no provider answered in time",
    status_code=504,
)
_RATE_LIMITED = Failure(
    code="provider_rate_limited",
    message="the providers of this model are at their rate limit; try again later",
    status_code=429,
)
_ONE_FAILED = Failure(
    code="provider_error",
    message="the provider could not answer",
    status_code=502,
)
_ALL_FAILED = Failure(
    code="all_providers_failed",
    message="no provider of this model could answer",
    status_code=502,
)


def is_final(kind: FailureKind) -> bool:
    """Whether the request itself is at fault, so that no other offer is asked."""
    return kind in _FINAL


def of_own_key(failure: ProviderFailure) -> ProviderFailure:
    """The failure of a call that was made with the customer's own key."""
    if failure.kind not in ("auth", "quota"):
        return failure
    message = "the provider refused the customer's own key"
    return ProviderFailure("own_key_refused", message, status_code=failure.status_code)


def failure_of(kinds: Sequence[FailureKind], offers_asked: int) -> Failure:
    """The failure to report after calls to so many offers failed in these ways, in order."""
    if kinds and is_final(kinds[-1]):
        return _FINAL[kinds[-1]]
    if kinds and all(kind == "unsupported" for kind in kinds):
        return _UNSUPPORTED
    if kinds and all(kind == "own_key_refused" for kind in kinds):
        return _KEY_REFUSED
    if kinds and all(kind.startswith("timeout_") for kind in kinds):
        return _TIMEOUT
    if kinds and all(kind == "rate_limited" for kind in kinds):
        return _RATE_LIMITED
    return _ONE_FAILED if offers_asked == 1 else _ALL_FAILED
