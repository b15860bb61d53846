"""`make bench`: every benchmark, one after another."""

import subprocess
import sys

EMBEDDED = (
    ("startup",),
    ("latency",),
    ("accept",),
    ("complete",),
    ("sync",),
    ("streams",),
    ("models",),
    ("webhooks",),
    ("rebuild",),
    ("interpreter_lock",),
)
# These need the servers of the cluster profile as local programs.
CLUSTER = (
    ("cluster",),
    ("append_nodes",),
    ("relay",),
    ("rebuild", "20000", "postgres"),
    ("revocation",),
    ("limits",),
)


def main() -> None:
    """Runs each in a process of its own, so that none warms up another."""
    for name, *arguments in (*EMBEDDED, *_of_the_cluster()):
        print(f"\n== {' '.join((name, *arguments))}", flush=True)
        subprocess.run([sys.executable, "-m", f"infra.benchmarks.{name}", *arguments], check=True)


def _of_the_cluster() -> tuple[tuple[str, ...], ...]:
    try:
        from infra.local.services import LocalKafka, LocalPostgres, LocalRedis  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        print(f"without those of the cluster: {missing.name} is not installed")
        return ()
    for server in (LocalPostgres, LocalKafka, LocalRedis):
        if reason := server.available():
            print(f"without those of the cluster: {reason}")
            return ()
    return CLUSTER


if __name__ == "__main__":
    main()
