"""The built-in provider: no model behind it, the same reply for the same prompt, and labelled."""

import asyncio
import base64
import random
import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from math import sqrt
from typing import Any

import msgspec

from domain.dialects.collecting import Collector
from domain.dialects.pieces import Finished, Piece, TextDelta
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Usage
from domain.ports.clock import Clock
from domain.ports.provider import OnDelta, ProviderCall, ProviderFailure, ProviderReply
from domain.rating.estimate import estimated_usage, text_size

LABEL = "[simulated] "
# Offers with a behaviour of their own; every other native id just answers.
FLAKY = "simulator-flaky"
SLOW = "simulator-slow"
_FLAKY_EVERY = 3
_SLOW_FACTOR = 20
_DIMENSIONS = 64
_MAX_DIMENSIONS = 4096
_MAX_CHOICES = 16
_TOPIC_WORDS = 6
_SENTENCES = (
    "The short answer is that it depends on the setting, and mostly on two or three facts.",
    "First, look at what is known for certain and write it down.",
    "A small example makes the difference clear.",
    "In practice the simple way is the right one until a measurement says otherwise.",
    "There is one common mistake here: treating the exception as the rule.",
    "The next step is to try it on a single case and compare.",
    "Two further points are worth a sentence each.",
    "Seen over a longer time, the costs fall and the benefits stay.",
    "If that does not hold, begin again from the assumptions.",
    "In summary: begin small, check each step, and keep what works.",
)


class Simulator:
    """Answers chat and embeddings calls in this process.

    A call takes `latency_seconds`, half to one and a half times it by the request's id. A share
    `fault_rate` of all calls fails with a server error. `simulator-flaky` fails every third
    request once, `simulator-slow` takes twenty times as long.
    """

    def __init__(
        self, clock: Clock, *, latency_seconds: float = 0.05, fault_rate: float = 0.0
    ) -> None:
        self._clock = clock
        self._latency = latency_seconds
        self._fault_rate = fault_rate
        self._faults = random.Random(0)  # noqa: S311 (which calls fail is no secret)
        self._flaky_calls = 0
        self._failed_once: set[str] = set()

    async def call(self, call: ProviderCall, on_delta: OnDelta | None = None) -> ProviderReply:
        """See `domain.ports.provider.Provider`."""
        await self._wait(call)
        if self._is_fault(call):
            raise ProviderFailure("server_error", "the simulator's fault", status_code=500)
        created = self._clock.now() // 1000
        if call.endpoint == "/v1/embeddings":
            return _reply(call, _embeddings(call))
        reply = _reply(call, _completion(call, created))
        if call.endpoint != "/v1/chat/completions":
            return await self._translated(call, reply, on_delta)
        if on_delta is not None and call.stream:
            for delta in _spoken(reply.body):
                await (on_delta(delta) or asyncio.sleep(0))
        return reply

    async def _translated(
        self, call: ProviderCall, reply: ProviderReply, on_delta: OnDelta | None
    ) -> ProviderReply:
        """The same in the wire of the caller, from the same words."""
        surface, collector = SURFACES[call.endpoint], Collector()
        renderer = surface.renderer()
        for piece in _pieces(reply.body):
            collector.add(piece)
            if on_delta is not None and call.stream:
                for delta in renderer.deltas(piece):
                    await (on_delta(delta) or asyncio.sleep(0))
        return replace(reply, body=surface.whole(collector.answer()))

    async def _wait(self, call: ProviderCall) -> None:
        spread = 0.5 + sha256(call.request_id.encode()).digest()[0] / 256
        seconds = self._latency * spread * (_SLOW_FACTOR if call.native_id == SLOW else 1)
        patience = min(call.timeouts.first_byte, call.timeouts.total)
        await asyncio.sleep(min(seconds, patience))
        if seconds > patience:
            raise ProviderFailure("timeout_first_byte", "the simulator was silent")

    def _is_fault(self, call: ProviderCall) -> bool:
        if self._fault_rate and self._faults.random() < self._fault_rate:
            return True
        if call.native_id != FLAKY:
            return False
        if call.request_id in self._failed_once:
            self._failed_once.discard(call.request_id)
            return False
        self._flaky_calls += 1
        if self._flaky_calls % _FLAKY_EVERY:
            return False
        self._failed_once.add(call.request_id)
        return True


def _reply(call: ProviderCall, body: dict[str, Any]) -> ProviderReply:
    usage = _usage(call, body)
    body["usage"] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    raw = msgspec.json.encode(body["usage"]).decode()
    finish = body["choices"][0]["finish_reason"] if "choices" in body else None
    return ProviderReply(body, usage, raw, finish)


