"""Who is told that a client has left."""

from collections.abc import Callable

from api.client import Client


def client(told: list[str]) -> tuple[Client, Callable[[], None]]:
    def tell() -> None:
        told.append("gone")

    return Client(lambda: told.append("hears")), tell


def test_whoever_asked_is_told_once() -> None:
    told: list[str] = []
    here, tell = client(told)
    here.when_gone(tell)
    here.leave()
    here.leave()
    assert told == ["hears", "gone"]


def test_who_asks_too_late_is_told_at_once() -> None:
    told: list[str] = []
    here, tell = client(told)
    here.leave()
    here.when_gone(tell)
    assert told == ["gone"]


def test_who_no_longer_asks_is_not_told() -> None:
    told: list[str] = []
    here, tell = client(told)
    here.when_gone(tell)
    here.forget(tell)
    here.forget(tell)
    here.leave()
    assert told == ["hears"]
