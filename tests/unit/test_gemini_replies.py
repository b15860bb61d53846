"""What Google's finishes, counts and errors mean."""

import json
from typing import Any

import pytest

from adapters.providers.gemini.refusals import google_refusal
from adapters.providers.gemini.reply import GeminiReader
from adapters.providers.gemini.usage import parse_usage_metadata
from domain.dialects.canonical import FinishReason
from domain.dialects.pieces import (
    Finished,
    Piece,
    TextDelta,
    ThinkingSigned,
    ToolStarted,
    UsageReported,
)
from domain.inference.events import Usage
from domain.ports.provider import FailureKind
from tests.support.scripted_gemini import called, google_error, item, said


def pieces(*replies: dict[str, Any]) -> list[Piece]:
    reader = GeminiReader("job_1", {}, streamed=True)
    content = "".join(f"data: {json.dumps(one)}\n\n" for one in replies).encode()
    return [*reader.feed(content), *reader.end()]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "stop"),
        ("FINISH_REASON_UNSPECIFIED", "stop"),
        ("UNEXPECTED_TOOL_CALL", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOO_MANY_TOOL_CALLS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("OTHER", "content_filter"),
    ],
)
def test_a_finish_has_its_reason(word: str, reason: FinishReason) -> None:
    assert pieces(item(said("a"), finish=word))[-1] == Finished(reason)


def test_an_answer_that_stops_after_a_call_waits_for_tools() -> None:
    assert pieces(item(called("f")), item(finish="STOP"))[-1] == Finished("tool_calls")
    assert pieces(item(called("f")), item(finish="MAX_TOKENS"))[-1] == Finished("length")


def test_a_second_finish_is_none() -> None:
    told = pieces(item(said("a"), finish="STOP"), item(finish="STOP"))
    assert sum(isinstance(piece, Finished) for piece in told) == 1


def test_a_call_without_an_id_gets_one_of_its_own_and_always_the_same() -> None:
    told = pieces(item(called("f"), called("f")))
    ids = [p.id for p in told if isinstance(p, ToolStarted)]
    assert len(set(ids)) == 2
    assert told == pieces(item(called("f")), item(called("f")))
    assert all(one.startswith("call_") for one in ids)


def test_the_indexes_of_calls_count_across_events() -> None:
    told = pieces(item(called("f")), item(called("g")))
    assert [p.index for p in told if isinstance(p, ToolStarted)] == [0, 1]


def test_a_part_that_is_a_signature_alone_says_no_text() -> None:
    told = pieces(item(said("a")), item(said("", thoughtSignature="SIG"), finish="STOP"))
    assert [p for p in told if isinstance(p, TextDelta)] == [TextDelta("a")]
    assert ThinkingSigned(vendor="google", signature="SIG") in told


def test_only_the_last_counts_are_told() -> None:
    first, last = ({"promptTokenCount": 5, "candidatesTokenCount": n} for n in (1, 9))
    told = pieces(item(said("a"), usage=first), item(finish="STOP", usage=last))
    (reported,) = [piece for piece in told if isinstance(piece, UsageReported)]
    assert (reported.usage.output_tokens, reported.raw) == (9, json.dumps(last))


def test_counts_that_come_after_the_finish_replace_those_before() -> None:
    late = {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 3}}
    told = pieces(item(said("a"), finish="STOP"), late)
    assert isinstance(told[-1], UsageReported)
    assert told[-1].usage.output_tokens == 3


def test_a_last_word_that_other_wires_have_says_nothing() -> None:
    reader = GeminiReader("job_1", {}, streamed=True)
    assert list(reader.feed(b"data: [DONE]\n\n")) == []


def test_a_reply_in_a_list_is_read_too() -> None:
    reader = GeminiReader("job_1", {}, streamed=False)
    both = json.dumps([item(said("a")), item(said("b"), finish="STOP")]).encode()
    told = [*reader.feed(both), *reader.end()]
    assert [p for p in told if isinstance(p, TextDelta)] == [TextDelta("a"), TextDelta("b")]


