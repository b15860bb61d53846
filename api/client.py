"""The client at the other end of a connection: who is to know when it leaves is told."""

from collections.abc import Callable

from starlette.requests import Request

# Where the server puts it in the scope. A task that waits for ASGI's own message of it would cost
# every request more than its reply does.
CLIENT = "gatewayz.client"


class Client:
    """One connection's client. `hear` sees to it that its leaving is noticed."""

    __slots__ = ("_hear", "_told", "is_gone")

    def __init__(self, hear: Callable[[], None]) -> None:
        self._hear = hear
        self._told: list[Callable[[], object]] = []
        self.is_gone = False

    def when_gone(self, tell: Callable[[], object]) -> None:
        """Calls `tell` when the client leaves; at once when it has left."""
        if self.is_gone:
            tell()
            return
        self._hear()
        self._told.append(tell)

    def forget(self, tell: Callable[[], object]) -> None:
        """Calls it no more."""
        if tell in self._told:
            self._told.remove(tell)

    def leave(self) -> None:
        """The connection has ended."""
        self.is_gone = True
        told, self._told = self._told, []
        for tell in told:
            tell()


def client_of(request: Request) -> Client:
    """Who sent this request."""
    client: Client = request.scope[CLIENT]
    return client
