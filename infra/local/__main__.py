"""`python -m infra.local`: PostgreSQL, Redis and Kafka for a developer, until Ctrl-C."""

import argparse
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from infra.local.services import LocalKafka, LocalPostgres, LocalRedis, ServerDidNotStart

# Always the same, so that the environment stays good: each is the usual port plus ten thousand.
POSTGRES_PORT, REDIS_PORT, KAFKA_PORT = 15432, 16379, 19092
WATCH_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".local"), help="where to keep the data")
    data: Path = parser.parse_args().data.absolute()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run(data)
    except ServerDidNotStart as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        _say("\nall stopped")


def _run(data: Path) -> None:
    """Starts all three and watches them. Raises `ServerDidNotStart`, also when one ends later."""
    postgres = LocalPostgres(data / "postgres", POSTGRES_PORT)
    redis = LocalRedis(data / "redis", REDIS_PORT)
    kafka = LocalKafka(data / "kafka", KAFKA_PORT)
    servers = (postgres, redis, kafka)
    with ExitStack() as running:
        for server in servers:
            _say(f"# starting {server.name}")
            running.enter_context(server)
        _say(_environment(data, postgres, redis, kafka))
        while True:
            for server in servers:
                if not server.is_running:
                    raise ServerDidNotStart(f"{server.name} ended:\n{server.last_words()}")
            time.sleep(WATCH_SECONDS)


def _environment(data: Path, postgres: LocalPostgres, redis: LocalRedis, kafka: LocalKafka) -> str:
    """What to paste into a shell."""
    variables = {
        "PROFILE": "cluster",
        "DATA_DIR": str(data / "engine"),
        "MASTER_KEY_FILE": str(data / "master.key"),
        "POSTGRES__URL": postgres.url,
        "KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA__REPLICATION_FACTOR": "1",
        "REDIS__URL": redis.url,
    }
    return "\n".join(f"export GATEWAYZ_{name}={value}" for name, value in variables.items())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
