"""Name resolution on threads of its own, so that slow names hold up nothing but webhooks."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


class ThreadPoolResolver(AbstractResolver):
    """The system's resolver; raises `OSError` for a name that does not resolve.

    A name whose servers are silent keeps one of the `threads` for as long as the system asks.
    """

    def __init__(self, threads: int = 16) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="webhook-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        look_up = partial(
            socket.getaddrinfo,
            host,
            port,
            family=family,
            type=socket.SOCK_STREAM,
            flags=socket.AI_ADDRCONFIG,
        )
        found = await asyncio.get_running_loop().run_in_executor(self._pool, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=family_found,
                proto=protocol,
                flags=NUMERIC,
            )
            for family_found, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
