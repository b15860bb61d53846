"""What a campaign does, decided by its seed alone: every job's nature and every kill's moment."""

from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from domain.inference.events import Lane
from tests.support.client import chat

Nature = Literal["answered", "slow", "flaky", "refused"]
# The share of each in a hundred jobs.
NATURES: tuple[tuple[Nature, int], ...] = (
    ("answered", 70),
    ("slow", 12),
    ("flaky", 12),
    ("refused", 6),
)
CANCELLED_SHARE = 0.05
DEADLINE_SHARE = 0.05


@dataclass(frozen=True)
class JobPlan:
    """One job: how the upstream treats it, after how long, and what its customer does.

    `account` is the number of the one that pays. A job that is sent `twice` is so at once, to two
    nodes; the customer of one that is `watched` waits for its end. `padding`: words that make
    prompt and answer long. `at`: seconds after the first job.
    """

    number: int
    nature: Nature
    delay: float
    cancel_after: float | None
    deadline: str | None
    account: int = 0
    twice: bool = False
    watched: bool = False
    has_webhook: bool = True
    lane: Lane | None = None
    padding: int = 0
    at: float = 0.0

    @property
    def key(self) -> str:
        """Its Idempotency-Key."""
        return f"job-{self.number}"

    @property
    def prompt(self) -> str:
        return f"job {self.number} of the campaign" + " please" * self.padding

    @property
    def answer(self) -> str:
        return f"the answer to job {self.number}" + " indeed" * self.padding

    def submission(self, webhook_url: str) -> dict[str, Any]:
        """The body of `POST /v1/jobs`."""
        optional: dict[str, Any] = {} if self.deadline is None else {"deadline": self.deadline}
        if self.has_webhook:
            optional["webhook"] = {"url": webhook_url}
        if self.lane is not None:
            optional["lane"] = self.lane
        return chat(self.prompt, metadata={"number": str(self.number)}, **optional)


@dataclass(frozen=True)
class Kill:
    """One SIGKILL: `delay` seconds after the engine was ready, or after it was launched."""

    delay: float
    while_starting: bool


@dataclass(frozen=True)
class Plan:
    """A campaign."""

    seed: int
    jobs: tuple[JobPlan, ...]
    kills: tuple[Kill, ...] = ()


def plan(seed: int, jobs: int, kills: int) -> Plan:
    """The campaign of this seed."""
    random = Random(seed)  # noqa: S311 - replayable
    return Plan(
        seed,
        tuple(plan_job(random, number) for number in range(jobs)),
        tuple(_kill(random) for _ in range(kills)),
    )


def plan_job(random: Random, number: int) -> JobPlan:
    """One job of one account."""
    names, weights = zip(*NATURES, strict=True)
    nature: Nature = random.choices(names, weights)[0]
    delay = random.uniform(0.5, 3.0) if nature == "slow" else random.uniform(0.0, 0.3)
    fate = random.random()
    cancelled = fate < CANCELLED_SHARE
    hurried = CANCELLED_SHARE <= fate < CANCELLED_SHARE + DEADLINE_SHARE
    return JobPlan(
        number,
        nature,
        delay,
        random.uniform(0.0, 0.5) if cancelled else None,
        f"{random.randint(50, 1500)}ms" if hurried else None,
    )


def _kill(random: Random) -> Kill:
    if random.random() < 0.2:
        return Kill(random.uniform(0.0, 0.4), while_starting=True)
    return Kill(random.expovariate(1.0), while_starting=False)
