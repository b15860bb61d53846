"""The commands on a data directory, beside the engine that works on it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.test_cli import invoke
from tests.support.client import Account
from tests.support.engine import RunningEngine


@pytest.fixture
async def data(engine: RunningEngine, account: Account) -> str:
    """A data directory on which one job has ended; its engine still runs."""
    await account.finished(await account.submit())
    await account.charges("job_0")  # answers only once the read models hold the job's end
    return str(engine.settings.data_dir)


@pytest.fixture
async def exported(data: str, tmp_path: Path) -> Path:
    file = tmp_path / "log.jsonl"
    done = await invoke("log", "export", "--data", data, "--output", str(file))
    assert done.exit_code == 0, done.stderr
    return file


def execute(path: Path, *statements: str) -> None:
    """Changes a database behind the engine's back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0


async def test_the_tail_of_the_log_shows_the_last_events(data: str) -> None:
    shown = await invoke("log", "tail", "--data", data, "--json", "-n", "200")
    events = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [event["position"] for event in events] == list(range(1, len(events) + 1))
    assert "inference.job.completed@1" in {event["type"] for event in events}
    assert "inference.job.completed@1" in (await invoke("log", "tail", "--data", data)).stdout


async def test_an_export_is_intact_and_tells_its_head(exported: Path) -> None:
    done = await invoke("log", "verify", str(exported), "--json")
    assert done.exit_code == 0
    chain = json.loads(done.stdout)
    assert chain["events"] == chain["position"] == len(exported.read_text().splitlines()) - 2
    assert (await invoke("log", "verify", str(exported), "--head", chain["head"])).exit_code == 0
    assert (await invoke("log", "verify", str(exported), "--head", "0" * 64)).exit_code == 1


async def test_any_altered_byte_is_found_at_its_line(exported: Path) -> None:
    lines = exported.read_bytes().splitlines(keepends=True)
    for number in (2, len(lines) // 2, len(lines)):
        line = lines[number - 1]
        changed = line.replace(b"1", b"2", 1) if b"1" in line else line.replace(b"0", b"3", 1)
        exported.write_bytes(b"".join([*lines[: number - 1], changed, *lines[number:]]))
        done = await invoke("log", "verify", str(exported))
        assert (done.exit_code, f"line {number}:" in done.stderr) == (1, True)


async def test_a_line_lost_moved_added_or_cut_off_is_found(exported: Path) -> None:
    lines = exported.read_bytes().splitlines(keepends=True)
    wrong = {
        "lost": [*lines[:2], *lines[3:]],
        "moved": [*lines[:2], lines[3], lines[2], *lines[4:]],
        "added": [*lines, lines[-1]],
        "cut off": lines[:-1],
    }
    for content in wrong.values():
        exported.write_bytes(b"".join(content))
        assert (await invoke("log", "verify", str(exported))).exit_code == 1


async def test_what_is_no_export_is_unreadable(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Dear diary\n")
    for path in (other, tmp_path / "missing", tmp_path):
        assert (await invoke("log", "verify", str(path))).exit_code == 2


async def test_an_export_holds_no_prompt(exported: Path) -> None:
    assert "Say hello." not in exported.read_text()


async def test_the_status_names_every_read_model(data: str) -> None:
    shown = await invoke("projections", "status", "--data", data, "--json")
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert {row["name"] for row in rows} == {
        "jobs",
        "balances",
        "ledger",
        "webhook_deliveries",
        "provider_health",
    }
    assert {row["state"] for row in rows} == {"active"}


async def test_read_models_verify_and_are_rebuilt_beside_the_engine(
    data: str, account: Account
) -> None:
    assert (await invoke("projections", "verify", "--data", data)).exit_code == 0
    rebuilt = await invoke("projections", "rebuild", "jobs", "--data", data, "--json")
    rows = [json.loads(line) for line in rebuilt.stdout.splitlines()]
    assert [row["number"] for row in rows if row["name"] == "jobs"] == [2]
    await account.finished(await account.submit())
    assert len((await account.get("/v1/jobs")).json["data"]) == 2
    assert (await invoke("projections", "verify", "jobs", "--data", data)).exit_code == 0


async def test_a_changed_row_of_a_read_model_is_named(data: str) -> None:
    execute(Path(data) / "read_models.db", "UPDATE jobs_v3_g1 SET model = 'acme/other'")
    done = await invoke("projections", "verify", "--data", data)
    assert done.exit_code == 1
    assert "model: 'acme/other', replayed 'acme/alpha'" in done.stdout


async def test_a_wallet_that_is_not_the_ledger_is_named(data: str, account: Account) -> None:
    execute(Path(data) / "events.db", "UPDATE wallets SET purchased = purchased + 1")
    done = await invoke("projections", "verify", "--data", data, "--json")
    assert done.exit_code == 1
    violations = json.loads(done.stdout)["violations"]
    assert [one["subject"] for one in violations] == [account.account_id]


async def test_a_directory_without_a_log_is_unusable(tmp_path: Path) -> None:
    output = ("--output", str(tmp_path / "log.jsonl"))
    for command in (("log", "tail"), ("log", "export", *output), ("projections", "status")):
        done = await invoke(*command, "--data", str(tmp_path / "nothing"))
        assert done.exit_code == 2
        assert "cannot be read" in done.stderr
    assert (await invoke("projections", "verify", "nope", "--data", str(tmp_path))).exit_code == 2


async def test_a_data_directory_has_no_kafka_to_replay(data: str) -> None:
    for command in ("rebuild", "verify"):
        done = await invoke("projections", command, "--data", data, "--from", "kafka")
        assert done.exit_code == 2
        assert "no Kafka" in done.stderr
    assert (await invoke("projections", "verify", "--data", data, "--from", "store")).exit_code == 0
