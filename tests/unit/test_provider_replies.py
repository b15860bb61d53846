"""Reading upstream bytes: statuses, retry times, usage spellings and streamed parts."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.failures import failure_of_status, kind_of_status, retry_after
from adapters.providers.replies import StreamedReading, WholeReading
from adapters.providers.usage import MAX_TOKENS, parse_usage
from domain.inference.events import Usage
from domain.ports.provider import FailureKind, ProviderFailure
from tests.support.scripted_provider import chunk, words

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
STREAM = "".join(f"data: {part}\n\n" for part in [*words("Grüße, 世界 and all."), "[DONE]"])

# What follows an opened list and never closes it.
unclosed = st.binary(max_size=300).filter(lambda content: b"]" not in content)


@given(st.lists(st.integers(0, len(STREAM.encode())), max_size=12))
def test_a_stream_reads_the_same_however_it_is_cut_into_parts(cuts: list[int]) -> None:
    content, reading = STREAM.encode(), StreamedReading(choices=1)
    edges = [0, *sorted(cuts), len(content)]
    for start, end in pairwise(edges):
        reading.feed(content[start:end])
    assert reading.reply().body["choices"][0]["message"]["content"] == "Grüße, 世界 and all."


@given(st.integers(0, len(STREAM.encode()) - 1))
def test_a_stream_that_breaks_anywhere_is_whole_or_a_failure(cut: int) -> None:
    reading = StreamedReading(choices=1)
    reading.feed(STREAM.encode()[:cut])
    try:
        content = reading.reply().body["choices"][0]["message"]["content"]
    except ProviderFailure as failure:
        content = failure.kind
    assert content in {"Grüße, 世界 and all.", "truncated"}


@pytest.mark.parametrize("content", [b'"\xff"', b"[" * 100_000, b"7", b""])
def test_bytes_that_are_no_json_object_are_malformed(content: bytes) -> None:
    reading = WholeReading()
    reading.feed(content)
    with pytest.raises(ProviderFailure) as raised:
        reading.reply()
    assert raised.value.kind == "malformed"


@given(unclosed)
def test_a_broken_body_is_a_failure(content: bytes) -> None:
    reading = WholeReading()
    reading.feed(b'{"choices": [' + content)
    with pytest.raises(ProviderFailure):
        reading.reply()


@given(unclosed)
def test_a_broken_chunk_is_a_failure(content: bytes) -> None:
    with pytest.raises(ProviderFailure):
        StreamedReading(choices=1).feed(b'data: {"choices": [' + content + b"\n")


@pytest.mark.parametrize(
    "delta",
    [
        {"content": 7},
        {"content": ["a"]},
        {"tool_calls": 7},
        {"tool_calls": [7]},
        {"tool_calls": [{"index": [], "function": {}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": {"x": 1}}}]},
    ],
)
def test_a_delta_of_the_wrong_shape_is_malformed(delta: dict[str, object]) -> None:
    with pytest.raises(ProviderFailure) as raised:
        StreamedReading(choices=1).feed(f"data: {chunk(delta, 'stop')}\n".encode())
    assert raised.value.kind == "malformed"


def test_a_new_tool_call_id_under_a_used_index_is_another_call() -> None:
    reading = StreamedReading(choices=1)
    for call_id in ("a", "b"):
        call = {"index": 0, "id": call_id, "function": {"name": "f", "arguments": "{}"}}
        reading.feed(f"data: {chunk({'tool_calls': [call]})}\n".encode())
    reading.feed(b"data: [DONE]\n")
    calls = reading.reply().body["choices"][0]["message"]["tool_calls"]
    assert [call["id"] for call in calls] == ["a", "b"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_retry_after_is_read_in_each_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOON) == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [(301, "malformed"), (418, "bad_request"), (520, "overloaded"), (599, "overloaded")],
)
def test_an_unlisted_status_goes_by_its_class(status: int, kind: FailureKind) -> None:
    assert kind_of_status(status) == kind


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (400, b'{"error": "Model acme/x does not exist"}', "not_found"),
        (400, b'{"message": "prompt is too long: 9 > 8"}', "context_length"),
        (400, b'[{"error": {"message": "API key not valid. Pass one."}}]', "auth"),
        (400, b'{"error": {"message": "Your credit balance is too low"}}', "quota"),
        (413, b'{"error": {"message": "Limit 6000 tokens per minute"}}', "rate_limited"),
        (403, b"flagged by moderation", "refused"),
        (400, b"\xff\xfe", "bad_request"),
        (400, b'"\xff"', "bad_request"),
        (400, b"[" * 100_000, "bad_request"),
        (500, b'{"error": {"code": "insufficient_quota"}}', "server_error"),
    ],
)
def test_an_error_text_refines_its_status(status: int, content: bytes, kind: FailureKind) -> None:
    assert failure_of_status(status, {}, content).kind == kind


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, Usage(input_tokens=3, output_tokens=2)),
        ({"input_tokens": 3, "output_tokens": 2}, Usage(input_tokens=3, output_tokens=2)),
        ({"prompt_tokens": 3, "total_tokens": 3}, Usage(input_tokens=3, output_tokens=0)),
        ({"prompt_tokens": MAX_TOKENS + 1}, None),
        ({"completion_tokens": 2}, None),
        (None, None),
    ],
)
def test_usage_is_read_in_each_spelling(reported: object, usage: Usage | None) -> None:
    assert parse_usage(reported) == usage
