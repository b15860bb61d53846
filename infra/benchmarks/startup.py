"""How long `gatewayz serve` takes until it answers, and what it needs when idle.

`python -m infra.benchmarks.startup [--runs N]`: on an empty data directory, and again on one
that holds a history. The baseline is a bare Python interpreter that imports the web stack.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from infra.benchmarks.http_load import post, run_load
from infra.benchmarks.subjects import HOST, data_folder, gateway, job_body, pin_load

HISTORY = 5_000


def start(folder: Path) -> tuple[float, float]:
    """Seconds until it listens, and MiB when idle."""
    with gateway(folder) as subject:
        time.sleep(1)
        return subject.start_seconds, subject.memory_mb


def fill(folder: Path) -> None:
    """Gives the data directory a history of jobs."""
    with gateway(folder, GATEWAYZ_SIMULATOR__LATENCY="0") as subject:
        raw = post("/v1/jobs", subject.key, job_body("simulator/chat"))
        uvloop.run(run_load(HOST, subject.port, HISTORY, 64, lambda _: raw))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5)
    runs = arguments.parse_args().runs
    pin_load()
    bare = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import fastapi, uvicorn, aiohttp"], check=True)
        bare.append(time.perf_counter() - started)
    print(f"imports of the web stack      {statistics.median(bare):6.2f} s")
    with data_folder() as folder:
        report("ready, empty", [start(folder) for _ in range(runs)], statistics.median(bare))
        fill(folder)
        name = f"ready, {HISTORY} jobs behind"
        report(name, [start(folder) for _ in range(runs)], statistics.median(bare))


def report(name: str, results: list[tuple[float, float]], bare: float) -> None:
    """One line of the result."""
    seconds = statistics.median(one[0] for one in results)
    memory = statistics.median(one[1] for one in results)
    ratio = f"({seconds / bare:.1f} x the imports)"
    print(f"{name:29} {seconds:6.2f} s   {ratio}   {memory:5.0f} MB idle")


if __name__ == "__main__":
    main()
