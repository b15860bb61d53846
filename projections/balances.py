"""The `balances` read model: every wallet and its open holds.

It replays the effects that the event store applied, with the same functions.
"""

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from domain.billing import wallet as wallets
from domain.billing.events import MOVES_MONEY
from domain.billing.wallet import Wallet
from domain.effects import Capture, Credit, Hold, Release, WalletEffect, wallet_effect_of
from domain.event import Event, Recorded
from domain.inference.events import JobAccepted, JobCancelled, JobExpired, JobFailed
from domain.money import picodollars_to_usd as usd
from projections import tables
from projections.folding import Projection, Row, RowKey, Rows, require

TABLE = tables.BALANCES.name
HOLDS = tables.HOLDS.name


def keys(recorded: Recorded[Event]) -> Iterable[RowKey]:
    """The account's wallet, and the hold that the event makes or ends."""
    yield TABLE, recorded.account_id, False
    match wallet_effect_of(recorded.event):
        case Hold(hold_id=hold_id):
            yield HOLDS, hold_id, True
        case Capture(hold_id=hold_id) | Release(hold_id=hold_id):
            yield HOLDS, hold_id, False


def fold(rows: Rows, recorded: Recorded[Event]) -> None:
    """Applies the wallet effect of one event."""
    effect = wallet_effect_of(recorded.event)
    if effect is not None:
        row = rows.get(TABLE, recorded.account_id)
        wallet = Wallet() if row is None else wallet_of(row)
        rows.put(TABLE, _row(recorded, _apply(rows, recorded, wallet, effect)))


def _apply(rows: Rows, recorded: Recorded[Event], wallet: Wallet, effect: WalletEffect) -> Wallet:
    match effect:
        case Hold():
            rows.put(HOLDS, _hold_row(recorded, effect))
            return wallets.hold(wallet, effect.picodollars)
        case Capture():
            return wallets.capture(wallet, _end_hold(rows, effect.hold_id), effect.picodollars)[0]
        case Release():
            return wallets.release(wallet, _end_hold(rows, effect.hold_id))
        case Credit():
            return wallets.credit(wallet, effect.bucket, effect.picodollars)[0]
        case _:
            assert_never(effect)


def _end_hold(rows: Rows, hold_id: str) -> int:
    held: int = require(rows, HOLDS, hold_id)["picodollars"]
    rows.delete(HOLDS, hold_id)
    return held


def _hold_row(recorded: Recorded[Event], hold: Hold) -> Row:
    return {
        "id": hold.hold_id,
        "account_id": recorded.account_id,
        "picodollars": hold.picodollars,
        "position": recorded.position,
    }


def _row(recorded: Recorded[Event], wallet: Wallet) -> Row:
    return {
        "account_id": recorded.account_id,
        "allowance_picodollars": wallet.allowance,
        "purchased_picodollars": wallet.purchased,
        "held_picodollars": wallet.held,
        "position": recorded.position,
    }


def wallet_of(row: Mapping[str, Any]) -> Wallet:
    """The wallet that a row holds."""
    return Wallet(
        allowance=row["allowance_picodollars"],
        purchased=row["purchased_picodollars"],
        held=row["held_picodollars"],
    )


def balance_object(wallet: Wallet, as_of: int) -> dict[str, Any]:
    """The balance as customers see it."""
    return {
        "object": "balance",
        "currency": "USD",
        "total_usd": usd(wallet.total),
        "available_usd": usd(wallet.available),
        "held_usd": usd(wallet.held),
        "allowance_usd": usd(wallet.allowance),
        "purchased_usd": usd(wallet.purchased),
        "as_of": str(as_of),
    }


PROJECTION = Projection(
    name="balances",
    version=1,
    tables=(tables.BALANCES, tables.HOLDS),
    event_types=(*MOVES_MONEY, JobAccepted, JobFailed, JobCancelled, JobExpired),
    keys=keys,
    fold=fold,
)
