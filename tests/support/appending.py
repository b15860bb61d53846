"""A process that appends to a store for ever and says what was acknowledged: to be killed.

python -m tests.support.appending PATH
"""

import asyncio
import sys
from pathlib import Path

from tests.support.stores import accepted, job_id, opened_store, write

WRITERS = 20


async def append_for_ever(path: Path) -> None:
    """Prints the position and the stream of every append that was answered."""
    async with opened_store(path) as store:
        first = await store.head()

        async def writer(number: int) -> None:
            while True:
                stream = job_id(first * 1_000 + number)
                (recorded,) = await write(store, stream, accepted(number))
                print(recorded.position, stream, flush=True)
                number += WRITERS

        await asyncio.gather(*(writer(number) for number in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(append_for_ever(Path(sys.argv[1])))
