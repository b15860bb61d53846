"""How Redis is reached: its address, how long it may take to answer, and the pools."""

from dataclasses import dataclass, field

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

# Whatever keeps Redis from answering. What it answers to a wrong script is one of them: a node
# that cannot count with the others still counts.
FAILURES = (RedisError, OSError)
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class RedisConnection:
    """Where Redis is, and how patient this node is with it.

    `timeout_seconds` bounds a whole use: waiting for a connection, opening one, the answer. All
    names in Redis begin with `prefix`.
    """

    url: str = field(repr=False)
    prefix: str = "gatewayz"
    timeout_seconds: float = 0.1
    first_retry_seconds: float = 0.1
    longest_retry_seconds: float = 5.0

    def pool(self, connections: int) -> Redis:
        """A client with a pool of its own; nothing is connected yet. The caller closes it."""
        pool = BlockingConnectionPool.from_url(
            self.url,
            max_connections=connections,
            timeout=self.timeout_seconds,
            socket_connect_timeout=self.timeout_seconds,
            # Every use has one timeout around the whole of it. The client's own for each read and
            # write would add up, and the one for writes can swallow a cancellation (Python 3.11).
            socket_timeout=None,
            # What failed is not tried again: a take could count twice, and the fallback waits.
            retry=Retry(NoBackoff(), 0),
            # Nothing is said before the first use, so that a burst can open connections in time.
            protocol=2,
            driver_info=None,
        )
        return Redis.from_pool(pool)


def reason_of(error: BaseException) -> str:
    """A failure in a short line."""
    return f"{type(error).__name__}: {error or 'no answer in time'}"[:LONGEST_REASON]
