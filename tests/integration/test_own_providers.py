"""Calls with customers' own keys: what is built for a key, and what ends with it."""

import gc
import weakref
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from adapters.blobs.files import FileBlobs
from adapters.crypto.master_key import MasterKey
from adapters.crypto.payloads import SealedPayloads
from adapters.sqlite.data_keys import SqliteDataKeys
from adapters.system.clock import SystemClock, TimeOrderedIds
from domain.access.provider_keys.changing import provider_key_id
from domain.access.provider_keys.directory import ProviderKeyDirectory
from domain.access.provider_keys.events import ProviderKeyAdded, ProviderKeyRemoved
from domain.event import Event
from domain.ports.payloads import PayloadErased
from domain.ports.provider import (
    CallTimeouts,
    OnDelta,
    ProviderCall,
    ProviderFailure,
    ProviderReply,
)
from tests.support.histories import recorded
from workers.own_providers import OwnProviders

ACCOUNT, PROVIDER = "acct_1", "groq"
KEY_ID = provider_key_id(ACCOUNT, PROVIDER)
REPLY = ProviderReply(body={}, usage=None, raw_usage=None, finish_reason="stop")
CALL = ProviderCall(
    endpoint="/v1/chat/completions",
    native_id="alpha",
    body={},
    stream=False,
    timeouts=CallTimeouts(1, 1, 1, 1),
    request_id="job_1",
    own_key=KEY_ID,
)


class Answering:
    """A provider that answers everything."""

    async def call(self, _call: ProviderCall, _on_delta: OnDelta | None = None) -> ProviderReply:
        return REPLY


@dataclass
class Stage:
    """The keys of an account, and what was built for them."""

    payloads: SealedPayloads
    directory: ProviderKeyDirectory = field(default_factory=ProviderKeyDirectory)
    built: list[tuple[str, str]] = field(default_factory=list)
    kept: list[weakref.ref[Answering]] = field(default_factory=list)
    version: int = 0

    def __post_init__(self) -> None:
        self.own = OwnProviders(self.directory, self.payloads, self.build)

    def build(self, provider: str, api_key: str) -> Answering | None:
        if provider != PROVIDER:
            return None
        self.built.append((provider, api_key))
        made = Answering()
        self.kept.append(weakref.ref(made))
        return made

    async def add(self, api_key: str, provider: str = PROVIDER) -> None:
        key_id = provider_key_id(ACCOUNT, provider)
        self.apply(
            ProviderKeyAdded(
                provider_key_id=key_id,
                account_id=ACCOUNT,
                provider=provider,
                secret=await self.payloads.seal(ACCOUNT, key_id, api_key.encode()),
                last4=api_key[-4:],
                fallback=False,
                input_hash="hash",
            )
        )

    def remove(self) -> None:
        self.apply(
            ProviderKeyRemoved(provider_key_id=KEY_ID, account_id=ACCOUNT, provider=PROVIDER)
        )

    def apply(self, event: Event) -> None:
        self.version += 1
        self.directory.apply(recorded(event, stream="pkey", version=self.version))

    async def outcome(self, call: ProviderCall = CALL) -> str:
        try:
            await self.own.call(call)
        except ProviderFailure as failure:
            return failure.kind
        return "ok"

    @property
    def living(self) -> int:
        gc.collect()
        return sum(ref() is not None for ref in self.kept)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with closing(SqliteDataKeys(tmp_path / "keys.db", MasterKey(b"m" * 32), SystemClock())) as keys:
        yield Stage(SealedPayloads(keys, FileBlobs(tmp_path, "process"), TimeOrderedIds()))


async def test_what_calls_with_a_key_is_built_once(stage: Stage) -> None:
    await stage.add("sk-first")
    assert [await stage.outcome() for _ in range(3)] == ["ok"] * 3
    assert stage.built == [(PROVIDER, "sk-first")]


async def test_a_removed_key_is_refused_and_nothing_is_left_of_it(stage: Stage) -> None:
    await stage.add("sk-first")
    await stage.outcome()
    stage.remove()
    assert stage.living == 0
    assert await stage.outcome() == "own_key_refused"


async def test_a_replaced_key_is_called_with_from_then_on(stage: Stage) -> None:
    await stage.add("sk-first")
    await stage.outcome()
    await stage.add("sk-second")
    assert await stage.outcome() == "ok"
    assert stage.built == [(PROVIDER, "sk-first"), (PROVIDER, "sk-second")]
    assert stage.living == 1


async def test_a_provider_that_takes_keys_no_more_is_not_found(stage: Stage) -> None:
    await stage.add("sk-first", "gone")
    call = replace(CALL, own_key=provider_key_id(ACCOUNT, "gone"))
    assert await stage.outcome(call) == "not_found"


async def test_the_key_of_an_erased_account_is_not_called_with(stage: Stage) -> None:
    await stage.add("sk-first")
    await stage.payloads.destroy(ACCOUNT)
    with pytest.raises(PayloadErased):
        await stage.own.call(CALL)
