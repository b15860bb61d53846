"""The tables of the read models, in one SQL for SQLite and PostgreSQL.

These are the logical names that queries use. Each is a view of the active generation's physical
table, which carries version and generation in its name. Times are Unix milliseconds, amounts
picodollars, structured values JSON text. Every row carries its account.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, Index, Integer, MetaData, Numeric, Table, Text
from sqlalchemy.types import TypeDecorator, TypeEngine


class Picodollars(TypeDecorator[int]):
    """An integer amount: NUMERIC(38, 0), and 64 bits on SQLite, which refuses what is larger."""

    impl = Numeric(38, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(Numeric(38, 0))

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


NUL = "\0"
INSTEAD_OF_NUL = "\N{REPLACEMENT CHARACTER}"


def storable_text(text: str) -> str:
    """`text` as it stands in every database: PostgreSQL holds no NUL."""
    return text.replace(NUL, INSTEAD_OF_NUL)


class Characters(TypeDecorator[str]):
    """Text in the order of its code points, and what it is compared with in its stored form.

    That is SQLite's order. PostgreSQL's own would depend on the locales of its machine.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(Text(collation=collation))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else storable_text(value)


def _key(name: str) -> Column[Any]:
    return Column(name, Characters, primary_key=True)


def _text(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Characters, nullable=nullable)


def _whole(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable)


def _picodollars(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Picodollars, nullable=nullable)


METADATA = MetaData()

JOBS = Table(
    "jobs",
    METADATA,
    _key("id"),
    _text("account_id"),
    _whole("position"),
    _text("actor_type"),
    _text("actor_id"),
    _text("endpoint"),
    _text("model"),
    _text("lane"),
    _text("metadata"),
    _text("webhook", nullable=True),
    _whole("deadline_at", nullable=True),
    _text("status"),
    _whole("status_position"),
    _text("history"),
    _whole("created_at"),
    _whole("started_at", nullable=True),
    _whole("started_position", nullable=True),
    _whole("cancel_requested_at", nullable=True),
    _whole("cancel_requested_position", nullable=True),
    _whole("finished_at", nullable=True),
    _whole("finished_position", nullable=True),
    _whole("attempts", nullable=True),
    _text("provider", nullable=True),
    _text("usage", nullable=True),
    _picodollars("cost_picodollars", nullable=True),
    _whole("is_result_kept", nullable=True),
    _text("error_code", nullable=True),
    _text("error_message", nullable=True),
    _whole("content_deleted_at", nullable=True),
    _whole("content_deleted_position", nullable=True),
    Index("ix_jobs_position", "account_id", "position"),
    Index("ix_jobs_status", "account_id", "status", "position"),
    Index("ix_jobs_model", "account_id", "model", "position"),
)

JOB_METADATA = Table(
    "job_metadata",
    METADATA,
    _key("account_id"),
    _key("key"),
    _key("value"),
    Column("position", BigInteger, primary_key=True),
    _text("job_id"),
    sqlite_with_rowid=False,
)

BALANCES = Table(
    "balances",
    METADATA,
    _key("account_id"),
    _picodollars("allowance_picodollars"),
    _picodollars("purchased_picodollars"),
    _picodollars("held_picodollars"),
    _whole("position"),
    sqlite_with_rowid=False,
)

HOLDS = Table(
    "holds",
    METADATA,
    _key("id"),
    _text("account_id"),
    _picodollars("picodollars"),
    _whole("position"),
    sqlite_with_rowid=False,
)

LEDGER_ENTRIES = Table(
    "ledger_entries",
    METADATA,
    _key("id"),
    _text("account_id"),
    _whole("position"),
    Column("seq", Integer, nullable=False),
    _text("type"),
    _text("bucket"),
    _picodollars("picodollars"),
    _text("job_id", nullable=True),
    _text("charge_id", nullable=True),
    _text("description"),
    _whole("created_at"),
    Index("ix_ledger_entries_position", "account_id", "position", "seq"),
    Index("ix_ledger_entries_type", "account_id", "type", "position", "seq"),
)

# A charge stands here without a position from its job's completion until it is itself recorded.
CHARGES = Table(
    "charges",
    METADATA,
    _key("id"),
    _text("account_id"),
    _whole("position", nullable=True),
    _text("job_id"),
    _text("attempts"),
    _whole("created_at", nullable=True),
    _text("model", nullable=True),
    _text("provider", nullable=True),
    _text("usage", nullable=True),
    _text("price_version", nullable=True),
    _text("lines", nullable=True),
    _picodollars("picodollars", nullable=True),
    _text("entries", nullable=True),
    Index("ix_charges_position", "account_id", "position"),
)

WEBHOOK_DELIVERIES = Table(
    "webhook_deliveries",
    METADATA,
    _key("id"),
    _text("account_id"),
    _whole("position"),
    _text("event_id"),
    _text("event_type"),
    _text("endpoint_id", nullable=True),
    _text("job_id", nullable=True),
    _text("url"),
    _whole("due_at"),
    _text("status"),
    _whole("status_position"),
    _whole("next_attempt_at", nullable=True),
    _text("history"),
    _whole("created_at"),
    Index("ix_webhook_deliveries_position", "account_id", "position"),
    Index("ix_webhook_deliveries_status", "account_id", "status", "position"),
    Index("ix_webhook_deliveries_event", "account_id", "event_id", "position"),
    Index("ix_webhook_deliveries_job", "account_id", "job_id", "position"),
    Index("ix_webhook_deliveries_endpoint", "account_id", "endpoint_id", "position"),
)

# One row a provider and hour; durations are counts by the buckets of `domain.providers.sketch`.
PROVIDER_HEALTH = Table(
    "provider_health",
    METADATA,
    _key("id"),
    _text("account_id"),
    _text("provider"),
    _whole("hour"),
    _whole("position"),
    _whole("succeeded"),
    _whole("failed"),
    _text("failures"),
    _whole("duration_ms_sum"),
    _text("durations"),
    _text("first_tokens"),
    _whole("probes_answered"),
    _whole("probes_failed"),
    Index("ix_provider_health_hour", "account_id", "hour", "provider"),
    sqlite_with_rowid=False,
)

PROVIDER_BREAKERS = Table(
    "provider_breakers",
    METADATA,
    _key("id"),
    _text("account_id"),
    _text("provider"),
    _text("native_id"),
    _whole("position"),
    _text("phase"),
    _text("reason"),
    _whole("openings"),
    _whole("opened_at", nullable=True),
    _whole("retry_at", nullable=True),
    _whole("changed_at"),
    sqlite_with_rowid=False,
)

PROVIDER_INCIDENTS = Table(
    "provider_incidents",
    METADATA,
    _key("id"),
    _text("account_id"),
    _text("provider"),
    _text("native_id"),
    _whole("position"),
    _text("severity"),
    _text("reason"),
    _whole("opened_at"),
    _whole("resolved_at", nullable=True),
    Index("ix_provider_incidents_opened_at", "account_id", "opened_at"),
    sqlite_with_rowid=False,
)