def _usage(call: ProviderCall, body: dict[str, Any]) -> Usage:
    put_out = text_size([choice["message"] for choice in body.get("choices", ())])
    counted = estimated_usage(call.body, put_out)
    output = counted.output_tokens
    limit = _limit(call.body)
    if limit is not None and "choices" in body:
        output = min(output, limit * len(body["choices"]))
    return Usage(input_tokens=counted.input_tokens, output_tokens=output)


def _completion(call: ProviderCall, created: int) -> dict[str, Any]:
    prompt = _prompt(call.body)
    count = call.body.get("n")
    choices = min(count, _MAX_CHOICES) if isinstance(count, int) and count > 0 else 1
    return {
        "id": f"chatcmpl-{_digest(call.request_id).hex()[:24]}",
        "object": "chat.completion",
        "created": created,
        "model": call.native_id,
        "choices": [_choice(index, prompt, _limit(call.body)) for index in range(choices)],
        "simulated": True,
    }


def _choice(index: int, prompt: str, limit: int | None) -> dict[str, Any]:
    words = _words(prompt, index)
    # A word is about one and a half tokens.
    wanted = None if limit is None else max(limit * 2 // 3, 0)
    text = LABEL + " ".join(islice(words, wanted))
    cut = next(words, None) is not None
    return {
        "index": index,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "length" if cut else "stop",
    }


def _spoken(completion: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The completion word by word."""
    for choice in completion["choices"]:
        index, text = choice["index"], choice["message"]["content"]
        yield _chunk(index, {"role": "assistant", "content": ""}, None)
        for word in re.findall(r"\s*\S+|\s+$", text):
            yield _chunk(index, {"content": word}, None)
        yield _chunk(index, {}, choice["finish_reason"])


def _pieces(completion: dict[str, Any]) -> Iterator[Piece]:
    """The first choice of a completion, word by word, in the canonical form."""
    choice = completion["choices"][0]
    for word in re.findall(r"\s*\S+|\s+$", choice["message"]["content"]):
        yield TextDelta(word)
    yield Finished(choice["finish_reason"])


def _chunk(index: int, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice], "simulated": True}


def _words(prompt: str, index: int) -> Iterator[str]:
    topic = " ".join(prompt.split()[:_TOPIC_WORDS])
    yield from f"On “{topic}”:".split()
    seed = _digest(f"{index}\n{prompt}")
    order = sorted(range(len(_SENTENCES)), key=seed.__getitem__)
    for place in order[: 2 + seed[-1] % 3]:
        yield from _SENTENCES[place].split()


def _prompt(body: dict[str, Any]) -> str:
    """The text of the last message, as far as it is text."""
    for field in ("prompt", "input"):
        if isinstance(given := body.get(field), str):
            return given
    match body.get("messages") or body.get("input"):
        case [*_, {"content": str() as text}]:
            return text
        case [*_, {"content": list() as parts}]:
            texts = (part.get("text") for part in parts if isinstance(part, dict))
            return " ".join(text for text in texts if isinstance(text, str))
        case _:
            return ""


def _limit(body: dict[str, Any]) -> int | None:
    limits = ("max_completion_tokens", "max_tokens", "max_output_tokens")
    asked = next(filter(None, map(body.get, limits)), None)
    return asked if isinstance(asked, int) else None


def _embeddings(call: ProviderCall) -> dict[str, Any]:
    given = call.body.get("input")
    is_many = isinstance(given, list) and not all(isinstance(item, int) for item in given)
    texts = given if isinstance(given, list) and is_many else [given]
    return {
        "object": "list",
        "model": call.native_id,
        "data": [
            {"object": "embedding", "index": index, "embedding": _vector(text, call.body)}
            for index, text in enumerate(texts)
        ],
        "simulated": True,
    }


def _vector(text: object, body: dict[str, Any]) -> list[float] | str:
    asked = body.get("dimensions")
    dimensions = asked if isinstance(asked, int) and 0 < asked <= _MAX_DIMENSIONS else _DIMENSIONS
    source = random.Random(_digest(f"{text}"))  # noqa: S311 (the same text has the same vector)
    numbers = [source.uniform(-1.0, 1.0) for _ in range(dimensions)]
    length = sqrt(sum(number * number for number in numbers))
    unit = [number / length for number in numbers]
    if body.get("encoding_format") == "base64":
        return base64.b64encode(struct.pack(f"<{dimensions}f", *unit)).decode()
    return unit


def _digest(text: str) -> bytes:
    return sha256(text.encode(errors="surrogatepass")).digest()
