"""The POST of a webhook against a real receiver, and which targets it refuses."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.webhooks.resolver import ThreadPoolResolver
from adapters.webhooks.sender import AiohttpSender
from adapters.webhooks.targets import PublicTargets
from domain.errors import InvalidRequest
from domain.ports.webhook_sender import SendResult
from tests.support.webhook_receiver import Reply, WebhookReceiver

HEADERS = {"content-type": "application/json", "webhook-id": "evt_1"}


class ScriptedResolver(AbstractResolver):
    """Answers each question with the next of the given addresses, and the last one for ever."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)
        ]

    async def close(self) -> None:
        return


class NoNames(AbstractResolver):
    """DNS is away."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise OSError("no such name")

    async def close(self) -> None:
        return


class SilentNames(AbstractResolver):
    """DNS never answers."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await asyncio.Event().wait()
        return []

    async def close(self) -> None:
        return


@asynccontextmanager
async def sender(
    resolver: AbstractResolver | None = None, *, timeout: float = 5, allow_private: bool = True
) -> AsyncIterator[AiohttpSender]:
    names = resolver or ThreadPoolResolver()
    async with AiohttpSender(
        names, user_agent="Gatewayz/test", timeout=timeout, allow_private=allow_private
    ) as opened:
        yield opened
    await names.close()


async def post(reply: Reply, *, timeout: float = 5) -> tuple[SendResult, WebhookReceiver]:
    async with WebhookReceiver() as receiver, sender(timeout=timeout) as opened:
        receiver.always(reply)
        return await opened.post(receiver.url, HEADERS, b"{}"), receiver


async def test_a_message_arrives_with_its_headers_and_bytes() -> None:
    _, receiver = await post(Reply())
    (received,) = receiver.received
    assert received.body == b"{}"
    assert received.headers["user-agent"] == "Gatewayz/test"
    assert received.headers["content-type"] == "application/json"


async def test_the_status_of_the_answer_is_reported() -> None:
    result, _ = await post(Reply(503))
    assert (result.status_code, result.error) == (503, None)


async def test_a_redirect_is_not_followed() -> None:
    result, receiver = await post(Reply(302, {"location": "/elsewhere"}))
    assert result.status_code == 302
    assert [received.path for received in receiver.received] == ["/hook"]


async def test_a_retry_after_in_seconds_is_reported() -> None:
    result, _ = await post(Reply(429, {"retry-after": "7"}))
    assert result.retry_after == 7


async def test_a_retry_after_in_the_past_means_at_once() -> None:
    result, _ = await post(Reply(429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}))
    assert result.retry_after == 0


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "-5",
        "²",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        "Mon, 99 Jan 2024 00:00:00 GMT",
    ],
)
async def test_a_retry_after_that_makes_no_sense_is_ignored(value: str) -> None:
    result, _ = await post(Reply(429, {"retry-after": value}))
    assert (result.status_code, result.retry_after, result.error) == (429, None, None)


async def test_a_silent_receiver_ends_in_a_timeout() -> None:
    result, _ = await post(Reply(delay=1), timeout=0.1)
    assert (result.status_code, result.error) == (None, "timeout")


async def test_a_closed_port_is_an_error_and_no_exception() -> None:
    async with sender() as opened:
        result = await opened.post("http://127.0.0.1:1/", HEADERS, b"{}")
    assert (result.status_code, result.error) == (None, "the connection failed")


async def test_a_name_that_does_not_resolve_is_an_error_and_no_exception() -> None:
    async with sender(NoNames()) as opened:
        result = await opened.post("http://hooks.example/", HEADERS, b"{}")
    assert result.error == "the host name does not resolve"


async def test_the_query_of_a_url_arrives_as_it_was_written() -> None:
    async with WebhookReceiver() as receiver, sender() as opened:
        await opened.post(f"{receiver.url}?a=%2Fx%7e&b=1+2&a=", HEADERS, b"{}")
    assert receiver.received[0].path == "/hook?a=%2Fx%7e&b=1+2&a="


async def test_a_private_address_in_the_url_is_refused_at_the_connection() -> None:
    async with WebhookReceiver() as receiver, sender(allow_private=False) as opened:
        result = await opened.post(receiver.url, HEADERS, b"{}")
    assert result.error == "target refused: the address is not public"
    assert receiver.received == []


async def test_a_name_that_turns_private_after_its_check_is_refused_at_the_connection() -> None:
    rebinding = ScriptedResolver("8.8.8.8", "127.0.0.1")
    await PublicTargets(rebinding).check("https://rebind.example/hook")
    async with WebhookReceiver() as receiver, sender(rebinding, allow_private=False) as opened:
        url = f"http://rebind.example:{receiver.port}/hook"
        result = await opened.post(url, HEADERS, b"{}")
    assert result.error == "target refused: the address is not public"
    assert receiver.received == []


async def test_a_public_name_is_a_target() -> None:
    await PublicTargets(ScriptedResolver("8.8.8.8")).check("https://hooks.example/a?b=c")


async def test_losing_dns_does_not_stop_registrations() -> None:
    await PublicTargets(NoNames()).check("https://hooks.example/")


async def test_a_registration_does_not_wait_for_silent_dns() -> None:
    targets = PublicTargets(SilentNames(), timeout=0.01)
    async with asyncio.timeout(5):
        await targets.check("https://hooks.example/")


async def test_private_targets_are_allowed_for_development() -> None:
    targets = PublicTargets(ThreadPoolResolver(), allow_private=True)
    await targets.check("http://127.0.0.1:9/hook")


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "hooks.example",
        "https://",
        "https://user:word@hooks.example/",
        "https://hooks.example:99999/",
        "https://hooks.example/a b",
        "https://hooks.example/\n",
        "https://[::1",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://hooks.example/" + "a" * 2048,
    ],
)
async def test_a_target_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await PublicTargets(ScriptedResolver("8.8.8.8")).check(url)
    assert (raised.value.code, raised.value.param) == ("webhook_target_refused", "url")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "64:ff9b::7f00:1"])
async def test_a_name_with_a_private_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match="not public"):
        await PublicTargets(ScriptedResolver(address)).check("https://hooks.example/")


async def test_the_resolver_finds_the_loopback_address_of_localhost() -> None:
    resolver = ThreadPoolResolver()
    found = await resolver.resolve("localhost", 80, socket.AF_INET)
    await resolver.close()
    assert {result["host"] for result in found} == {"127.0.0.1"}
