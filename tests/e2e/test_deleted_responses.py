"""Responses that OpenAI's own client deletes: what they said is gone, what they cost stands."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from api.histories import content_of, folded
from domain.errors import NotFound
from domain.event import Recorded, system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.inference.events import ContentDeleted, JobCompleted
from domain.ports.event_store import Append, StreamWrite
from projections.invariants import violations
from tests.support.client import Account
from tests.support.engine import RunningEngine
from tests.support.official import openai_client
from tests.support.scripted_provider import answer, stream, words

# More than what stands in the log itself.
LONG = "A long story. " * 2_000


@pytest.fixture
async def official(account: Account) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai_client(account) as client:
        yield client


async def made(official: openai.AsyncOpenAI, **fields: Any) -> Any:
    asked = {"model": "alpha", "input": "Hi.", "max_output_tokens": 50, **fields}
    return await official.responses.create(**asked)


def job_of(response_id: str) -> str:
    return response_id.replace("resp_", "job_")


def blobs(engine: RunningEngine) -> list[Path]:
    return [one for one in (engine.settings.data_dir / "blobs").rglob("*") if one.is_file()]


async def test_a_deleted_response_is_not_found_by_any_route(
    official: openai.AsyncOpenAI, account: Account
) -> None:
    response = await made(official)
    await official.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        await official.responses.retrieve(response.id)
    with pytest.raises(openai.NotFoundError):
        await official.responses.retrieve(response.id, stream=True)
    with pytest.raises(openai.NotFoundError):
        await official.responses.input_items.list(response.id)
    with pytest.raises(openai.NotFoundError):
        await official.responses.cancel(response.id)
    with pytest.raises(openai.NotFoundError) as missing:
        await made(official, previous_response_id=response.id)
    assert missing.value.code == "previous_response_not_found"
    result = await account.get(f"/v1/jobs/{job_of(response.id)}/result")
    assert (result.status, result.error["code"]) == (404, "content_deleted")


async def test_the_reply_is_openais_and_a_second_time_changes_nothing(
    official: openai.AsyncOpenAI, account: Account, engine: RunningEngine
) -> None:
    response = await made(official)
    for _ in range(2):
        reply = await account.send("DELETE", f"/v1/responses/{response.id}")
        assert reply.status == 200
        assert reply.json == {"id": response.id, "object": "response", "deleted": True}
    history = await engine.engine.ports.store.read_stream(job_of(response.id))
    assert sum(isinstance(one.event, ContentDeleted) for one in history) == 1


async def test_what_it_cost_and_when_still_stands(
    official: openai.AsyncOpenAI, account: Account, engine: RunningEngine
) -> None:
    response = await made(official)
    job_id = job_of(response.id)
    before, charged = await account.job(job_id), await account.charges(job_id)
    await official.responses.delete(response.id)
    job = await account.job(job_id)
    assert job.pop("content_deleted_at") >= before["finished_at"]
    assert job == {**before, "result_url": None}
    assert await account.charges(job_id) == charged
    (listed,) = (await account.get("/v1/jobs")).json["data"]
    assert listed == await account.job(job_id)
    assert (await account.timeline(job_id))[-1] == "inference.job.content_deleted"
    log = await engine.engine.ports.store.read_log(0, 1_000)
    assert not violations([one for one in log if isinstance(one, Recorded)], drained=True)


async def test_nothing_of_it_is_left_in_blobs_and_buffers(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    engine.upstream.default = answer(LONG)
    response = await made(official, input=LONG)
    assert len(blobs(engine)) == 2
    await official.responses.delete(response.id)
    assert blobs(engine) == []


async def test_a_stream_in_the_background_is_not_taken_up_again(
    official: openai.AsyncOpenAI, engine: RunningEngine
) -> None:
    engine.upstream.default = stream(words("One two three."))
    begun = await made(official, background=True, stream=True)
    events: list[Any] = [event async for event in begun]
    response_id = events[0].response.id
    await official.responses.delete(response_id)
    with pytest.raises(openai.NotFoundError):
        await official.responses.retrieve(response_id, stream=True, starting_after=2)
    streams, account_id = engine.engine.ports.streams, (await _accepted_by(engine, response_id))
    assert streams is not None
    assert (await streams.read(account_id, job_of(response_id), 0, 9)).chunks == ()


async def _accepted_by(engine: RunningEngine, response_id: str) -> str:
    history = await engine.engine.ports.store.read_stream(job_of(response_id))
    return history[0].account_id


async def test_what_is_still_being_made_is_not_deleted(
    official: openai.AsyncOpenAI, account: Account, engine: RunningEngine
) -> None:
    engine.upstream.default = answer(delay=30)
    response = await official.responses.create(model="alpha", input="Hi.", background=True)
    await account.running(job_of(response.id))
    with pytest.raises(openai.ConflictError) as refused:
        await official.responses.delete(response.id)
    assert refused.value.code == "job_not_finished"
    await official.responses.cancel(response.id)
    await official.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        await official.responses.retrieve(response.id)


async def test_what_goes_on_with_it_keeps_what_it_was_made_from(
    official: openai.AsyncOpenAI,
) -> None:
    first = await made(official, input="One.")
    second = await made(official, input="Two.", previous_response_id=first.id)
    await official.responses.delete(first.id)
    items = await official.responses.input_items.list(second.id, order="asc")
    assert len(items.data) == 3
    await made(official, input="Three.", previous_response_id=second.id)


async def test_a_deletion_that_broke_off_is_completed_by_the_next(
    official: openai.AsyncOpenAI, account: Account, engine: RunningEngine
) -> None:
    engine.upstream.default = answer(LONG)
    response = await made(official, input=LONG)
    store, job_id = engine.engine.ports.store, job_of(response.id)
    history = await store.read_stream(job_id)
    await _record_deletion(engine, job_id, len(history))
    with pytest.raises(openai.NotFoundError):
        await official.responses.retrieve(response.id)
    assert (await account.get(f"/v1/jobs/{job_id}/result")).status == 404
    await official.responses.delete(response.id)
    assert blobs(engine) == []


async def test_who_reads_it_at_that_moment_is_told_too(
    official: openai.AsyncOpenAI, account: Account, engine: RunningEngine
) -> None:
    engine.upstream.default = answer(LONG)
    response = await made(official, input=LONG)
    ports = engine.engine.ports
    history = await ports.store.read_stream(job_of(response.id))
    job, account_id = folded(history), history[0].account_id
    await official.responses.delete(response.id)
    assert isinstance(job.ended, JobCompleted)
    for sealed in (job.accepted.input, job.ended.output):
        assert sealed is not None
        with pytest.raises(NotFound) as missing:
            await content_of(ports, account_id, job, sealed)
        assert missing.value.code == "content_deleted"


async def _record_deletion(engine: RunningEngine, job_id: str, version: int) -> None:
    """The event alone, as if the node had died behind it."""
    store = engine.engine.ports.store
    origin = system_origin(HOUSE_ACCOUNT, "test", job_id)
    write = StreamWrite(job_id, version, (ContentDeleted(job_id=job_id),))
    await store.append(Append(origin, (write,)))


@pytest.mark.parametrize("background", [False, True])
async def test_the_same_idempotency_key_does_not_bring_it_back(
    official: openai.AsyncOpenAI, account: Account, background: bool
) -> None:
    asked = {"model": "alpha", "input": "Hi.", "max_output_tokens": 50, "background": background}
    first = await account.post("/v1/responses", asked, **{"idempotency-key": "one"})
    await account.finished(job_of(first.json["id"]))
    await official.responses.delete(first.json["id"])
    again = await account.post("/v1/responses", asked, **{"idempotency-key": "one"})
    assert (again.status, again.error["code"]) == (404, "content_deleted")


@pytest.mark.parametrize("way", [{}, {"stream": True}, {"background": True}])
async def test_what_went_on_with_it_is_repeated_under_its_key(
    official: openai.AsyncOpenAI, account: Account, way: dict[str, bool]
) -> None:
    """An Idempotency-Key never expires, whatever becomes of what the request refers to."""
    first = await made(official)
    asked = {"model": "alpha", "input": "And?", "previous_response_id": first.id, **way}
    second = await account.post("/v1/responses", asked, **{"idempotency-key": "one"})
    await account.finished(second.headers["x-gatewayz-job-id"])
    await official.responses.delete(first.id)
    again = await account.post("/v1/responses", asked, **{"idempotency-key": "one"})
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.headers["x-gatewayz-job-id"] == second.headers["x-gatewayz-job-id"]
    other = await account.post(
        "/v1/responses", {**asked, "input": "Or?"}, **{"idempotency-key": "one"}
    )
    assert other.status == 422


async def test_a_stranger_deletes_nothing(
    official: openai.AsyncOpenAI, account: Account, engine: RunningEngine
) -> None:
    response = await made(official)
    stranger = await engine.account()
    for other in (stranger, (await account.key("billing:read"))[1]):
        reply = await other.send("DELETE", f"/v1/responses/{response.id}")
        assert reply.status in (403, 404)
    assert (await official.responses.retrieve(response.id)).output_text == "Hello there."


async def test_what_was_not_kept_cannot_be_deleted(official: openai.AsyncOpenAI) -> None:
    response = await made(official, store=False)
    for response_id in (response.id, "resp_unknown", "job_1"):
        with pytest.raises(openai.NotFoundError):
            await official.responses.delete(response_id)


async def test_input_items_are_listed_in_pages_in_either_order(
    official: openai.AsyncOpenAI,
) -> None:
    said: Any = [{"role": "user", "content": f"Say {number}."} for number in range(5)]
    response = await made(official, input=said)
    ascending = [
        item.id
        async for item in official.responses.input_items.list(response.id, limit=2, order="asc")
    ]
    descending = [
        item.id async for item in official.responses.input_items.list(response.id, limit=2)
    ]
    assert len(set(ascending)) == 5
    assert descending == ascending[::-1]
    after = await official.responses.input_items.list(
        response.id, order="asc", after=ascending[2], limit=1
    )
    assert [item.id for item in after.data] == [ascending[3]]
    assert after.has_more


async def test_after_an_input_item_that_is_not_there_there_is_no_page(
    official: openai.AsyncOpenAI,
) -> None:
    response = await made(official)
    with pytest.raises(openai.BadRequestError) as refused:
        await official.responses.input_items.list(response.id, after="msg_unknown")
    assert refused.value.param == "after"
