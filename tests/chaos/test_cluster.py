"""The short form of the cluster campaign; `make chaos-cluster` runs the long one."""

from pathlib import Path
from typing import get_args

import pytest

from tests.chaos.cluster import campaign
from tests.chaos.cluster_plan import LONG, SHORT, FaultKind, cluster_plan
from tests.support.cluster import need_services

SEED = 2


@pytest.mark.timeout(300)
async def test_every_promise_survives_the_faults_of_a_cluster(server_folder: Path) -> None:
    need_services()
    verdict = await campaign(cluster_plan(SEED, 150, SHORT), server_folder)
    assert verdict.violations == [], f"seed {SEED}"


def test_a_seed_makes_the_same_campaign_again() -> None:
    assert cluster_plan(SEED, 50, LONG) == cluster_plan(SEED, 50, LONG)


def test_the_long_form_has_every_fault_that_there_is() -> None:
    planned = {fault.kind for fault in cluster_plan(SEED, 1, LONG).faults}
    assert planned == set(get_args(FaultKind))
