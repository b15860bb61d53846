"""Asking a provider whether it is there and takes our credential, at nobody's expense.

Its listing of models is read where that wants the credential. Elsewhere a request goes out for a
model that does not exist: who refuses the model has accepted the credential.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec

from adapters.providers.failures import UNREADABLE, failure_of_status
from adapters.providers.session import HttpSession
from domain.dialects.canonical import Untranslatable
from domain.inference.events import Endpoint
from domain.ports.provider import CallTimeouts, FailureKind, ProviderCall, ProviderFailure
from infra.providers.addresses import filled
from infra.providers.registry import ModelsFacts
from infra.providers.wires import build_wire, credential_of
from infra.settings.providers import ProviderSettings

NO_MODEL: Final = "gatewayz-check"
_AT_ONCE: Final = 16
_MOST_BYTES: Final = 32 * 2**20
_LISTED: Final = ModelsFacts(path="/models")
# Wires whose credential is no header that can be sent with any request.
_SIGNED = frozenset({"bedrock-converse", "vertex"})
_PROBLEMS: Mapping[FailureKind, str] = {
    "auth": "it does not take the credential",
    "quota": "it is out of credit or quota",
    "rate_limited": "it is over its rate limit",
    "server_error": "it has a fault",
    "overloaded": "it is overloaded or away",
    "malformed": "it answers something else: is the address right?",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of asking one provider; `note` says how sure that is."""

    provider: str
    ok: bool
    latency_ms: int | None = None
    status: int | None = None
    problem: str | None = None
    note: str | None = None


async def check_all(
    providers: Mapping[str, ProviderSettings], timeout_seconds: float
) -> list[Finding]:
    """A finding for each, in the same order; many are asked at once."""
    session, slots = HttpSession(), asyncio.Semaphore(_AT_ONCE)

    async def one(name: str, provider: ProviderSettings) -> Finding:
        async with slots:
            return await _check(name, provider, session, timeout_seconds)

    try:
        return await asyncio.gather(*(one(*entry) for entry in providers.items()))
    finally:
        await session.close()


async def _check(
    name: str, provider: ProviderSettings, session: HttpSession, timeout_seconds: float
) -> Finding:
    if not provider.is_usable:
        return Finding(name, ok=False, problem=provider.why_unusable)
    if provider.protocol == "simulator":
        return Finding(name, ok=True, note="built in")
    probe = _Probe(name, provider, session)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await probe.ask()
    except TimeoutError:
        return Finding(name, ok=False, problem=f"no answer within {timeout_seconds:g} s")
    except aiohttp.ClientError:
        return Finding(name, ok=False, problem="it cannot be reached")
    except ProviderFailure as failure:
        return Finding(name, ok=False, problem=failure.message)
    except Untranslatable as problem:
        return Finding(name, ok=False, problem=problem.message)


async def ask_for_list(
    name: str, provider: ProviderSettings, session: HttpSession, timeout_seconds: float
) -> Finding | None:
    """A finding by the listing of models alone; None when it has none that proves something."""
    probe = _Probe(name, provider, session)
    listing = probe.listing()
    if listing is None:
        return None
    try:
        async with asyncio.timeout(timeout_seconds):
            finding = await probe.ask_for_list(listing)
    except (TimeoutError, aiohttp.ClientError):
        return Finding(name, ok=False, problem="it cannot be reached")
    except (ProviderFailure, Untranslatable):
        return None
    return None if finding.status in {404, 405} else finding


def listing_url(provider: ProviderSettings, path: str) -> str:
    """Where the listing at `path` is. Raises `NoAddress`."""
    if "://" in path:
        return filled(path, provider.in_address)
    base = provider.address().rstrip("/")
    # Deployments have no listing of their own; it is that of the whole resource.
    return f"{base.removesuffix('/deployments/{model}')}{path}"


class _Probe:
    """The questions to one provider."""

    def __init__(self, name: str, provider: ProviderSettings, session: HttpSession) -> None:
        self._name = name
        self._provider = provider
        self._session = session

    async def ask(self) -> Finding:
        listing = self.listing()
        if listing is None:
            return await self._ask_for_no_model()
        finding = await self.ask_for_list(listing)
        unlisted = finding.status in (404, 405) and self._provider.facts is None
        return await self._ask_for_no_model() if unlisted else finding

    def listing(self) -> ModelsFacts | None:
        """The listing, if reading it proves something."""
        provider = self._provider
        if provider.protocol in _SIGNED or provider.client_secret is not None:
            return None
        if provider.facts is None:
            return _LISTED
        listing = provider.facts.models
        proves = listing is not None and (listing.auth or provider.api_key is None)
        return listing if proves and provider.protocol == provider.facts.protocol else None

    async def ask_for_list(self, listing: ModelsFacts) -> Finding:
        credential = credential_of(self._provider)
        status, headers, content, took = await self._sent(
            "GET",
            credential.url(listing_url(self._provider, listing.path)),
            credential.headers(),
            None,
        )
        if status != 200:
            failure = failure_of_status(status, headers, content)
            problem = _PROBLEMS.get(failure.kind, f"it answers with status {status}")
            return Finding(self._name, False, took, status, problem)
        return Finding(self._name, True, took, status, note=_counted(content, listing.items))

    async def _ask_for_no_model(self) -> Finding:
        wire = build_wire(self._provider)
        request = await wire.request(self._call())
        status, headers, content, took = await self._sent(
            "POST", request.url, request.headers, request.content
        )
        if status == 200:
            return Finding(self._name, True, took, status, note="it answers to any model's name")
        problem = _PROBLEMS.get(wire.refusal(status, headers, content).kind)
        note = None if problem else f"refused a model that does not exist ({status})"
        return Finding(self._name, problem is None, took, status, problem, note)

    def _call(self) -> ProviderCall:
        facts = self._provider.facts
        endpoint: Endpoint = "/v1/chat/completions"
        body: dict[str, Any] = {"messages": [{"role": "user", "content": "."}], "max_tokens": 16}
        if facts is not None and not facts.quirks.chat:
            endpoint, body = "/v1/embeddings", {"input": "."}
        no_patience = CallTimeouts(connect=1, first_byte=1, chunk=1, total=1)
        return ProviderCall(endpoint, NO_MODEL, body, False, no_patience, "check", 16)

    async def _sent(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes, int]:
        started = time.monotonic()
        async with self._session.get().request(
            method,
            url,
            data=content,
            headers={"user-agent": "Gatewayz", **headers},
            allow_redirects=False,
        ) as response:
            body = await _first_of(response.content)
        took = round((time.monotonic() - started) * 1000)
        return response.status, response.headers, body, took


async def _first_of(content: aiohttp.StreamReader) -> bytes:
    """The content as far as it is looked at: what goes on and on must not fill the memory."""
    read = bytearray()
    while len(read) < _MOST_BYTES and (chunk := await content.readany()):
        read += chunk
    return bytes(read)


def _counted(content: bytes, items: str) -> str | None:
    try:
        listed = msgspec.json.decode(content)
    except UNREADABLE:
        return None
    entries = listed.get(items) if isinstance(listed, dict) else listed
    return f"lists {len(entries)} models" if isinstance(entries, list) else None
