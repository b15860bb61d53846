"""Answers from the read models, in step with the log."""

from pathlib import Path
from typing import Any

import pytest

from api.reads import answer
from domain.errors import InvalidRequest
from domain.ports.read_models import ReadModelUnavailable, Snapshot
from projections.listing import Page
from tests.support.engine import running_engine


def behind(snapshot: Snapshot) -> dict[str, Any]:
    """A question to a read model that is behind every position."""
    raise InvalidRequest("as_of lies beyond the end of the log", param="as_of")


async def test_only_a_position_beyond_the_log_is_the_callers_fault(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.account()
        with pytest.raises(ReadModelUnavailable):
            await answer(engine.engine.ports, behind, Page(as_of=engine.head))
        with pytest.raises(InvalidRequest):
            await answer(engine.engine.ports, behind, Page(as_of=engine.head + 1))
