"""The `Idempotency-Key` header.

A key names the id of what it makes, derived from the account, the kind and the key, so that the
event store itself refuses the second one. Keys therefore never expire.
"""

from starlette.requests import Request

from domain.errors import InvalidRequest

MAX_LENGTH = 255


def idempotency_key(request: Request) -> str | None:
    """The key, quoted as the IETF draft has it or bare as most clients send it.

    Raises `InvalidRequest` when it is empty or longer than 255 characters.
    """
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= MAX_LENGTH:
        raise InvalidRequest(
            f"an Idempotency-Key has 1 to {MAX_LENGTH} characters", param="Idempotency-Key"
        )
    return key


def replay_headers() -> dict[str, str]:
    """What marks an answer as a replay."""
    return {"idempotent-replayed": "true"}
