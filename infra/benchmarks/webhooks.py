"""How long after a job has ended its webhook arrives: at 50 jobs a second, and after a burst.

`python -m infra.benchmarks.webhooks [--rate N] [--seconds N] [--burst N]`: jobs with a webhook to
one receiver, the provider at 50 ms. The time runs from the making of the terminal event, before
its commit, whose id holds the millisecond, to the last byte of the message at the receiver.
"""

import argparse
import asyncio
import json
import re
import time

import uvloop

from infra.benchmarks.http_load import Connection, Measured, connect, post, run_load
from infra.benchmarks.subjects import (
    HOST,
    Subject,
    data_folder,
    gateway,
    job_body,
    pin_load,
    start_mock_provider,
)

DELAY = 0.05
CONNECTIONS = 16
MOST_SECONDS = 60
MESSAGE_ID = re.compile(rb"webhook-id: evt_([0-9a-f]{32})")
LENGTH = re.compile(rb"content-length: (\d+)")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Receiver(asyncio.Protocol):
    """Answers every message with 200 and notes in `latencies` how many seconds it took."""

    latencies: list[float]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            message_id, length = MESSAGE_ID.search(head), LENGTH.search(head)
            if message_id is None or length is None:
                raise RuntimeError("this is no webhook")
            whole = end + 4 + int(length[1])
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            ended_ms = int(message_id[1], 16) >> 80
            self.latencies.append(time.time() - ended_ms / 1000)
            self._transport.write(OK)


async def start_receiver() -> int:
    """Starts the receiver in this process; its port."""
    server = await asyncio.get_running_loop().create_server(Receiver, HOST, 0, backlog=4096)
    port: int = server.sockets[0].getsockname()[1]
    return port


def submission(subject: Subject, receiver_port: int) -> bytes:
    """The request that submits a job with a webhook."""
    job = json.loads(job_body("bench/chat"))
    job["webhook"] = {"url": f"http://{HOST}:{receiver_port}/hook"}
    return post("/v1/jobs", subject.key, json.dumps(job).encode())


async def arrivals(count: int) -> Measured:
    """The messages once `count` have come; Receiver.latencies is empty again."""
    async with asyncio.timeout(MOST_SECONDS):
        while len(Receiver.latencies) < count:
            await asyncio.sleep(0.01)
    measured = Measured(0.0, latencies=Receiver.latencies)
    Receiver.latencies = []
    return measured


async def steady(subject: Subject, raw: bytes, rate: int, seconds: int) -> Measured:
    """Submits `rate` jobs a second, whatever is still on its way."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await connect(HOST, subject.port))

    async def submit() -> None:
        connection = await free.get()
        await connection.request(raw)
        free.put_nowait(connection)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            group.create_task(submit())
    return await arrivals(rate * seconds)


async def burst(subject: Subject, raw: bytes, count: int) -> Measured:
    """Submits `count` jobs as fast as they are accepted."""
    started = time.perf_counter()
    await run_load(HOST, subject.port, count, 128, lambda _: raw)
    measured = await arrivals(count)
    measured.seconds = time.perf_counter() - started
    return measured


async def measure(given: argparse.Namespace) -> None:
    """Prints both, after a warm-up."""
    Receiver.latencies = []
    upstream, receiver = await start_mock_provider(DELAY), await start_receiver()
    allow = {"GATEWAYZ_WEBHOOKS__ALLOW_PRIVATE_TARGETS": "true"}
    with data_folder() as folder:
        context = gateway(folder, upstream, **allow)
        subject = await asyncio.to_thread(context.__enter__)
        try:
            raw = submission(subject, receiver)
            await burst(subject, raw, 50)
            calm = await steady(subject, raw, given.rate, given.seconds)
            rush = await burst(subject, raw, given.burst)
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)
    _show(f"{given.rate} jobs/s for {given.seconds} s", calm)
    _show(f"a burst of {given.burst}", rush)
    print(f"burst: {given.burst / rush.seconds:.0f} jobs/s, submission to the last webhook")


def _show(name: str, measured: Measured) -> None:
    print(
        f"{name:24} terminal event to arrival   p50 {measured.percentile_ms(0.5):6.1f} ms   "
        f"p95 {measured.percentile_ms(0.95):6.1f} ms   p99 {measured.percentile_ms(0.99):6.1f} ms"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rate", type=int, default=50)
    arguments.add_argument("--seconds", type=int, default=10)
    arguments.add_argument("--burst", type=int, default=500)
    pin_load()
    uvloop.run(measure(arguments.parse_args()))


if __name__ == "__main__":
    main()
