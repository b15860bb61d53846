"""A Redis server whose data survive its restarts."""

import socket
from types import MappingProxyType

from infra.local.machine import LOOPBACK, program
from infra.local.process import LocalServer


class LocalRedis(LocalServer):
    """`redis-server` with an append-only file; `settings` are names and values of redis.conf."""

    name = "redis"
    defaults = MappingProxyType({"appendonly": "yes", "save": ""})

    @staticmethod
    def available() -> str | None:
        try:
            program("redis-server")
        except FileNotFoundError:
            return "redis-server is not installed"
        return None

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def _command(self) -> tuple[str, ...]:
        named = {"bind": LOOPBACK, "port": str(self.port), "dir": str(self.data), **self.settings}
        options = (word for name, value in named.items() for word in (f"--{name}", value))
        return (program("redis-server"), *options)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
