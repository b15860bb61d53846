"""Ends transactions of nodes that stopped in the middle: what they hold, others wait for.

The server itself ends one that it sees idle (`idle_in_transaction_session_timeout`). One that was
stopped while it sent its last statements looks at work to the server, which waits for the rest of
them, with the counter row held; a process is stopped like that by a pause of its machine.
"""

import asyncio

import structlog

from adapters.postgres.reads import ReaderThread
from adapters.postgres.recorder import IDLE_IN_TRANSACTION_SECONDS, WRITER_NAME
from domain.errors import StoreUnavailable

LOOK_SECONDS = 2.0
END_STUCK = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = %s
    AND state = 'active' AND wait_event = 'ClientRead'
    AND xact_start < clock_timestamp() - make_interval(secs => %s)
"""

log = structlog.get_logger(__name__)


async def end_stuck_transactions(reader: ReaderThread) -> None:
    """Looks for them until cancelled; every node may do so."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            parameters = (WRITER_NAME, IDLE_IN_TRANSACTION_SECONDS)
            for pid, ended in await reader.read(END_STUCK, parameters, list):
                log.warning("store.stuck_transaction", backend=pid, ended=ended)
        except StoreUnavailable as error:
            log.debug("store.watchdog_waits", error=str(error))
