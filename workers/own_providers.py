"""Calls with customers' own keys: what makes them is built when first called, gone with the key."""

from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

import structlog

from domain.access.provider_keys.directory import ProviderKeyDirectory, ProviderKeyEntry
from domain.ports.payloads import Payloads
from domain.ports.provider import OnDelta, Provider, ProviderCall, ProviderFailure, ProviderReply

# Stands among the providers, by no name that a provider can have.
OWN_KEYS: Final = ""
# A provider of this name under this key; None when it takes no customer's key any more.
BuildProvider = Callable[[str, str], Provider | None]

log = structlog.get_logger(__name__)


class OwnProviders:
    """Implements `domain.ports.provider.Provider` for calls that name an own key.

    A removed or replaced key takes along what was built for it.
    """

    def __init__(
        self, directory: ProviderKeyDirectory, payloads: Payloads, build: BuildProvider
    ) -> None:
        self._directory = directory
        self._payloads = payloads
        self._build = build
        self._built: WeakKeyDictionary[ProviderKeyEntry, Provider] = WeakKeyDictionary()

    async def call(self, call: ProviderCall, on_delta: OnDelta | None = None) -> ProviderReply:
        """Raises `PayloadErased` too, when the account's data was erased."""
        provider = await self._under(call.own_key or "")
        return await provider.call(call, on_delta)

    async def _under(self, provider_key_id: str) -> Provider:
        while (entry := self._directory.find(provider_key_id)) is not None:
            built = self._built.get(entry)
            if built is not None:
                return built
            # Meanwhile the key may be removed or replaced: then this entry is found no more.
            self._built[entry] = await self._opened(entry)
        raise ProviderFailure("own_key_refused", "the customer's own key was removed")

    async def _opened(self, entry: ProviderKeyEntry) -> Provider:
        try:
            secret = await self._payloads.open(entry.account_id, entry.secret)
        except ValueError as error:
            log.exception("provider_key.unreadable", provider_key_id=entry.provider_key_id)
            raise ProviderFailure("own_key_refused", "the stored key cannot be read") from error
        provider = self._build(entry.provider, secret.decode())
        if provider is None:
            raise ProviderFailure("not_found", "the provider takes no customer's key any more")
        return provider
