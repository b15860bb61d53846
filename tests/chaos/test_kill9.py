"""The short form of the kill campaign; `make chaos` runs the long one."""

from pathlib import Path

import pytest

from tests.chaos.kill9 import campaign
from tests.chaos.plan import plan

SEED = 20


@pytest.mark.timeout(180)
async def test_every_promise_survives_kills_at_random_moments(tmp_path: Path) -> None:
    verdict = await campaign(plan(SEED, jobs=150, kills=5), tmp_path)
    assert verdict.violations == [], f"seed {SEED}"


def test_a_seed_makes_the_same_campaign_again() -> None:
    assert plan(SEED, jobs=50, kills=20) == plan(SEED, jobs=50, kills=20)
