"""The old completions from and to the canonical form."""

from typing import Any

import pytest
from openai.types import Completion

from domain.dialects.canonical import Answer, Choice, Text, Thinking, Turn
from domain.dialects.completions import CompletionsSurface
from domain.dialects.pieces import Finished, TextDelta, ThinkingDelta
from domain.dialects.surface import Head
from domain.errors import InvalidRequest
from domain.inference.events import Usage

SURFACE = CompletionsSurface()
HEAD = Head("cmpl-1", "acme/m", 1_700_000_000)
USAGE = Usage(input_tokens=3, output_tokens=2)


@pytest.mark.parametrize("prompt", ["Say hi.", ["Say hi."]])
def test_a_prompt_is_what_the_user_says(prompt: Any) -> None:
    request = SURFACE.read({"model": "m", "prompt": prompt, "stop": "\n", "n": 2})
    assert request.turns == (Turn("user", (Text("Say hi."),)),)
    assert (request.stop, request.choices, request.max_output_tokens) == (("\n",), 2, 16)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"suffix": "x"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"logprobs": 0}, "logprobs"),
        ({"best_of": 2}, "best_of"),
    ],
)
def test_what_no_dialogue_can_give_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        SURFACE.read({"model": "m", "prompt": "x", **fields})
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", param)


def test_a_whole_answer_is_a_completion_of_the_official_client() -> None:
    choice = Choice(parts=(Thinking(text="Hm."), Text("Hi.")), finish="stop")
    body = SURFACE.finished(SURFACE.whole(Answer(choices=(choice,))), HEAD, USAGE)
    completion = Completion.model_validate(body)
    assert (completion.choices[0].text, completion.choices[0].finish_reason) == ("Hi.", "stop")
    assert completion.usage is not None
    assert completion.usage.total_tokens == 5


def test_the_end_of_a_stream_is_kept_until_it_is_durable() -> None:
    renderer = SURFACE.renderer()
    outgoing = SURFACE.outgoing({"stream_options": {"include_usage": True}}, HEAD)
    pieces = (ThinkingDelta("Hm."), TextDelta("Hi."), Finished("length"))
    deltas = [one for piece in pieces for one in renderer.deltas(piece)]
    shown = [told for one in deltas for told in outgoing.shown(one)]
    assert [told["choices"][0]["text"] for told in shown] == ["Hi."]
    end, usage = outgoing.closing(USAGE)
    assert end["choices"][0]["finish_reason"] == "length"
    assert usage["usage"]["total_tokens"] == 5
