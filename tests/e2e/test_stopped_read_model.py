"""A read model that has stopped is told by the node, which goes on serving."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support.client import Client
from tests.support.engine import running_engine

SOON = 10.0


async def test_a_stopped_read_model_is_told_and_leaves_the_node_ready(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.account()
    _damage_grants(tmp_path / "events.db")
    for path in tmp_path.glob("read_models.db*"):
        path.unlink()
    async with running_engine(tmp_path) as engine:
        health = await _degraded(engine.admin)
        ready = await engine.admin.get("/ready")
    assert health["components"]["balances read model"] == "stopped"
    assert ready.status == 200
    assert ready.json["checks"]["projections_stopped"] == ["balances", "ledger"]


def _damage_grants(path: Path) -> None:
    """Makes what the balances and the ledger fold unreadable."""
    with closing(sqlite3.connect(path)) as database, database:
        changed = database.execute(
            "UPDATE stored_events SET state = x'00' WHERE topic LIKE 'billing.credit.granted@%'"
        )
        assert changed.rowcount == 1


async def _degraded(admin: Client) -> Any:
    """What `/health` says once it is not well."""
    async with asyncio.timeout(SOON):
        while (health := await admin.get("/health")).json["status"] == "ok":
            await asyncio.sleep(0.02)
    return health.json
