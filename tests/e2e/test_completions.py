"""Old completions in the hands of OpenAI's own client, served by a chat host."""

from collections.abc import AsyncIterator

import openai
import pytest

from tests.support.client import Account
from tests.support.engine import RunningEngine
from tests.support.official import openai_client


@pytest.fixture
async def official(account: Account) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai_client(account) as client:
        yield client


async def test_a_completion_is_answered_whole(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    completed = await official.completions.create(model="alpha", prompt="Say hi.")
    assert completed.choices[0].text == "Hello there."
    assert completed.usage is not None
    assert completed.usage.total_tokens == 18
    assert engine.upstream.requests[0].body["max_tokens"] == 16


async def test_a_completion_is_streamed(official: openai.AsyncOpenAI) -> None:
    chunks = [
        one
        async for one in await official.completions.create(
            model="alpha",
            prompt="Say hi.",
            max_tokens=2000,
            stream=True,
            stream_options={"include_usage": True},
        )
    ]
    said = "".join(one.choices[0].text for one in chunks if one.choices)
    assert said == "Hello there."
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


async def test_a_prompt_of_token_ids_is_refused(official: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await official.completions.create(model="alpha", prompt=[1, 2, 3])
    assert refused.value.code == "unsupported_parameter"
