"""`make bench`: every benchmark, one after another."""

import subprocess
import sys

BENCHMARKS = (
    "startup",
    "latency",
    "accept",
    "complete",
    "webhooks",
    "rebuild",
    "relay",
    "interpreter_lock",
)


def main() -> None:
    """Runs each in a process of its own, so that none warms up another."""
    for name in BENCHMARKS:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"infra.benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
