"""The `jobs` read model: every job as the job object shows it, at any earlier position too."""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.event import Event, Recorded
from domain.inference.events import (
    EVENTS,
    AttemptFailed,
    CancelRequested,
    ContentDeleted,
    Failure,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobExpired,
    JobFailed,
    JobStarted,
    LeaseExpired,
    Usage,
)
from domain.inference.view import EXPIRED, seconds, usage_object, webhook_object
from domain.money import picodollars_to_usd
from projections import tables
from projections.folding import Projection, Row, RowKey, Rows, from_json, require, to_json

TABLE = tables.JOBS.name
_EMPTY: Row = dict.fromkeys(tables.JOBS.columns.keys())
METADATA = tables.JOB_METADATA.name
JobChange = JobStarted | AttemptFailed | LeaseExpired | CancelRequested
JobEnd = JobCompleted | JobFailed | JobCancelled | JobExpired


def keys(recorded: Recorded[Event]) -> Iterable[RowKey]:
    """The job's row."""
    match recorded.event:
        case JobAccepted() as event:
            return ((TABLE, event.job_id, True),)
        case JobStarted() | AttemptFailed() | LeaseExpired() | CancelRequested() as event:
            return ((TABLE, event.job_id, False),)
        case ContentDeleted() as event:
            return ((TABLE, event.job_id, False),)
        case JobCompleted() | JobFailed() | JobCancelled() | JobExpired() as event:
            return ((TABLE, event.job_id, False),)
        case _:
            return ()


def fold(rows: Rows, recorded: Recorded[Event]) -> None:
    """The change that one event makes to its job's row."""
    match recorded.event:
        case JobAccepted() as event:
            _accept(rows, recorded, event)
        case JobStarted() | AttemptFailed() | LeaseExpired() | CancelRequested() as event:
            row = require(rows, TABLE, event.job_id)
            rows.put(TABLE, row | _change(row, recorded, event))
        case ContentDeleted() as event:
            row = require(rows, TABLE, event.job_id)
            at, position = recorded.recorded_at, recorded.position
            rows.put(TABLE, row | {"content_deleted_at": at, "content_deleted_position": position})
        case JobCompleted() | JobFailed() | JobCancelled() | JobExpired() as event:
            row = require(rows, TABLE, event.job_id)
            rows.put(TABLE, row | _end(recorded, event))


def _accept(rows: Rows, recorded: Recorded[Event], event: JobAccepted) -> None:
    row = _EMPTY | {
        "id": event.job_id,
        "account_id": recorded.account_id,
        "position": recorded.position,
        "actor_type": recorded.actor_type,
        "actor_id": recorded.actor_id,
        "endpoint": event.endpoint,
        "model": event.model,
        "lane": event.lane,
        "metadata": to_json(event.metadata),
        "webhook": None if event.webhook is None else to_json(webhook_object(event.webhook)),
        "deadline_at": event.deadline_at,
        "status": "queued",
        "status_position": recorded.position,
        "history": "[]",
        "created_at": recorded.recorded_at,
    }
    rows.put(TABLE, row)
    for key, value in event.metadata.items():
        rows.put(METADATA, _metadata_row(recorded, event.job_id, key, value))


def _metadata_row(recorded: Recorded[Event], job_id: str, key: str, value: str) -> Row:
    return {
        "account_id": recorded.account_id,
        "key": key,
        "value": value,
        "position": recorded.position,
        "job_id": job_id,
    }


def _change(row: Row, recorded: Recorded[Event], event: JobChange) -> Row:
    position, at = recorded.position, recorded.recorded_at
    match event:
        case AttemptFailed():
            return {"history": _after(row, position, "attempt")}
        case CancelRequested() if row["cancel_requested_at"] is None:
            return {"cancel_requested_at": at, "cancel_requested_position": position}
        case CancelRequested():
            return {}
        case LeaseExpired():
            return _status(row, position, "queued")
        case JobStarted() if row["started_at"] is None:
            started = {"started_at": at, "started_position": position}
            return started | {"status": "running", "status_position": position}
        case JobStarted():
            return _status(row, position, "running")


