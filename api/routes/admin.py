"""The operator's routes: accounts, credit, dead letters, providers and offers."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth import Abreast, Caller, Ports, require
from api.bodies import AccountBody, CreditBody
from api.idempotency import Creating, require_same
from api.model_objects import offer_object
from api.paging import KnownParameters, SliceQuery
from api.ports import ApiPorts
from api.reads import answer
from domain.access.directory import AccountEntry
from domain.access.events import AccountOpened
from domain.access.opening import NewAccount, OpeningPorts, open_account
from domain.access.scopes import OWNER_SCOPES
from domain.billing.decide import GrantCredit, decide_grant
from domain.billing.events import CreditGranted
from domain.catalog.catalogue import Model
from domain.catalog.offers import Offer
from domain.errors import Conflict, NotFound, VersionConflict
from domain.event import Event, Recorded
from domain.ids import Kind
from domain.inference.view import seconds
from domain.money import usd_to_picodollars
from domain.ports.event_store import Append, DeadLetter, StreamWrite
from projections import queries
from projections.ledger import credit_entries, ledger_entry_object

Admin = Annotated[Caller, require("admin")]
router = APIRouter(
    prefix="/admin", tags=["Admin"], dependencies=[require("admin"), KnownParameters, Abreast]
)


def account_object(account: AccountEntry) -> dict[str, Any]:
    """An account as the operator sees it."""
    return {
        "id": account.account_id,
        "object": "account",
        "name": account.name,
        "created_at": seconds(account.created_at),
    }


@router.post("/accounts", status_code=201)
async def create_account(
    body: AccountBody, caller: Admin, ports: Ports, creation: Creating
) -> dict[str, Any]:
    """Opens an account. Its owner's key, with every scope but admin, is shown here alone.

    A replay under the same Idempotency-Key has the account and no key.
    """
    account_id = creation.id_for(caller, Kind.ACCOUNT)
    key = ports.secrets.new_api_key("live")
    try:
        recorded = await open_account(
            OpeningPorts(ports.store, ports.payloads, ports.secrets, ports.clock, ports.ids),
            NewAccount(account_id, body.name, key, "live", OWNER_SCOPES),
            caller.origin(account_id),
        )
    except Conflict:
        made = await creation.made_before(account_id)
        opened = made.event
        require_same(isinstance(opened, AccountOpened) and opened.name == body.name.strip())
        await ports.keys_follower.reached(made.position)
        return {"account": account_object(_account(ports, account_id)), "api_key": None}
    await ports.keys_follower.reached(recorded[-1].position)
    return {"account": account_object(_account(ports, account_id)), "api_key": key.secret}


@router.get("/accounts")
async def list_accounts(ports: Ports, part: SliceQuery) -> dict[str, Any]:
    """Every account."""
    return part.of([account_object(account) for account in ports.keys.accounts()])


@router.get("/accounts/{account_id}")
async def get_account(account_id: str, ports: Ports) -> dict[str, Any]:
    """One account with its balance."""
    account = _account(ports, account_id)
    balance = await answer(ports, queries.find_balance(account_id))
    return {**account_object(account), "balance": balance}


@router.post("/accounts/{account_id}/credits", status_code=201)
async def grant_credit(
    account_id: str, body: CreditBody, caller: Admin, ports: Ports, creation: Creating
) -> dict[str, Any]:
    """Gives an account credit; answers with the ledger entry."""
    _account(ports, account_id)
    granted = decide_grant(
        GrantCredit(
            creation.id_for(caller, Kind.CREDIT),
            body.bucket,
            usd_to_picodollars(body.amount_usd),
            body.reason,
        )
    )
    write = StreamWrite(granted.credit_id, 0, (granted,))
    try:
        (recorded,) = await ports.store.append(Append(caller.origin(account_id), (write,)))
    except VersionConflict:
        recorded = await creation.made_before(granted.credit_id)
        require_same(
            recorded.account_id == account_id
            and isinstance(recorded.event, CreditGranted)
            and replace(recorded.event, entries=(), balance_picodollars=None) == granted
        )
    return _grant_object(recorded)


@router.get("/dead_letters")
async def list_dead_letters(
    ports: Ports, part: SliceQuery, consumer: str | None = None
) -> dict[str, Any]:
    """Events that a consumer could not handle, with the error."""
    letters = await ports.store.dead_letters(consumer)
    return part.of([_dead_letter_object(letter) for letter in letters])


@router.post("/dead_letters/{consumer}/{position}/redrive")
async def redrive(consumer: str, position: int, ports: Ports) -> dict[str, Any]:
    """Handles a dead letter again; it goes when that succeeds."""
    letters = await ports.store.dead_letters(consumer)
    letter = next((letter for letter in letters if letter.position == position), None)
    if letter is None:
        raise NotFound(f"consumer {consumer[:80]!r} has no dead letter at {position}")
    await ports.redrive(letter)
    return {**_dead_letter_object(letter), "redriven": True}


@router.get("/providers")
async def list_providers(ports: Ports, part: SliceQuery) -> dict[str, Any]:
    """The configured providers; a provider without a credential is disabled, not broken."""
    return part.of([dict(provider) for provider in ports.providers])


@router.get("/offers")
async def list_offers(
    ports: Ports,
    part: SliceQuery,
    provider: Annotated[str | None, Query(max_length=100)] = None,
    disputed: bool = False,
    unsold: bool = False,
) -> dict[str, Any]:
    """Every offer with its prices, and those that are not sold with the reason.

    `disputed` leaves those whose sources are more than a tenth apart, `unsold` those not sold.
    """
    offers = [
        (model, offer)
        for model in ports.catalogue.models
        for offer in model.offers
        if provider in (None, offer.provider)
        and (offer.disputed or not disputed)
        and not (unsold and _is_priced(model, offer))
    ]
    return part.rendered(offers, _offer_id, lambda of: _listed_offer(*of))


def _offer_id(of: tuple[Model, Offer]) -> str:
    return f"{of[1].provider}:{of[1].native_id}"


def _listed_offer(model: Model, offer: Offer) -> dict[str, Any]:
    named = {"id": _offer_id((model, offer)), "object": "offer", "model": model.id}
    told = {**named, "priced": _is_priced(model, offer), **offer_object(model, offer)}
    return told if told["priced"] else {**told, "unsold_because": offer.unsold_because or "price"}


def _is_priced(model: Model, offer: Offer) -> bool:
    return bool(offer.per_unit) or model.price(offer) is not None


@router.get("/projections")
async def list_projections(ports: Ports, part: SliceQuery) -> dict[str, Any]:
    """The read models: version, position and lag."""
    head = ports.source.head()
    return part.of(
        [
            {
                "id": f"{generation.name}@{generation.version}",
                "object": "projection",
                "name": generation.name,
                "version": generation.version,
                "state": generation.state,
                "position": str(generation.position),
                "lag": max(0, head - generation.position),
                "error": generation.error,
            }
            for generation in await ports.read_models.generations()
        ]
    )


def _account(ports: ApiPorts, account_id: str) -> AccountEntry:
    account = ports.keys.account(account_id)
    if account is None:
        raise NotFound(f"no such account: {account_id[:80]}")
    return account


def _grant_object(recorded: Recorded[Event]) -> dict[str, Any]:
    """The ledger entry of a grant, from the event itself.

    Read models that lag or fail would make a recorded grant look refused, and a retry pay twice.
    """
    if not isinstance(recorded.event, CreditGranted):
        raise TypeError(f"{recorded.event.event_name} grants no credit")
    (entry,) = credit_entries(recorded, recorded.event)
    return ledger_entry_object(entry)


def _dead_letter_object(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": f"{letter.consumer}/{letter.position}",
        "object": "dead_letter",
        "consumer": letter.consumer,
        "position": str(letter.position),
        "event_name": letter.event_name,
        "error": letter.error,
        "at": seconds(letter.at),
    }
