"""Whatever a provider sends, reading it brings an answer or a failure that says why not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.bedrock.credentials import BearerToken
from adapters.providers.bedrock.wire import BedrockWire
from adapters.providers.cohere.wire import CohereWire
from adapters.providers.credential import Credential
from adapters.providers.http import Wire
from domain.ports.provider import CallTimeouts, ProviderCall, ProviderFailure
from tests.support import scripted_bedrock, scripted_cohere

CALL = ProviderCall(
    endpoint="/v1/chat/completions",
    native_id="model",
    body={"messages": [{"role": "user", "content": "Hello."}]},
    stream=True,
    timeouts=CallTimeouts(connect=1, first_byte=1, chunk=1, total=1),
    request_id="job_1",
)
BLOCKS: list[dict[str, Any]] = [
    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
    {"reasoningContent": {"redactedContent": "c2VjcmV0"}},
    {"text": "Hello."},
    {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Oslo"}}},
]
COHERE = scripted_cohere.message(
    "Hello.",
    "TOOL_CALL",
    thinking="Hm.",
    plan="I will ask.",
    calls=[scripted_cohere.call("c1", "weather", '{"city": "Oslo"}')],
)


@dataclass(frozen=True)
class Sample:
    """A reply as the JSON objects it is made of, and how they are put into bytes."""

    wire: Wire
    content_type: str
    objects: list[dict[str, Any]]
    content: Callable[[list[dict[str, Any]]], bytes]


def events_of_bedrock() -> list[dict[str, Any]]:
    """The events of a stream, each under its name."""
    from botocore.eventstream import EventStreamBuffer  # noqa: PLC0415

    frames = EventStreamBuffer()
    frames.add_data(b"".join(scripted_bedrock.events(BLOCKS, "tool_use")))
    return [{frame.headers[":event-type"]: json.loads(frame.payload)} for frame in frames]


def frames_of(events: list[dict[str, Any]]) -> bytes:
    """Events as a binary stream."""
    return b"".join(
        scripted_bedrock.event(kind, payload if isinstance(payload, dict) else {"": payload})
        for event in events
        for kind, payload in event.items()
    )


def lines_of(events: list[dict[str, Any]]) -> bytes:
    """Events as server-sent ones."""
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


def body_of(objects: list[dict[str, Any]]) -> bytes:
    """The one object of a whole reply."""
    return json.dumps(objects[0]).encode()


BEDROCK_WIRE = BedrockWire("us-east-1", BearerToken("t"))
COHERE_WIRE = CohereWire("http://localhost", Credential())
SAMPLES = [
    Sample(BEDROCK_WIRE, scripted_bedrock.EVENT_STREAM, events_of_bedrock(), frames_of),
    Sample(
        BEDROCK_WIRE, "application/json", [scripted_bedrock.converse(BLOCKS, "tool_use")], body_of
    ),
    Sample(COHERE_WIRE, "text/event-stream", scripted_cohere.events(COHERE), lines_of),
    Sample(COHERE_WIRE, "application/json", [COHERE], body_of),
]
JUNK: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 7, -1.5, "", "x", [], [1], {}, {"text": 1}, [{}]]
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place within a JSON value."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*path, key))


def read(sample: Sample, content: bytes) -> None:
    """Takes the bytes in; anything but an answer or a failure is raised."""
    reading = sample.wire.reading(CALL, sample.content_type)
    try:
        reading.feed(content)
        reading.end()
        assert reading.reply().body["choices"]
    except ProviderFailure:
        pass


@given(st.sampled_from(SAMPLES), st.data(), JUNK)
def test_a_field_that_is_anything_else_breaks_nothing(
    sample: Sample, data: st.DataObject, junk: object
) -> None:
    objects = json.loads(json.dumps(sample.objects))
    *way, last = data.draw(
        st.sampled_from([path for path in paths(objects) if len(path) > 1]), label="path"
    )
    place = objects
    for key in way:
        place = place[key]
    place[last] = junk
    read(sample, sample.content(objects))


@given(st.sampled_from(SAMPLES), st.data())
def test_bytes_that_are_lost_or_changed_break_nothing(sample: Sample, data: st.DataObject) -> None:
    content = bytearray(sample.content(sample.objects))
    at = data.draw(st.integers(0, len(content) - 1), label="at")
    if data.draw(st.booleans(), label="lost"):
        del content[at:]
    else:
        content[at] ^= data.draw(st.integers(1, 255), label="flipped")
    read(sample, bytes(content))
