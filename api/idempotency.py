"""The `Idempotency-Key` header.

A key names the id of what it makes, derived from the account, the kind and the key, so that the
event store itself refuses the second one. Keys therefore never expire (decision 0004).
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from api.auth import Caller, ports_of
from api.ports import ApiPorts
from domain.errors import IdempotencyMismatch, InvalidRequest
from domain.event import Event, Recorded
from domain.ids import Kind, derived_id

MAX_LENGTH = 255
REPLAYED: Mapping[str, str] = {"idempotent-replayed": "true"}


def idempotency_key(header: str | None) -> str | None:
    """The key, quoted as the IETF draft has it or bare as most clients send it.

    Raises `InvalidRequest` when it is empty or longer than 255 characters.
    """
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


def id_for(ports: ApiPorts, account_id: str, kind: Kind, key: str | None) -> str:
    """The id of what a request makes: fresh, or the one that its Idempotency-Key names."""
    return ports.ids.new(kind) if key is None else derived_id(kind, account_id, key)


def _creation(
    request: Request,
    response: Response,
    header: Annotated[
        str | None,
        Header(alias="Idempotency-Key", description="The same key and input: the same thing."),
    ] = None,
) -> "Creation":
    return Creation(idempotency_key(header), ports_of(request), response)


class Creation:
    """What a creating route needs to answer the same request twice with the same thing."""

    def __init__(self, key: str | None, ports: ApiPorts, response: Response) -> None:
        self._key = key
        self._ports = ports
        self._response = response

    def id_for(self, caller: Caller, kind: Kind) -> str:
        """The id of what is to be made."""
        return id_for(self._ports, caller.account_id, kind, self._key)

    @property
    def key_hash(self) -> str | None:
        """What is recorded of the key where the thing made has no id of its own."""
        return None if self._key is None else sha256(self._key.encode()).hexdigest()

    def replayed(self) -> None:
        """Marks the reply as a replay."""
        self._response.headers.update(REPLAYED)

    async def made_before(self, stream: str) -> Recorded[Event]:
        """What an earlier request with this key made; marks the reply as a replay."""
        self.replayed()
        return (await self._ports.store.read_stream(stream))[0]


def require_same(same: bool) -> None:
    """Raises `IdempotencyMismatch` when the earlier input was another."""
    if not same:
        raise IdempotencyMismatch(
            "this Idempotency-Key was used with another input", param="Idempotency-Key"
        )


Creating = Annotated[Creation, Depends(_creation)]
