"""Anthropic's betas: from the header into the body, and which may go on to which host."""

from typing import Any

import pytest

from domain.dialects.messages.betas import (
    KNOWN,
    UNPRICED,
    betas_of,
    label,
    parted,
    require_priced,
    with_betas,
)
from domain.dialects.messages.reading import read_request
from domain.errors import InvalidRequest

THINKING, TOOLS = "interleaved-thinking-2025-05-14", "fine-grained-tool-streaming-2025-05-14"


def test_headers_join_the_body_in_one_order_and_once() -> None:
    body = with_betas([f"{THINKING}, {TOOLS}", f" {THINKING} ,"], {"model": "m"})
    assert body == {"model": "m", "anthropic_beta": [TOOLS, THINKING]}
    assert with_betas([TOOLS], {"anthropic_beta": [THINKING]})["anthropic_beta"] == [
        TOOLS,
        THINKING,
    ]


@pytest.mark.parametrize("headers", [[], [""], [" , "]])
def test_without_a_name_the_body_stays_what_it_is(headers: list[str]) -> None:
    body = {"model": "m"}
    assert with_betas(headers, body) is body


@pytest.mark.parametrize("given", ["one", [1], {"a": "b"}])
def test_what_is_no_list_of_names_is_left_to_be_refused(given: Any) -> None:
    assert with_betas([THINKING], {"anthropic_beta": given}) == {"anthropic_beta": given}
    assert betas_of({"anthropic_beta": given}) == ()


@pytest.mark.parametrize("family", UNPRICED)
@pytest.mark.parametrize("name", ["{}-2025-08-07", "{}", "{}-2099-01-01"])
def test_a_beta_that_changes_the_price_is_refused_by_its_name(family: str, name: str) -> None:
    beta = name.format(family)
    for written in (beta, beta.upper()):
        with pytest.raises(InvalidRequest, match=written) as refused:
            require_priced([THINKING, written], "anthropic_beta")
        assert (refused.value.code, refused.value.param) == (
            "unsupported_parameter",
            "anthropic_beta",
        )


def test_what_is_known_has_a_price() -> None:
    require_priced(sorted(KNOWN), "anthropic_beta")


@pytest.mark.parametrize("name", ["", "a b", "a\n", "a,b", "ü", "-a", "a" * 101, 'a"', "a\r\nx: y"])
def test_what_is_no_name_never_becomes_a_header(name: str) -> None:
    with pytest.raises(InvalidRequest):
        require_priced([name], "anthropic_beta")


def test_what_is_not_known_goes_on_only_where_all_of_them_may() -> None:
    body = {"anthropic_beta": [THINKING, "new-2099-01-01"]}
    assert parted(body, KNOWN) == ((THINKING,), ("new-2099-01-01",))
    assert parted(body, KNOWN, all_of_them=True) == ((THINKING, "new-2099-01-01"), ())


def test_for_another_wire_each_beta_is_one_of_the_extras() -> None:
    hello = {"role": "user", "content": "Hi."}
    body = {"model": "m", "max_tokens": 9, "messages": [hello]}
    request = read_request({**body, "anthropic_beta": [THINKING, TOOLS]})
    assert list(request.extras) == [label(THINKING), label(TOOLS)]
