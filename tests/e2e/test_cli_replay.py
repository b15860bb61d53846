"""Replays and exports of a part of a data directory's log."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.e2e.test_cli import invoke
from tests.support.stores import accepted, cancelled, job_id, opened_store, write


async def filled(folder: Path) -> str:
    """A data directory with six events."""
    async with opened_store(folder / "events.db") as store:
        for number in range(3):
            await write(store, job_id(number), accepted(number), cancelled(number))
    return str(folder)


async def replayed(data: str, *arguments: str) -> list[dict[str, Any]]:
    done = await invoke("log", "replay", "--data", data, "--json", *arguments)
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def positions(data: str, *arguments: str) -> list[int]:
    return [event["position"] for event in await replayed(data, *arguments)]


async def test_a_replay_goes_from_one_position_to_another(tmp_path: Path) -> None:
    data = await filled(tmp_path)
    assert await positions(data) == [1, 2, 3, 4, 5, 6]
    assert await positions(data, "--from", "2", "--to", "4") == [2, 3, 4]


async def test_a_time_stands_before_the_first_event_recorded_at_or_after_it(
    tmp_path: Path,
) -> None:
    data = await filled(tmp_path)
    times = [event["envelope"]["at"] for event in await replayed(data)]
    for at in times:
        point = datetime.fromtimestamp(at / 1000, UTC).isoformat()
        first = times.index(at) + 1
        assert await positions(data, "--from", point) == list(range(first, 7))
        assert await positions(data, "--to", point) == list(range(1, first))


async def test_neighbouring_parts_share_no_event_and_leave_none_out(tmp_path: Path) -> None:
    data = await filled(tmp_path)
    at = (await replayed(data, "--from", "3", "--to", "3"))[0]["envelope"]["at"]
    point = datetime.fromtimestamp(at / 1000, UTC).isoformat()
    before, after = await positions(data, "--to", point), await positions(data, "--from", point)
    assert before + after == [1, 2, 3, 4, 5, 6]


async def test_a_part_is_exported_and_verified(tmp_path: Path) -> None:
    data, file = await filled(tmp_path), tmp_path / "part.jsonl"
    done = await invoke(
        *("log", "export", "--data", data, "--from", "3", "--to", "4", "--output", str(file))
    )
    assert done.exit_code == 0, done.stderr
    assert (await invoke("log", "verify", str(file))).exit_code == 0
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], *lines[2:]]))
    assert (await invoke("log", "verify", str(file))).exit_code == 1


async def test_an_embedded_log_has_no_partitions(tmp_path: Path) -> None:
    data = await filled(tmp_path)
    for arguments in (("--source", "kafka"), ("--topic", "billing-1")):
        done = await invoke("log", "replay", "--data", data, *arguments)
        assert done.exit_code == 2
        assert "no Kafka" in done.stderr
