"""What the writer knows of the database, so that it reads little before it writes.

Nearly every append goes on with what an earlier one of this writer left: the account's wallet, the
job that it began. What was read or written stays true until somebody else writes, which SQLite
tells, or until a transaction fails.
"""

from collections.abc import Sequence

from eventsourcing.sqlite import SQLiteCursor

from adapters.sqlite.rows import select_by_keys
from adapters.sqlite.schema import WORK_COLUMNS
from adapters.store.group import State
from domain.billing.wallet import Wallet
from domain.ports.event_store import Append
from domain.ports.work_queue import WorkItem

# Streams, or accounts, that are remembered; with one more all are forgotten.
MAX_KNOWN = 5_000
VERSIONS = (
    "SELECT originator_id, MAX(originator_version) FROM stored_events "
    "WHERE originator_id IN (?) GROUP BY originator_id"
)
WALLETS = "SELECT account_id, allowance, purchased, held FROM wallets WHERE account_id IN (?)"
HOLDS = "SELECT hold_id, account_id, picodollars FROM holds WHERE hold_id IN (?)"
ITEMS = (
    f"SELECT {WORK_COLUMNS} FROM work WHERE queue IN ('dispatch', 'webhooks') "  # noqa: S608
    "AND item_id IN (?)"
)


class Known:
    """The state that appends are decided against; used within the writer's transactions."""

    def __init__(self) -> None:
        self._data_version: int | None = None
        self.forget()

    def forget(self) -> None:
        """Nothing is known any more: what was decided last may not stand."""
        self._state: State | None = None
        self._streams: set[str] = set()
        self._accounts: set[str] = set()

    def state(self, c: SQLiteCursor, appends: Sequence[Append]) -> State:
        """The database as far as the appends may touch it; deciding them changes it in place."""
        state = self._still_true(c)
        items = {effect.item_id for append in appends for effect in append.work}
        streams = {write.stream for append in appends for write in append.writes} | items
        accounts = {append.origin.account_id for append in appends if append.writes}
        self._load_streams(c, state, streams - self._streams, items)
        self._load_wallets(c, state, accounts - self._accounts)
        return state

    def _still_true(self, c: SQLiteCursor) -> State:
        # It changes when another connection has written, and only then.
        c.execute("PRAGMA data_version")
        (data_version,) = c.fetchone()
        if data_version != self._data_version or self._is_full():
            self.forget()
            self._data_version = data_version
        if self._state is None:
            c.execute("SELECT MAX(rowid) FROM stored_events")
            (last,) = c.fetchone()
            self._state = State((last or 0) + 1, {}, {}, {}, {})
        return self._state

    def _is_full(self) -> bool:
        return len(self._streams) > MAX_KNOWN or len(self._accounts) > MAX_KNOWN

    def _load_streams(
        self, c: SQLiteCursor, state: State, streams: set[str], items: set[str]
    ) -> None:
        # A hold, and an item of a work queue, bears the id of the stream that it is for, so that a
        # stream which begins here has none yet.
        versions: dict[str, int] = dict(select_by_keys(c, VERSIONS, list(streams)))
        begun = list(streams & (versions.keys() | items))
        state.versions.update(versions)
        for hold_id, account, amount in select_by_keys(c, HOLDS, begun):
            state.holds[hold_id] = account, amount
        for row in select_by_keys(c, ITEMS, begun):
            item = WorkItem(*row)
            state.items[item.queue, item.item_id] = item
        self._streams |= streams

    def _load_wallets(self, c: SQLiteCursor, state: State, accounts: set[str]) -> None:
        for account, *balances in select_by_keys(c, WALLETS, list(accounts)):
            state.wallets[account] = Wallet(*balances)
        self._accounts |= accounts
