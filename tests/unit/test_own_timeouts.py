"""Timeouts of one provider's calls, and of models that are silent while they think."""

import pytest

from adapters.providers.own_timeouts import OwnTimeouts, Thinking, TimedProvider
from domain.ports.provider import (
    CallTimeouts,
    OnDelta,
    ProviderCall,
    ProviderFailure,
    ProviderReply,
)
from infra.providers.registry import registry


class Asked:
    """A provider that notes how long it may take, and fails."""

    timeouts: CallTimeouts

    async def call(self, call: ProviderCall, on_delta: OnDelta | None = None) -> ProviderReply:
        self.timeouts = call.timeouts
        raise ProviderFailure("connect", "noted")


def timeouts_of(patterns: tuple[str, ...]) -> CallTimeouts:
    return Thinking(patterns, 180).of("gpt-5-mini", CallTimeouts(5, 30, 200, 600))


def test_they_get_longer_for_what_is_shorter() -> None:
    assert timeouts_of(("o[1-9]*", "gpt-5*")) == CallTimeouts(5, 180, 200, 600)


def test_others_do_not() -> None:
    assert timeouts_of(("o[1-9]*",)) == CallTimeouts(5, 30, 200, 600)


@pytest.mark.parametrize(
    ("provider", "native_id"),
    [
        ("openai", "o3"),
        ("openai", "gpt-5-mini"),
        ("openrouter", "openai/gpt-5"),
        ("google-vertex", "google/gemini-2.5-pro"),
        ("google-vertex", "xai/grok-4.20-reasoning"),
        ("azure-openai", "grok-4-20-reasoning"),
        ("bedrock", "global.openai.gpt-5.5"),
        ("databricks", "databricks-gpt-5-mini"),
        ("deepinfra", "google/gemini-2.5-pro"),
        ("near", "openai/o3"),
        ("perplexity", "openai/gpt-5"),
    ],
)
def test_they_are_known(provider: str, native_id: str) -> None:
    patient = Thinking(registry()[provider].silent, 180)
    assert patient.of(native_id, CallTimeouts(5, 30, 30, 600)).first_byte == 180


def test_one_that_speaks_at_once_is_not_waited_for() -> None:
    patient = Thinking(registry()["openai"].silent, 180)
    assert patient.of("gpt-4o", CallTimeouts(5, 30, 30, 600)).first_byte == 30


async def test_what_the_operator_set_comes_first() -> None:
    asked = Asked()
    timed = TimedProvider(asked, Thinking(("o3",), 180), OwnTimeouts(first_byte=7))
    call = ProviderCall(
        "/v1/chat/completions", "o3", {}, False, CallTimeouts(5, 30, 30, 600), "job_1"
    )
    with pytest.raises(ProviderFailure):
        await timed.call(call)
    assert asked.timeouts == CallTimeouts(5, 7, 180, 600)