def _status(row: Row, position: int, status: str) -> Row:
    history = _after(row, position, status)
    return {"status": status, "status_position": position, "history": history}


def _after(row: Row, position: int, change: str) -> str:
    return to_json([*from_json(row["history"]), [position, change]])


def _end(recorded: Recorded[Event], event: JobEnd) -> Row:
    ended: Row = {
        "status_position": recorded.position,
        "finished_at": recorded.recorded_at,
        "finished_position": recorded.position,
        "attempts": len(event.attempts),
        "cost_picodollars": 0,
    }
    match event:
        case JobCompleted():
            return ended | {
                "status": "succeeded",
                **({} if event.model is None else {"model": event.model}),
                "provider": event.provider,
                "usage": to_json(event.usage),
                "cost_picodollars": event.cost_picodollars,
                "is_result_kept": int(event.output is not None),
            }
        case JobFailed():
            return ended | {"status": "failed"} | _error(event.failure)
        case JobExpired():
            return ended | {"status": "expired"} | _error(EXPIRED)
        case JobCancelled():
            return ended | {
                "status": "cancelled",
                "usage": None if event.usage is None else to_json(event.usage),
                "cost_picodollars": event.cost_picodollars,
            }


def _error(failure: Failure) -> Row:
    return {"error_code": failure.code, "error_message": failure.message}


def job_object(row: Mapping[str, Any], as_of: int) -> dict[str, Any]:
    """The job object of `domain.inference.view`, as it was at position `as_of`."""
    ended = _by(row, "finished", as_of)
    shown: dict[str, Any] = {
        "id": row["id"],
        "object": "job",
        "status": row["status"] if ended else _unfinished_status(row, as_of),
        "endpoint": row["endpoint"],
        "model": row["model"],
        "lane": row["lane"],
        "created_at": seconds(row["created_at"]),
        "started_at": seconds(row["started_at"]) if _by(row, "started", as_of) else None,
        "finished_at": seconds(row["finished_at"]) if ended else None,
        "deadline_at": seconds(row["deadline_at"]),
        "attempts": row["attempts"] if ended else len(_changes(row, as_of, {"attempt"})),
        **_result(row, as_of, ended=ended),
        "metadata": from_json(row["metadata"]),
        "webhook": from_json(row["webhook"]),
    }
    for name in ("cancel_requested", "content_deleted"):
        if _by(row, name, as_of):
            shown[f"{name}_at"] = seconds(row[f"{name}_at"])
    return shown


def _by(row: Mapping[str, Any], what: str, as_of: int) -> bool:
    position = row[f"{what}_position"]
    return position is not None and position <= as_of


def _changes(row: Mapping[str, Any], as_of: int, kinds: set[str]) -> list[str]:
    history: list[tuple[int, str]] = from_json(row["history"])
    return [kind for position, kind in history if position <= as_of and kind in kinds]


def _unfinished_status(row: Mapping[str, Any], as_of: int) -> str:
    """After the first start, which has its own column, the history tells."""
    if not _by(row, "started", as_of):
        return "queued"
    return (_changes(row, as_of, {"queued", "running"}) or ["running"])[-1]


def _result(row: Mapping[str, Any], as_of: int, *, ended: bool) -> dict[str, Any]:
    succeeded = ended and row["status"] == "succeeded"
    failed = ended and row["error_code"] is not None
    return {
        "provider": row["provider"] if succeeded else None,
        "usage": usage_object(from_json(row["usage"], Usage)) if ended and row["usage"] else None,
        "cost_usd": picodollars_to_usd(row["cost_picodollars"]) if ended else None,
        "result_url": f"/v1/jobs/{row['id']}/result"
        if succeeded and row["is_result_kept"] and not _by(row, "content_deleted", as_of)
        else None,
        "error": {"code": row["error_code"], "message": row["error_message"]} if failed else None,
    }


PROJECTION = Projection(
    name="jobs",
    version=3,
    tables=(tables.JOBS, tables.JOB_METADATA),
    event_types=EVENTS,
    keys=keys,
    fold=fold,
)
