"""What keeps a node of the cluster from starting until an operator mends it."""

from adapters.blobs.s3 import S3Problem
from adapters.kafka.admin import TopicsUnfit
from adapters.kafka.takeover import RelayRefused
from adapters.postgres.migrating import SchemaProblem

PROBLEMS: tuple[type[Exception], ...] = (S3Problem, TopicsUnfit, RelayRefused, SchemaProblem)
