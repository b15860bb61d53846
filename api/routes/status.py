"""The public status page, and the breakers for the operator."""

from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from api.auth import Abreast, Caller, Ports, require
from api.paging import KnownParameters, SliceQuery
from api.ports import ApiPorts
from api.reads import caught_up
from domain.errors import Conflict, NotFound, VersionConflict
from domain.ids import HOUSE_ACCOUNT
from domain.inference.view import seconds
from domain.ports.event_store import Append, StreamWrite
from domain.providers.board import Scope, Standing
from domain.providers.decide import Cause, closed
from projections.status import require_known, status_of_all, status_of_one

Admin = Annotated[Caller, require("admin")]
router = APIRouter()
# An operator's change of a breaker that moves on at the same moment is tried so often.
RESET_TRIES = 3


@router.get("/v1/status", tags=["Public"])
async def get_status(ports: Ports) -> dict[str, Any]:
    """How the providers are: their state, uptime, response times and incidents."""

    async def make() -> dict[str, Any]:
        await caught_up(ports, ports.source.head())
        return await ports.read_models.fetch(status_of_all(_providers(ports), ports.clock.now()))

    return await ports.status_pages.get("", make)


@router.get("/v1/status/{provider}", tags=["Public"])
async def get_provider_status(provider: str, ports: Ports) -> dict[str, Any]:
    """How one provider is, hour by hour."""
    require_known(provider, _providers(ports))

    async def make() -> dict[str, Any]:
        await caught_up(ports, ports.source.head())
        return await ports.read_models.fetch(status_of_one(provider, ports.clock.now()))

    return await ports.status_pages.get(provider, make)


@router.get(
    "/admin/breakers", tags=["Admin"], dependencies=[require("admin"), KnownParameters, Abreast]
)
async def list_breakers(
    ports: Ports,
    part: SliceQuery,
    provider: Annotated[str | None, Query(max_length=100)] = None,
    state: Literal["closed", "open", "half_open"] | None = None,
) -> dict[str, Any]:
    """The breakers that ever opened, or that count outcomes at this node."""
    found = [
        breaker_object(scope, standing)
        for scope, standing in sorted(ports.breakers, key=lambda pair: pair[0])
        if provider in {None, scope.provider} and state in {None, standing.breaker.phase}
    ]
    return part.of(found)


@router.post("/admin/breakers/{breaker_id}/reset", tags=["Admin"], dependencies=[KnownParameters])
async def reset_breaker(breaker_id: str, caller: Admin, ports: Ports) -> dict[str, Any]:
    """Closes a breaker, on every node; a closed one stays as it is."""
    await ports.abreast()
    scope = ports.breakers.find(breaker_id)
    if scope is None:
        raise NotFound(f"there is no breaker {breaker_id[:80]!r}")
    for _ in range(RESET_TRIES):
        standing = ports.breakers[scope]
        if standing.breaker.phase == "closed":
            return breaker_object(scope, standing)
        with suppress(VersionConflict):  # it moved on at the same moment
            await _close(ports, caller, scope, standing)
        await ports.abreast()
    if ports.breakers[scope].breaker.phase != "closed":
        raise Conflict("the breaker changed again and again meanwhile")
    return breaker_object(scope, ports.breakers[scope])


def breaker_object(scope: Scope, standing: Standing) -> dict[str, Any]:
    """A breaker as the operator sees it; without a `native_id` it is the whole provider's."""
    breaker = standing.breaker
    return {
        "id": scope.breaker_id,
        "object": "breaker",
        "provider": scope.provider,
        "native_id": scope.native_id or None,
        "state": breaker.phase,
        "reason": standing.reason or None,
        "openings": breaker.openings,
        "opened_at": seconds(breaker.opened_at) if breaker.openings else None,
        "retry_at": seconds(breaker.retry_at),
    }


async def _close(ports: ApiPorts, caller: Caller, scope: Scope, standing: Standing) -> None:
    _, events = closed(scope, standing, Cause("", ports.clock.now()))
    write = StreamWrite(scope.breaker_id, standing.version, events)
    await ports.store.append(Append(caller.origin(HOUSE_ACCOUNT), (write,)))


def _providers(ports: ApiPorts) -> list[str]:
    return [provider["id"] for provider in ports.providers if provider["enabled"]]
