"""The list of models for Anthropic's own client."""

from collections.abc import AsyncIterator
from pathlib import Path

import anthropic
import pytest
from anthropic import AsyncAnthropic

from tests.support.engine import configuration, running_engine
from tests.support.official import anthropic_client

OFFER = {"provider": "h1", "native_id": "one", "input": "1.00", "output": "2.00"}
NAMES = [f"acme/m{number}" for number in range(5)]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncAnthropic]:
    chat = {"context_length": 1000, "max_output_tokens": 100, "offers": [OFFER]}
    models = {**configuration("")["models"], **dict.fromkeys(NAMES, chat)}
    async with (
        running_engine(tmp_path, models=models) as engine,
        anthropic_client(await engine.account()) as client,
    ):
        yield client


async def test_every_page_is_read(client: AsyncAnthropic) -> None:
    whole = await client.models.list(limit=1000)
    found = [model.id async for model in client.models.list(limit=2)]
    assert found == [model.id for model in whole.data]
    assert set(NAMES) < set(found)
    assert "acme/embed" not in found
    assert (whole.has_more, whole.first_id, whole.last_id) == (False, found[0], found[-1])


async def test_pages_go_back_too(client: AsyncAnthropic) -> None:
    page = await client.models.list(before_id="acme/m3", limit=2)
    assert [model.id for model in page.data] == ["acme/m1", "acme/m2"]
    assert page.has_more is True


async def test_a_model_is_found_by_any_of_its_names(client: AsyncAnthropic) -> None:
    model = await client.models.retrieve("alpha")
    assert (model.id, model.type, model.display_name) == ("acme/alpha", "model", "alpha")
    assert (model.max_input_tokens, model.max_tokens) == (131_072, 4096)
    assert (model.lifecycle, model.created_at.year) == ("active", 1970)


async def test_what_is_asked_wrongly_is_told_in_anthropics_shape(client: AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as unknown:
        await client.models.retrieve("nothing")
    assert unknown.value.type == "not_found_error"
    with pytest.raises(anthropic.BadRequestError) as wrong:
        await client.models.list(after_id="nothing")
    assert wrong.value.type == "invalid_request_error"
    with pytest.raises(anthropic.NotFoundError):
        await client.models.retrieve("acme/embed")