@pytest.mark.parametrize(
    ("counted", "usage"),
    [
        ({"promptTokenCount": 100, "candidatesTokenCount": 20, "thoughtsTokenCount": 30,
          "cachedContentTokenCount": 60, "totalTokenCount": 150},
         Usage(input_tokens=100, output_tokens=50, cached_input_tokens=60, reasoning_tokens=30)),
        ({"promptTokenCount": 100, "candidatesTokenCount": 50, "thoughtsTokenCount": 30,
          "totalTokenCount": 150},
         Usage(input_tokens=100, output_tokens=50, reasoning_tokens=30)),
        ({"promptTokenCount": 10, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 2,
          "thoughtsTokenCount": 1, "totalTokenCount": 18},
         Usage(input_tokens=15, output_tokens=3, reasoning_tokens=1)),
        ({"promptTokenCount": 10, "candidatesTokenCount": 8, "totalTokenCount": 18,
          "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6},
                                  {"modality": "AUDIO", "tokenCount": 4}],
          "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 8}]},
         Usage(input_tokens=10, output_tokens=8, input_audio_tokens=4, output_audio_tokens=8)),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 99},
         Usage(input_tokens=10, output_tokens=0, cached_input_tokens=10)),
        ({"trafficType": "ON_DEMAND"}, None),
        ({"promptTokenCount": -1}, None),
        (None, None),
    ],
)  # fmt: skip
def test_counts_become_usage(counted: Any, usage: Usage | None) -> None:
    assert parse_usage_metadata(counted) == usage


PER_DAY = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}
PER_MINUTE = {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]}


@pytest.mark.parametrize(
    ("status", "message", "details", "kind"),
    [
        (400, "Request contains an invalid argument.", [], "bad_request"),
        (400, "x", [{"reason": "API_KEY_INVALID"}], "auth"),
        (400, "API key not valid. Please pass a valid API key.", [], "auth"),
        (400, "User location is not supported for the API use.", [], "auth"),
        (400, "The input token count (9) exceeds the maximum number of tokens allowed (8).", [],
         "context_length"),
        (400, "Request payload size exceeds the limit: 20971520 bytes.", [], "too_large"),
        (400, "Gemini API free tier is not available in your country. Please enable billing.", [],
         "quota"),
        (400, "The model is not servable in region us-central1.", [], "not_found"),
        (400, "claude-x is not supported in the europe-west9 region.", [], "not_found"),
        (401, "x", [], "auth"),
        (403, "The publisher's agreement has not been accepted.", [], "auth"),
        (403, "x", [{"reason": "BILLING_DISABLED"}], "quota"),
        (404, "Publisher Model `m` was not found or your project does not have access.", [],
         "not_found"),
        (429, "You exceeded your current quota, please check your plan and billing.",
         [PER_MINUTE], "rate_limited"),
        (429, "You exceeded your current quota.", [PER_DAY], "quota"),
        (429, "Resource exhausted, please try again later.", [], "rate_limited"),
        (500, "x", [], "server_error"),
        (503, "The model is overloaded.", [], "overloaded"),
        (504, "x", [], "overloaded"),
    ],
)  # fmt: skip
def test_an_error_is_of_the_kind_that_its_reason_says(
    status: int, message: str, details: list[Any], kind: FailureKind
) -> None:
    content = json.dumps(google_error(status, "STATUS", message, details)).encode()
    for sent in (content, b"[" + content + b"]"):
        failed = google_refusal(status, {}, sent)
        assert (failed.kind, failed.status_code) == (kind, status)


def test_a_header_says_better_than_the_error_when_to_ask_again() -> None:
    again = {"retryDelay": "30s"}
    content = json.dumps(google_error(429, "RESOURCE_EXHAUSTED", "x", [again])).encode()
    assert google_refusal(429, {}, content).retry_after == 30.0
    assert google_refusal(429, {"retry-after": "2"}, content).retry_after == 2.0


def test_an_error_in_another_envelope_is_read_as_any_other() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}
    assert google_refusal(529, {}, json.dumps(error).encode()).kind == "overloaded"
    assert google_refusal(502, {}, b"<html>").kind == "overloaded"
