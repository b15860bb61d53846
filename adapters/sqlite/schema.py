"""The tables of the embedded event store."""

# Events that in-memory directories are built from at start: an index of their own finds them
# without a walk over the whole log, and costs the other events nothing.
DIRECTORY_FAMILIES = ("access.", "catalog.", "webhooks.endpoint.")
IS_DIRECTORY_EVENT = (
    "(topic GLOB 'access.*' OR topic GLOB 'catalog.*' OR topic GLOB 'webhooks.endpoint.*')"
)

# The position is the library's `rowid`, declared: an implicit one may change under VACUUM.
# The checks on `wallets` are the last line of defence of promise P3: a transaction that would
# overspend cannot commit, whatever decided it.
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS stored_events (
    rowid INTEGER PRIMARY KEY,
    originator_id TEXT NOT NULL,
    originator_version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    state BLOB NOT NULL,
    UNIQUE (originator_id, originator_version)
);
CREATE INDEX IF NOT EXISTS stored_events_directories
    ON stored_events (rowid) WHERE {IS_DIRECTORY_EVENT};
CREATE TABLE IF NOT EXISTS wallets (
    account_id TEXT PRIMARY KEY,
    allowance INTEGER NOT NULL CHECK (allowance >= 0),
    purchased INTEGER NOT NULL CHECK (purchased >= 0),
    held INTEGER NOT NULL CHECK (held >= 0),
    CHECK (held <= allowance + purchased)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holds (
    hold_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    picodollars INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS work (
    queue TEXT,
    item_id TEXT,
    account_id TEXT NOT NULL,
    lane TEXT NOT NULL,
    position INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    deadline_at INTEGER,
    starts INTEGER NOT NULL,
    lease_id TEXT,
    leased_until INTEGER,
    PRIMARY KEY (queue, item_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoints (
    consumer TEXT PRIMARY KEY,
    watermark INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
    consumer TEXT,
    position INTEGER,
    PRIMARY KEY (consumer, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (
    consumer TEXT,
    position INTEGER,
    event_name TEXT NOT NULL,
    error TEXT NOT NULL,
    state BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (consumer, position)
) WITHOUT ROWID;
"""
STATEMENTS = [statement for statement in SCHEMA.split(";") if statement.strip()]
WORK_COLUMNS = (
    "queue, item_id, account_id, lane, position, cost, due_at, deadline_at, starts, "
    "lease_id, leased_until"
)
