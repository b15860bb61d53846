"""Sync chat through the gateway on one core: requests a second, and the time it adds.

`python -m infra.benchmarks.sync [--seconds S] [--rounds N] [--count N]`: default settings, so every
commit is synced, every request held for and charged; afterwards each must have its charge. Load and
provider share the other core. Rounds are interleaved with those of the same stack that records
nothing, and with calls straight to the provider, which are the ceiling of load and provider; each
figure is the median of the rounds.
"""

import argparse
import statistics
import time
from dataclasses import dataclass, field

import uvloop

from infra.benchmarks.bare_proxy import bare_proxy
from infra.benchmarks.charges import require_charges
from infra.benchmarks.chat_mock import chat_body, chat_mock
from infra.benchmarks.http_load import Connection, Measured, connect, post, run_for
from infra.benchmarks.subjects import HOST, Subject, data_folder, gateway, pin_load

IN_FLIGHT = (8, 64, 256)
PATH = "/v1/chat/completions"


@dataclass(slots=True)
class Target:
    """What is called; `answered` counts its replies, the uncounted ones of warming up too."""

    name: str
    subject: Subject
    raw: bytes
    answered: int = 0
    # By how many were in flight.
    rounds: dict[int, list[Measured]] = field(default_factory=dict)
    # Seconds of one request after another, in the order of the others' ones.
    alone: list[float] = field(default_factory=list)

    async def load(self, seconds: float, in_flight: int) -> None:
        """One round."""
        before = self.subject.cpu_seconds
        measured = await run_for(HOST, self.subject.port, seconds, in_flight, self.raw)
        measured.cpu_seconds = self.subject.cpu_seconds - before
        assert set(measured.statuses) == {200}, f"{self.name}: {dict(measured.statuses)}"
        self.answered += measured.statuses[200]
        self.rounds.setdefault(in_flight, []).append(measured)

    async def warm_up(self, seconds: float, in_flight: int) -> None:
        """A round that does not count."""
        await self.load(seconds, in_flight)
        self.rounds[in_flight].clear()

    async def call(self, connection: Connection) -> None:
        """One request alone."""
        sent = time.perf_counter()
        status, body = await connection.request(self.raw)
        self.alone.append(time.perf_counter() - sent)
        assert status == 200, f"{self.name}: {body.decode()}"
        self.answered += 1

    def per_second(self, in_flight: int) -> float:
        """The median of the rounds."""
        return statistics.median(one.per_second for one in self.rounds[in_flight])

    def cpu_us(self, in_flight: int) -> float:
        """CPU time of a request in microseconds, the median of the rounds."""
        return statistics.median(one.cpu_us for one in self.rounds[in_flight])


def target(name: str, subject: Subject, model: str = "bench/chat") -> Target:
    """A server that speaks chat completions."""
    return Target(name, subject, post(PATH, subject.key or "none", chat_body(model)))


async def one_by_one(targets: list[Target], count: int) -> None:
    """Calls each in turn, `count` times; the first tenth only warms up."""
    connections = [await connect(HOST, one.subject.port) for one in targets]
    warming = count // 10
    for _ in range(warming + count):
        for one, connection in zip(targets, connections, strict=True):
            await one.call(connection)
    for one, connection in zip(targets, connections, strict=True):
        del one.alone[:warming]
        connection.close()


def report_added(direct: Target, through: Target) -> None:
    """What the way through adds, from pairs of calls made right after one another."""
    pairs = zip(through.alone, direct.alone, strict=True)
    added = Measured(0.0, latencies=[theirs - own for theirs, own in pairs])
    print(
        f"{through.name:30} adds p50 {added.percentile_ms(0.5):6.2f} ms   "
        f"p99 {added.percentile_ms(0.99):6.2f} ms   one after another"
    )


def report_load(one: Target, in_flight: int) -> None:
    """One line of a level of concurrency."""
    rounds = one.rounds[in_flight]
    p50, p99 = (statistics.median(r.percentile_ms(share) for r in rounds) for share in (0.5, 0.99))
    rates = sorted(r.per_second for r in rounds)
    print(
        f"{one.name:30} {one.per_second(in_flight):8.0f}/s ({rates[0]:.0f} to {rates[-1]:.0f})   "
        f"p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   {one.cpu_us(in_flight):5.0f} µs CPU"
    )


def report_ratio(ours: Target, other: Target, in_flight: int) -> None:
    """Rate to rate; and by the CPU time of a request, which others on the machine disturb less."""
    rate = ours.per_second(in_flight) / other.per_second(in_flight)
    cpu = other.cpu_us(in_flight) / ours.cpu_us(in_flight)
    print(f"ratio to {other.name}: {rate:.2f} (by CPU time {cpu:.2f})")


async def measure(targets: list[Target], given: argparse.Namespace) -> None:
    """All rounds, first those alone; `targets` begin with the provider."""
    await one_by_one(targets, given.count)
    for in_flight in IN_FLIGHT:
        for one in targets:
            await one.warm_up(given.seconds / 4, in_flight)
        for _ in range(given.rounds):
            for one in targets:
                await one.load(given.seconds, in_flight)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=1.5)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--count", type=int, default=400)
    given = arguments.parse_args()
    pin_load()
    with chat_mock() as mock, data_folder() as folder, bare_proxy(mock.port) as bare:
        with gateway(folder, mock.port) as subject:
            direct, stack, ours = (
                target("the provider itself (ceiling)", mock),
                target("same stack, nothing recorded", bare),
                target("gatewayz", subject),
            )
            uvloop.run(measure([direct, stack, ours], given))
            print(f"gatewayz: {subject.memory_mb:.0f} MB")
        report_added(direct, stack)
        report_added(direct, ours)
        for in_flight in IN_FLIGHT:
            print(f"{in_flight} in flight:")
            for one in (direct, stack, ours):
                report_load(one, in_flight)
            report_ratio(ours, stack, in_flight)
        require_charges(folder, ours.answered)


if __name__ == "__main__":
    main()
