"""The `ledger` read model: the customer's side of every entry, and every charge explained."""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.billing.events import ChargeRecorded, CreditGranted, Entry, RatingLine
from domain.event import Event, Recorded
from domain.ids import Kind, charge_id, derived_id
from domain.inference.events import AttemptRecord, JobCompleted
from domain.inference.view import seconds, usage_object
from domain.money import TokenPrice
from domain.money import picodollars_to_usd as usd
from projections import tables
from projections.folding import Projection, Row, RowKey, Rows, from_json, to_json

ENTRIES = tables.LEDGER_ENTRIES.name
CHARGES = tables.CHARGES.name
CUSTOMER_ACCOUNTS = ("allowance", "purchased")


def keys(recorded: Recorded[Event]) -> Iterable[RowKey]:
    """The charge, which the job's completion and the charge itself make together."""
    match recorded.event:
        case JobCompleted(job_id=job_id):
            return ((CHARGES, charge_id(job_id)),)
        case ChargeRecorded() as event:
            return ((CHARGES, event.charge_id),)
        case _:
            return ()


def fold(rows: Rows, recorded: Recorded[Event]) -> None:
    """The entries of a money event, and what a charge and its job say of the charge."""
    match recorded.event:
        case JobCompleted() as event:
            attempts = to_json([attempt_object(attempt) for attempt in event.attempts])
            _explain(rows, recorded, charge_id(event.job_id), event.job_id, {"attempts": attempts})
        case ChargeRecorded() as event:
            entries = entry_rows(recorded)
            _post(rows, entries)
            _explain(rows, recorded, event.charge_id, event.job_id, _charge(recorded, event))
        case CreditGranted():
            _post(rows, entry_rows(recorded))


def _post(rows: Rows, entries: Iterable[Row]) -> None:
    for row in entries:
        rows.put(ENTRIES, row)


def _explain(
    rows: Rows, recorded: Recorded[Event], charge: str, job_id: str, known: Mapping[str, Any]
) -> None:
    row = rows.get(CHARGES, charge) or dict.fromkeys(tables.CHARGES.columns.keys())
    named = {"id": charge, "account_id": recorded.account_id, "job_id": job_id}
    rows.put(CHARGES, {**row, **named, **known})


def _charge(recorded: Recorded[Event], event: ChargeRecorded) -> Row:
    return {
        "position": recorded.position,
        "created_at": recorded.recorded_at,
        "model": event.model,
        "provider": event.provider,
        "usage": to_json(usage_object(event.usage)),
        "usage_source": event.usage.source,
        "price_version": event.price_version,
        "lines": to_json([line_object(line) for line in event.lines]),
        "picodollars": event.picodollars,
        "entries": to_json(entry_rows(recorded)),
    }


def entry_rows(recorded: Recorded[Event]) -> list[Row]:
    """The ledger rows of one recorded money event; none for any other event."""
    match recorded.event:
        case ChargeRecorded() as event:
            about = _about("charge", event.model, job_id=event.job_id, charge_id=event.charge_id)
            return _entry_rows(recorded, event.charge_id, event.entries, about)
        case CreditGranted() as event:
            return _entry_rows(
                recorded, event.credit_id, event.entries, _about("grant", event.reason)
            )
        case _:
            return []


def _about(
    kind: str, description: str, *, job_id: str | None = None, charge_id: str | None = None
) -> Row:
    return {"type": kind, "description": description, "job_id": job_id, "charge_id": charge_id}


def _entry_rows(
    recorded: Recorded[Event], source_id: str, entries: Iterable[Entry], about: Row
) -> list[Row]:
    return [
        {
            "id": derived_id(Kind.LEDGER_ENTRY, source_id, entry.account),
            "account_id": recorded.account_id,
            "position": recorded.position,
            "seq": seq,
            "bucket": entry.account,
            "picodollars": entry.picodollars,
            "created_at": recorded.recorded_at,
            **about,
        }
        for seq, entry in enumerate(entries)
        if entry.account in CUSTOMER_ACCOUNTS
    ]


def attempt_object(attempt: AttemptRecord) -> dict[str, Any]:
    """An attempt as customers see it."""
    return {
        "provider": attempt.provider,
        "native_id": attempt.native_id,
        "started_at": seconds(attempt.started_at),
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.outcome,
        "status_code": attempt.status_code,
    }


def line_object(line: RatingLine) -> dict[str, Any]:
    """A rating line as customers see it."""
    return {
        "dimension": line.dimension,
        "quantity": line.quantity,
        "unit_price_usd_per_million": TokenPrice(line.picodollars_per_unit).usd_per_million(),
        "amount_usd": usd(line.picodollars),
    }


def ledger_entry_object(row: Mapping[str, Any]) -> dict[str, Any]:
    """A ledger entry as customers see it; the amount is signed."""
    return {
        "id": row["id"],
        "object": "ledger_entry",
        "created_at": seconds(row["created_at"]),
        "type": row["type"],
        "account": row["bucket"],
        "amount_usd": usd(row["picodollars"]),
        "job_id": row["job_id"],
        "charge_id": row["charge_id"],
        "description": row["description"],
        "position": str(row["position"]),
    }


def charge_object(row: Mapping[str, Any]) -> dict[str, Any]:
    """A charge with its explanation: attempts, usage, price version, lines, ledger entries."""
    return {
        "id": row["id"],
        "object": "charge",
        "job_id": row["job_id"],
        "created_at": seconds(row["created_at"]),
        "amount_usd": usd(row["picodollars"]),
        "model": row["model"],
        "provider": row["provider"],
        "usage": from_json(row["usage"]),
        "usage_source": row["usage_source"],
        "price_version": row["price_version"],
        "lines": from_json(row["lines"]),
        "attempts": from_json(row["attempts"]) or [],
        "ledger": [ledger_entry_object(entry) for entry in from_json(row["entries"])],
    }


PROJECTION = Projection(
    name="ledger",
    version=1,
    tables=(tables.LEDGER_ENTRIES, tables.CHARGES),
    event_types=(ChargeRecorded, CreditGranted, JobCompleted),
    keys=keys,
    fold=fold,
)
