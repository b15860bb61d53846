"""The servers of the cluster profile as local processes, for tests, benchmarks and developers."""

from infra.local.broker import LocalKafka
from infra.local.machine import temporary_folder
from infra.local.postgres import LocalPostgres
from infra.local.process import LocalServer, ServerDidNotStart
from infra.local.redis import LocalRedis

__all__ = [
    "LocalKafka",
    "LocalPostgres",
    "LocalRedis",
    "LocalServer",
    "ServerDidNotStart",
    "temporary_folder",
]
