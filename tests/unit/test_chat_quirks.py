"""A chat request as a provider takes it that differs from OpenAI."""

from typing import Any

import pytest

from adapters.providers.chat_quirks import ChatQuirks, ModelQuirks
from adapters.providers.chat_shaping import shaped, shaped_embedding, short_call_id
from adapters.providers.credential import Credential
from domain.dialects.canonical import Untranslatable

TOOLS = [{"type": "function", "function": {"name": "look", "strict": True}}]


def applied(
    quirks: ChatQuirks, body: dict[str, Any], *, model: str = "alpha", limit: int | None = None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    body = dict(body)
    dropped = shaped(body, quirks, model, limit)
    return body, dropped


@pytest.mark.parametrize("given", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("wanted", ["max_tokens", "max_completion_tokens"])
def test_the_token_limit_goes_under_the_name_that_the_provider_knows(
    given: Any, wanted: Any
) -> None:
    assert applied(ChatQuirks(limit=wanted), {given: 9}) == ({wanted: 9}, ())


def test_of_two_limits_one_is_sent() -> None:
    quirks = ChatQuirks(limit="max_tokens")
    body, _ = applied(quirks, {"max_tokens": 5, "max_completion_tokens": 9})
    assert body == {"max_tokens": 9}


def test_the_models_own_rule_comes_before_the_providers() -> None:
    quirks = ChatQuirks(
        limit="max_tokens",
        models=(ModelQuirks(match=("o[1-9]*",), limit="max_completion_tokens"),),
    )
    assert applied(quirks, {"max_tokens": 9}, model="acme/o3-mini")[0] == {
        "max_completion_tokens": 9
    }
    assert applied(quirks, {"max_tokens": 9}, model="gpt-4o")[0] == {"max_tokens": 9}


def test_a_limit_above_the_models_is_lowered_and_named_where_it_would_be_an_error() -> None:
    quirks = ChatQuirks(limit="max_completion_tokens", clamps_limit=True)
    assert applied(quirks, {"max_tokens": 9000}, limit=4096) == (
        {"max_completion_tokens": 4096},
        ("max_tokens",),
    )
    assert applied(quirks, {"max_tokens": 9}, limit=4096)[1] == ()


@pytest.mark.parametrize(
    ("form", "effort", "sent", "is_exact"),
    [
        ("switch", "none", {"thinking": {"type": "disabled"}}, True),
        ("switch", "high", {"thinking": {"type": "enabled"}}, False),
        ("qwen", "none", {"enable_thinking": False}, True),
        ("qwen", "medium", {"enable_thinking": True, "thinking_budget": 4096}, True),
        ("qwen", "max", {"enable_thinking": True, "thinking_budget": 16384}, False),
        ("deepseek", "none", {"thinking": {"type": "disabled"}}, True),
        ("deepseek", "low", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}, False),
        ("deepseek", "max", {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}, True),
        ("openrouter", "max", {"reasoning_effort": "xhigh"}, True),
        ("openrouter", "low", {"reasoning_effort": "low"}, True),
    ],
)
def test_the_effort_goes_in_the_hosts_own_words(
    form: Any, effort: str, sent: dict[str, Any], is_exact: bool
) -> None:
    dropped = () if is_exact else ("reasoning_effort",)
    assert applied(ChatQuirks(effort=form), {"reasoning_effort": effort}) == (sent, dropped)


def test_what_the_caller_said_in_the_hosts_words_stays() -> None:
    body = {"reasoning_effort": "high", "thinking": {"type": "disabled"}}
    assert applied(ChatQuirks(effort="switch"), body)[0] == {"thinking": {"type": "disabled"}}


def test_the_models_limit_is_sent_where_the_providers_default_is_harmful() -> None:
    quirks = ChatQuirks(always_limit=True)
    assert applied(quirks, {}, limit=4096)[0] == {"max_tokens": 4096}
    assert applied(quirks, {"max_tokens": 3}, limit=4096)[0] == {"max_tokens": 3}


def test_what_only_tunes_the_answer_is_left_out_and_named() -> None:
    quirks = ChatQuirks(refuses=("seed", "logit_bias", "user"))
    assert applied(quirks, {"seed": 1, "user": "u", "top_p": 0.5}) == (
        {"top_p": 0.5},
        ("seed", "user"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", TOOLS),
        ("stop", ["x"]),
        ("n", 2),
        ("response_format", {"type": "json_object"}),
        ("tool_choice", "required"),
    ],
)
def test_what_would_change_the_answer_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Untranslatable) as refused:
        applied(ChatQuirks(refuses=(name,)), {name: value})
    assert refused.value.param == name


@pytest.mark.parametrize(
    "body", [{"n": 1}, {"seed": None}, {"tools": []}, {"logprobs": False}, {"temperature": 1}]
)
def test_what_asks_for_nothing_is_left_out_in_silence(body: dict[str, Any]) -> None:
    assert applied(ChatQuirks(refuses=tuple(body)), body) == ({}, ())


