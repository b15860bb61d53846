"""The client of the command line: what it makes of refusals and of lost connections."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from infra.client import Client, Refused, Unreachable

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(path: str, handler: Handler) -> AsyncIterator[Client]:
    """A client of a server that answers one path."""
    app = web.Application()
    app.router.add_route("*", path, handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with Client(f"http://127.0.0.1:{runner.addresses[0][1]}/", "gw_test") as client:
            yield client
    finally:
        await runner.cleanup()


def frame(position: int, name: str) -> bytes:
    entry = json.dumps({"type": name, "position": str(position)})
    return f"id: {position}\nevent: {name}\ndata: {entry}\n\n".encode()


async def test_a_lost_timeline_is_taken_up_behind_its_last_event() -> None:
    asked: list[str] = []

    async def events(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers["last-event-id"])
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        if len(asked) == 1:
            await response.write(frame(4, "inference.job.accepted"))
            assert request.transport is not None
            request.transport.abort()
        else:
            await response.write(b": still running\n\n" + frame(9, "inference.job.completed"))
        return response

    async with serving("/v1/jobs/job_1/events", events) as client:
        seen = [entry["position"] async for entry in client.timeline("job_1")]
    assert seen == ["4", "9"]
    assert asked == ["0", "4"]


async def test_a_refused_timeline_is_not_asked_for_again() -> None:
    asked: list[str] = []

    async def events(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        body = {"error": {"code": "resource_not_found", "message": "no such job"}}
        return web.json_response(body, status=404)

    async with serving("/v1/jobs/job_1/events", events) as client:
        with pytest.raises(Refused) as refused:
            [entry async for entry in client.timeline("job_1")]
    assert (refused.value.status, refused.value.code) == (404, "resource_not_found")
    assert len(asked) == 1


async def test_every_page_of_a_list_is_read() -> None:
    async def items(request: web.Request) -> web.StreamResponse:
        after = int(request.query.get("after", 0))
        page = {"data": [after + 1], "last_id": str(after + 1), "has_more": after < 2}
        return web.json_response(page)

    async with serving("/v1/jobs", items) as client:
        assert [item async for item in client.pages("/v1/jobs")] == [1, 2, 3]


async def test_an_answer_that_is_no_json_is_refused() -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>", status=502)

    async with serving("/v1/models", page) as client:
        with pytest.raises(Refused, match="502"):
            await client.get("/v1/models")


async def test_nobody_there_is_told_with_the_address() -> None:
    async with Client("http://127.0.0.1:9", "gw_test") as client:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
            await client.get("/v1/models")
