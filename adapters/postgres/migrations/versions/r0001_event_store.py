"""The event store, what it keeps in the same transactions, and the data keys.

Keys are compared byte by byte (`COLLATE "C"`), as everywhere else in the engine: faster, and no
upgrade of the system's locales can damage an index. Amounts are picodollars, times are Unix
milliseconds.
"""

from alembic import op

revision = "0001"
down_revision = None

# Tables of few rows that change all the time: room in each page for the next version of a row,
# so that an update touches no index, and a vacuum after every few changes.
BUSY = "WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)"
# The event store's library sets these on its own table: nothing in it is ever changed or deleted,
# and it is not gone through for dead rows.
NEVER_CHANGED = """WITH (
    autovacuum_enabled = true,
    autovacuum_vacuum_threshold = 100000000,
    autovacuum_vacuum_scale_factor = 0.5,
    autovacuum_analyze_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01
)"""

LOG = (
    # The counter row that gives positions: who bumps it holds it until its commit is visible, so
    # that positions become visible in order and without a gap.
    f"""CREATE TABLE log_head (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        position bigint NOT NULL
    ) {BUSY}""",
    "INSERT INTO log_head (position) VALUES (0)",
    f"""CREATE TABLE stored_events (
        originator_id text COLLATE "C" NOT NULL,
        originator_version bigint NOT NULL,
        topic text COLLATE "C" NOT NULL,
        state bytea NOT NULL,
        notification_id bigint NOT NULL,
        PRIMARY KEY (originator_id, originator_version)
    ) {NEVER_CHANGED}""",
    """CREATE UNIQUE INDEX stored_events_notification_id_idx
        ON stored_events (notification_id)""",
    # What the directories in memory are built from at every start.
    """CREATE INDEX stored_events_directories ON stored_events (notification_id)
        WHERE topic LIKE 'access.%' OR topic LIKE 'catalog.%'
        OR topic LIKE 'webhooks.endpoint.%'""",
)
MONEY = (
    # The last line of defence: the engine refuses before these do.
    f"""CREATE TABLE wallets (
        account_id text COLLATE "C" PRIMARY KEY,
        allowance numeric(38,0) NOT NULL CHECK (allowance >= 0),
        purchased numeric(38,0) NOT NULL CHECK (purchased >= 0),
        held numeric(38,0) NOT NULL CHECK (held >= 0),
        CHECK (held <= allowance + purchased)
    ) {BUSY}""",
    f"""CREATE TABLE holds (
        hold_id text COLLATE "C" PRIMARY KEY,
        account_id text COLLATE "C" NOT NULL,
        picodollars numeric(38,0) NOT NULL
    ) {BUSY}""",
)
WORK = (
    f"""CREATE TABLE work (
        queue text COLLATE "C",
        item_id text COLLATE "C",
        account_id text COLLATE "C" NOT NULL,
        lane text NOT NULL,
        position bigint NOT NULL,
        cost bigint NOT NULL,
        due_at bigint NOT NULL,
        deadline_at bigint,
        starts integer NOT NULL,
        lease_id text,
        leased_until bigint,
        PRIMARY KEY (item_id, queue)
    ) {BUSY}""",
    "CREATE INDEX work_in_order ON work (queue, position)",
    """CREATE INDEX work_leases ON work (leased_until, queue)
        WHERE leased_until IS NOT NULL""",
)
FOLLOWING = (
    f"""CREATE TABLE checkpoints (
        consumer text COLLATE "C" PRIMARY KEY,
        watermark bigint NOT NULL
    ) {BUSY}""",
    f"""CREATE TABLE inbox (
        consumer text COLLATE "C",
        position bigint,
        PRIMARY KEY (consumer, position)
    ) {BUSY}""",
    """CREATE TABLE dead_letters (
        consumer text COLLATE "C",
        position bigint,
        event_name text NOT NULL,
        error text NOT NULL,
        state bytea NOT NULL,
        at bigint NOT NULL,
        PRIMARY KEY (consumer, position)
    )""",
    f"CREATE TABLE relays (name text PRIMARY KEY, position bigint NOT NULL) {BUSY}",
)
DATA_KEYS = (
    "CREATE TABLE master_key (fingerprint bytea NOT NULL)",
    # One row at most, however many nodes start at once.
    "CREATE UNIQUE INDEX one_master_key ON master_key ((true))",
    """CREATE TABLE data_keys (
        key_id text COLLATE "C" PRIMARY KEY,
        account_id text COLLATE "C" NOT NULL,
        wrapped bytea,
        created_at bigint NOT NULL,
        destroyed_at bigint
    )""",
    """CREATE UNIQUE INDEX one_live_key ON data_keys (account_id)
        WHERE wrapped IS NOT NULL""",
    # Every node looks often for keys that were destroyed.
    "CREATE INDEX destroyed_keys ON data_keys (key_id) WHERE wrapped IS NULL",
)


def upgrade() -> None:
    """Makes all of it."""
    for statement in (*LOG, *MONEY, *WORK, *FOLLOWING, *DATA_KEYS):
        op.execute(statement)