def test_a_reasoning_model_takes_a_temperature_only_when_it_does_not_reason() -> None:
    quirks = ChatQuirks(models=(ModelQuirks(match=("gpt-5*",), thinks=("temperature",)),))
    assert applied(quirks, {"temperature": 0.2}, model="gpt-5.5") == ({}, ("temperature",))
    body = {"temperature": 0.2, "reasoning_effort": "none"}
    assert applied(quirks, body, model="gpt-5.5") == (body, ())


def test_a_temperature_out_of_range_is_clamped_and_named() -> None:
    quirks = ChatQuirks(temperature=(0.01, 1))
    assert applied(quirks, {"temperature": 1.7}) == ({"temperature": 1}, ("temperature",))
    assert applied(quirks, {"temperature": 0}) == ({"temperature": 0.01}, ("temperature",))
    assert applied(quirks, {"temperature": 0.7}) == ({"temperature": 0.7}, ())


def test_too_many_choices_or_stops_are_refused() -> None:
    quirks = ChatQuirks(max_choices=1, max_stops=1)
    for name, value in (("n", 2), ("stop", ["a", "b"])):
        with pytest.raises(Untranslatable):
            applied(quirks, {name: value})
    assert applied(quirks, {"n": 1, "stop": ["a"]})[1] == ()


def test_a_tool_choice_that_is_not_taken_is_refused_unless_it_says_nothing() -> None:
    quirks = ChatQuirks(tool_choice=("none",))
    assert applied(quirks, {"tools": TOOLS, "tool_choice": "auto"})[0] == {"tools": TOOLS}
    with pytest.raises(Untranslatable):
        applied(quirks, {"tools": TOOLS, "tool_choice": {"type": "function"}})


def test_no_tools_are_sent_where_none_may_be_called_and_that_cannot_be_said() -> None:
    quirks = ChatQuirks(tool_choice=("auto",))
    assert applied(quirks, {"tools": TOOLS, "tool_choice": "none"})[0] == {}


def test_a_required_tool_goes_in_the_providers_word() -> None:
    body = {"tool_choice": "required"}
    assert applied(ChatQuirks(any_tool="any"), body)[0] == {"tool_choice": "any"}


def test_a_parameter_goes_under_the_providers_name_for_it() -> None:
    assert applied(ChatQuirks(renames={"seed": "random_seed"}), {"seed": 4})[0] == {
        "random_seed": 4
    }


def test_tools_lose_the_word_strict_and_the_callers_body_does_not() -> None:
    body, _ = applied(ChatQuirks(strict_tools=False), {"tools": TOOLS})
    assert body["tools"] == [{"type": "function", "function": {"name": "look"}}]
    assert TOOLS[0]["function"] == {"name": "look", "strict": True}


def test_messages_are_brought_into_the_providers_form() -> None:
    said = {"role": "user", "name": "bob", "content": [{"type": "text", "text": "hi"}], "x": None}
    quirks = ChatQuirks(messages=("no_names", "no_nulls", "plain_text"))
    assert applied(quirks, {"messages": [said]})[0]["messages"] == [
        {"role": "user", "content": "hi"}
    ]
    assert said["name"] == "bob"


def test_a_list_with_an_image_stays_one() -> None:
    content = [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "x"}}]
    body = {"messages": [{"role": "user", "content": content}]}
    assert applied(ChatQuirks(messages=("plain_text",)), body)[0] == body


def test_a_call_and_its_result_keep_one_id_when_ids_are_shortened() -> None:
    call = {"id": "call_0123456789", "type": "function"}
    messages = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "4"},
    ]
    body, _ = applied(ChatQuirks(messages=("short_call_ids",)), {"messages": messages})
    first, second = body["messages"]
    assert first["tool_calls"][0]["id"] == second["tool_call_id"] == short_call_id(call["id"])
    assert len(second["tool_call_id"]) == 9
    assert second["tool_call_id"].isalnum()


def test_an_id_of_the_right_form_stays() -> None:
    assert short_call_id("a1B2c3D4e") == "a1B2c3D4e"


def test_the_usual_form_of_a_vector_goes_without_saying_where_it_is_not_taken() -> None:
    body = {"input": "x", "encoding_format": "float"}
    assert shaped_embedding(body, ChatQuirks(float_encoding=False)) == ()
    assert body == {"input": "x"}


def test_a_credential_goes_in_its_own_header_with_its_own_words() -> None:
    credential = Credential("k", "Api-Key", "Key {key}", {"X-Team": "t"}, {"api-version": "1"})
    assert credential.headers() == {"api-key": "Key k", "x-team": "t"}
    assert credential.url("https://x/y") == "https://x/y?api-version=1"


def test_a_secret_is_not_shown_by_its_credential() -> None:
    assert "planted" not in repr(Credential("planted"))


def test_without_a_secret_nothing_is_sent() -> None:
    assert Credential().headers() == {}
