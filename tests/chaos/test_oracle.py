"""The oracle sees what it is there to see."""

import sqlite3
from pathlib import Path

import pytest

from infra.settings import Settings, load_settings
from tests.chaos.oracle import inspect
from tests.support.client import client
from tests.support.engine import ADMIN_KEY, configuration, engine_process
from tests.support.scripted_provider import ScriptedProvider

HARM = {
    "a wallet that lost money": "UPDATE wallets SET purchased = purchased - 1 WHERE purchased > 0",
    "a wallet with money held for nothing": "UPDATE wallets SET held = held + 1",
    "a charge that is missing": "DELETE FROM stored_events WHERE topic LIKE 'billing.charge.%'",
    "an end that is missing": "DELETE FROM stored_events WHERE topic LIKE '%.completed@1'",
    "an end told twice": "INSERT INTO stored_events SELECT rowid + 1000, originator_id, "
    "originator_version + 1, topic, state FROM stored_events WHERE topic LIKE '%.completed@1'",
    "a name that no code knows": "UPDATE stored_events SET topic = 'x@1' WHERE rowid = 3",
}


async def one_job_later(folder: Path) -> Settings:
    """The settings of a data directory on which one job has run."""
    async with (
        ScriptedProvider() as upstream,
        engine_process(folder, configuration(upstream.base_url)) as process,
        client(process.base_url, ADMIN_KEY) as admin,
    ):
        owner = await admin.account()
        job_id = await owner.submit()
        await owner.finished(job_id)
        assert await owner.charges(job_id)  # the read models have taken it in
        assert await process.stop() == 0
        return load_settings(
            process.config_path, data_dir=process.data, bootstrap_admin_key=ADMIN_KEY
        )


@pytest.mark.timeout(180)
async def test_harm_of_every_kind_is_seen(tmp_path: Path) -> None:
    settings = await one_job_later(tmp_path)
    unharmed = (await inspect(settings))[0]
    assert unharmed.violations == []
    path = settings.data_dir / "events.db"
    intact = path.read_bytes()
    unseen = []
    for name, statement in HARM.items():
        path.write_bytes(intact)
        with sqlite3.connect(path) as connection:
            connection.execute(statement)
        connection.close()
        if not (await inspect(settings))[0].violations:
            unseen.append(name)
    assert unseen == []
