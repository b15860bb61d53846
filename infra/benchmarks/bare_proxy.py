"""The stack of the gateway that passes chats on and records nothing: the limit of the stack."""

import contextlib
import sys
from collections.abc import Iterator

from infra.benchmarks.subjects import HOST, SUBJECT_CORE, Subject, process

SERVER = """
import aiohttp, msgspec, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
session = None
async def chat(request):
    global session
    session = session or aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    body = msgspec.json.decode(await request.body())
    async with session.post(sys.argv[1], data=msgspec.json.encode(body)) as reply:
        answer = msgspec.json.decode(await reply.read())
    return Response(msgspec.json.encode(answer), 200, media_type="application/json")
app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}", flush=True)
config = uvicorn.Config(app, port=0, http="httptools", access_log=False, log_config=None)
Server(config).run()
"""


@contextlib.contextmanager
def bare_proxy(upstream_port: int) -> Iterator[Subject]:
    """Starlette on uvicorn before aiohttp, each body parsed and encoded once."""
    upstream = f"http://{HOST}:{upstream_port}/v1/chat/completions"
    with process([sys.executable, "-c", SERVER, upstream], {SUBJECT_CORE}) as (pid, port):
        yield Subject(pid, port)
