"""Token counts in the spellings of the several hosts."""

import json
from typing import Any

import pytest

from adapters.providers.usage import (
    overlaid,
    parse_messages_usage,
    parse_usage,
    raw_usage,
    usage_of,
)
from domain.dialects.chat.answers import usage_object
from domain.inference.events import Usage


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (
            {
                "prompt_tokens": 1110,
                "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 100},
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            Usage(
                input_tokens=1110,
                output_tokens=50,
                cached_input_tokens=1000,
                cache_write_tokens=100,
                reasoning_tokens=20,
            ),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 8,
                "prompt_tokens_details": {"audio_tokens": 5},
                "completion_tokens_details": {"audio_tokens": 7},
            },
            Usage(input_tokens=9, output_tokens=8, input_audio_tokens=5, output_audio_tokens=7),
        ),
        # xAI counts the reasoning beside the completion.
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 45,
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            Usage(input_tokens=10, output_tokens=35, reasoning_tokens=30),
        ),
        # DeepSeek, and Moonshot.
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 8},
            Usage(input_tokens=10, output_tokens=5, cached_input_tokens=8),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 8},
            Usage(input_tokens=10, output_tokens=5, cached_input_tokens=8),
        ),
        # Shares that pass the whole make no sense and are cut.
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 90, "cache_write_tokens": 9},
                "completion_tokens_details": {"reasoning_tokens": 9},
            },
            Usage(input_tokens=10, output_tokens=5, cached_input_tokens=10, reasoning_tokens=5),
        ),
    ],
)
def test_the_counts_of_a_chat_host_are_read(reported: dict[str, Any], usage: Usage) -> None:
    assert parse_usage(reported) == usage


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (
            {
                "input_tokens": 10,
                "cache_creation_input_tokens": 100,
                "cache_read_input_tokens": 1000,
                "output_tokens": 50,
                "output_tokens_details": {"thinking_tokens": 20},
            },
            Usage(
                input_tokens=1110,
                output_tokens=50,
                cached_input_tokens=1000,
                cache_write_tokens=100,
                reasoning_tokens=20,
            ),
        ),
        (
            {
                "input_tokens": 10,
                "cache_creation_input_tokens": 100,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 30,
                    "ephemeral_1h_input_tokens": 70,
                },
                "output_tokens": 50,
            },
            Usage(
                input_tokens=110,
                output_tokens=50,
                cache_write_tokens=30,
                cache_write_1h_tokens=70,
            ),
        ),
        ({"output_tokens": 5}, None),
        ({"input_tokens": -1}, None),
        (None, None),
    ],
)
def test_the_counts_of_anthropic_are_read(reported: object, usage: Usage | None) -> None:
    assert parse_messages_usage(reported) == usage


def test_anthropics_counts_are_told_in_openais_words() -> None:
    reported = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 1000,
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 20},
    }
    usage = parse_messages_usage(reported)
    assert usage is not None
    assert usage_object(usage) == {
        "prompt_tokens": 1110,
        "completion_tokens": 50,
        "total_tokens": 1160,
        "prompt_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }


def test_a_later_report_replaces_and_a_null_says_nothing() -> None:
    text = overlaid(
        [
            '{"input_tokens":10,"output_tokens":1,"cost":1.10}',
            '{"input_tokens":null,"output_tokens":7}',
        ]
    )
    assert text == '{"input_tokens":10,"output_tokens":7,"cost":1.10}'


@pytest.mark.parametrize(
    "reply",
    [
        '{"usage": {"prompt_tokens": 1.0}}',
        '{"usage": null, "x_groq": {"id": "r", "usage": {"prompt_tokens": 1.0}}}',
        '{"choices": [{"index": 0, "usage": {"prompt_tokens": 1.0}}]}',
    ],
)
def test_the_counts_are_kept_as_they_came(reply: str) -> None:
    assert raw_usage(reply.encode()) == '{"prompt_tokens": 1.0}'
    assert usage_of(json.loads(reply)) == {"prompt_tokens": 1.0}


@pytest.mark.parametrize("reply", [{}, {"usage": 7}, {"choices": [7]}, {"x_groq": None}])
def test_a_reply_without_counts_has_none(reply: dict[str, Any]) -> None:
    assert usage_of(reply) is None


@pytest.mark.parametrize(
    ("told", "searches"),
    [
        ({"num_search_queries": 21}, 21),
        ({"tool_calls_details": {"search_web": {"invocation": 2}}}, 2),
        ({"server_tool_use": {"web_search_requests": 0}}, 0),
        ({"num_search_queries": -1}, None),
        ({"tool_calls_details": {"search_web": 3}, "server_tool_use": None}, None),
    ],
)
def test_searches_are_counted_where_the_host_tells_of_them(
    told: dict[str, Any], searches: int | None
) -> None:
    counted = {"prompt_tokens": 1, "input_tokens": 1, **told}
    for parse in (parse_usage, parse_messages_usage):
        usage = parse(counted)
        assert usage is not None
        assert usage.searches == searches


def test_what_research_read_and_thought_is_counted_too() -> None:
    usage = parse_usage(
        {
            "prompt_tokens": 33,
            "completion_tokens": 7163,
            "total_tokens": 7196,
            "citation_tokens": 20016,
            "num_search_queries": 18,
            "reasoning_tokens": 73997,
        }
    )
    assert usage == Usage(
        input_tokens=33 + 20016,
        output_tokens=7163 + 73997,
        reasoning_tokens=73997,
        searches=18,
    )
