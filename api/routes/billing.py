"""Money as its owner sees it: balance, ledger and explained charges."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api.auth import Caller, Ports, require
from api.paging import KnownParameters, PageQuery
from api.reads import answer
from domain.errors import InvalidRequest
from projections import queries

router = APIRouter(prefix="/v1/billing", tags=["Billing"], dependencies=[KnownParameters])
Reader = Annotated[Caller, require("billing:read")]
EntryType = Literal["charge", "purchase", "grant", "refund", "adjustment", "expiry"]


@router.get("/balance")
async def get_balance(
    caller: Reader,
    ports: Ports,
    as_of: Annotated[str | None, Query(include_in_schema=False)] = None,
) -> dict[str, object]:
    """What the account has, what is held for running work and what is available."""
    if as_of is not None:
        raise InvalidRequest("the balance of an earlier position is not told yet", param="as_of")
    return await answer(ports, queries.find_balance(caller.account_id))


@router.get("/ledger")
async def list_ledger(
    caller: Reader,
    ports: Ports,
    page: PageQuery,
    type: EntryType | None = None,  # noqa: A002
) -> dict[str, object]:
    """Every movement of the account's money."""
    return await answer(ports, queries.list_ledger(caller.account_id, page, entry_type=type), page)


@router.get("/charges")
async def list_charges(
    caller: Reader, ports: Ports, page: PageQuery, job_id: str | None = None
) -> dict[str, object]:
    """The account's charges; a job has at most one."""
    return await answer(ports, queries.list_charges(caller.account_id, page, job_id=job_id), page)


@router.get("/charges/{charge_id}")
async def get_charge(charge_id: str, caller: Reader, ports: Ports) -> dict[str, object]:
    """One charge, explained: attempts, usage, price version, lines and ledger entries."""
    return await answer(ports, queries.find_charge(caller.account_id, charge_id))
