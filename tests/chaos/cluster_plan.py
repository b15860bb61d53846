"""What a campaign does to a cluster, decided by its seed: who submits what when, what fails when.

Moments are seconds after the first job. What a fault hits of those that are there at its moment
is decided by its number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from domain.inference.events import LANES
from tests.chaos.plan import JobPlan, Plan, plan_job

FaultKind = Literal[
    "node killed",
    "node frozen",
    "node stopped",
    "broker stopped",
    "broker killed",
    "broker frozen",
    "postgres stopped",
    "postgres killed",
    "postgres frozen",
    "connections cut",
    "redis stopped",
    "redis killed",
    "redis frozen",
    "relay killed in a batch",
    "relay deposed",
    "projector deposed",
    "records sent again",
    "leaders killed behind old records",
    "topics deleted",
    "read models rebuilt",
    "offsets reset",
    "offsets forgotten",
    "receiver failing",
    "receiver slow",
]
TWICE_SHARE = 0.15
# The upstream takes so many times longer than that of one engine: more runs at each moment.
SLOWNESS = 4
NO_WEBHOOK_SHARE = 0.1
WATCHED_SHARE = 0.2
LANE_WEIGHTS = (2, 7, 1)
# Of the jobs so many have prompts and answers that are kept as blobs.
LONG_SHARE = 0.08
PADDING = (1_500, 20_000)
BURST_SHARE = 0.4
BURSTS = 5
# Of so many accounts one has an endpoint, and one has credit for a part of its jobs only.
ENDPOINT_EVERY = 4
POOR_EVERY = 7
RICH_USD, POOR_USD = "10.00", "0.0012"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, for how long, and a number in [0, 1) that says where."""

    number: int
    kind: FaultKind
    at: float
    seconds: float
    dice: float


@dataclass(frozen=True)
class Some:
    """So many faults of a kind, each from `shortest` to `longest` seconds long."""

    count: int
    shortest: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True)
class Scale:
    """How large a campaign is: the faults are spread over `seconds`, and the jobs too."""

    accounts: int
    seconds: float
    faults: Mapping[FaultKind, Some]


LONG = Scale(
    accounts=20,
    seconds=210,
    faults={
        "node killed": Some(60, 0.0, 3.0),
        "node frozen": Some(12, 0.5, 9.0),
        "node stopped": Some(12, 0.0, 1.0),
        "broker stopped": Some(1, 20.0, 20.0),
        "broker killed": Some(2, 0.0, 5.0),
        "broker frozen": Some(1, 2.0, 12.0),
        "postgres stopped": Some(2, 0.0, 5.0),
        "postgres killed": Some(3, 0.0, 3.0),
        "postgres frozen": Some(1, 1.0, 8.0),
        "connections cut": Some(6),
        "redis stopped": Some(2, 0.0, 8.0),
        "redis killed": Some(2, 0.0, 3.0),
        "redis frozen": Some(1, 1.0, 8.0),
        "relay killed in a batch": Some(6, 0.5, 3.0),
        "relay deposed": Some(3, 1.0, 5.0),
        "projector deposed": Some(2, 1.0, 5.0),
        "records sent again": Some(8),
        "leaders killed behind old records": Some(3),
        "topics deleted": Some(1),
        "read models rebuilt": Some(3),
        "offsets reset": Some(1),
        "offsets forgotten": Some(1),
        "receiver failing": Some(3, 2.0, 8.0),
        "receiver slow": Some(2, 2.0, 8.0),
    },
)
SHORT = Scale(
    accounts=7,
    seconds=14,
    faults={
        "node killed": Some(5, 0.0, 0.5),
        "node frozen": Some(1, 4.0, 5.0),
        "node stopped": Some(1),
        "broker stopped": Some(1, 3.0, 3.0),
        "postgres killed": Some(1),
        "redis killed": Some(1, 0.0, 0.5),
        "relay killed in a batch": Some(1, 0.5, 1.0),
        "relay deposed": Some(1, 0.5, 1.0),
        "records sent again": Some(1),
        "leaders killed behind old records": Some(1),
        "receiver failing": Some(1, 1.0, 2.0),
    },
)


@dataclass(frozen=True)
class AccountPlan:
    """One customer."""

    number: int
    credit_usd: str
    has_endpoint: bool


@dataclass(frozen=True)
class ClusterPlan(Plan):
    """A campaign against a cluster."""

    accounts: tuple[AccountPlan, ...] = ()
    faults: tuple[Fault, ...] = ()


def cluster_plan(seed: int, jobs: int, scale: Scale) -> ClusterPlan:
    """The campaign of this seed."""
    random = Random(seed)  # noqa: S311 - replayable
    bursts = [random.uniform(0, scale.seconds) for _ in range(BURSTS)]
    planned = [_job(random, number, bursts, scale) for number in range(jobs)]
    return ClusterPlan(
        seed,
        tuple(sorted(planned, key=lambda job: job.at)),
        accounts=tuple(_account(number) for number in range(scale.accounts)),
        faults=_faults(random, scale),
    )


def _job(random: Random, number: int, bursts: list[float], scale: Scale) -> JobPlan:
    job = plan_job(random, number)
    in_burst = random.random() < BURST_SHARE
    return replace(
        job,
        delay=SLOWNESS * job.delay,
        account=random.randrange(scale.accounts),
        twice=random.random() < TWICE_SHARE,
        watched=random.random() < WATCHED_SHARE,
        lane=random.choices(LANES, LANE_WEIGHTS)[0],
        padding=random.randrange(*PADDING) if random.random() < LONG_SHARE else 0,
        has_webhook=random.random() >= NO_WEBHOOK_SHARE,
        at=random.choice(bursts) if in_burst else random.uniform(0, scale.seconds),
    )


def _account(number: int) -> AccountPlan:
    is_poor = number % POOR_EVERY == POOR_EVERY - 1
    return AccountPlan(
        number, POOR_USD if is_poor else RICH_USD, number % ENDPOINT_EVERY == ENDPOINT_EVERY - 1
    )


def _faults(random: Random, scale: Scale) -> tuple[Fault, ...]:
    drawn = [
        (
            random.uniform(0.02, 0.95) * scale.seconds,
            kind,
            random.uniform(some.shortest, some.longest),
        )
        for kind, some in scale.faults.items()
        for _ in range(some.count)
    ]
    return tuple(
        Fault(number, kind, at, seconds, random.random())
        for number, (at, kind, seconds) in enumerate(sorted(drawn))
    )
