"""The generated pages are those of the code that is here."""

from collections.abc import Callable

import pytest

from infra import asyncapi, catalogue
from infra.cli import reference as commands
from infra.providers import guide
from infra.settings import reference
from infra.write_docs import DOCS


@pytest.mark.parametrize(
    ("page", "render"),
    [
        ("events.md", catalogue.render),
        ("configuration.md", reference.render),
        ("cli.md", commands.render),
        ("providers.md", guide.render),
        ("asyncapi.json", asyncapi.render),
    ],
)
def test_a_generated_page_is_up_to_date(page: str, render: Callable[[], str]) -> None:
    assert (DOCS / page).read_text("utf-8") == render(), "run make docs"


def test_the_configuration_page_names_every_setting() -> None:
    page = reference.render()
    assert all(f"`{name}`" in page for name in ("data_dir", "retry_schedule", "native_id"))
    assert "unset_variables" not in page


def test_the_configuration_page_says_what_is_not_applied() -> None:
    _, _, limits = reference.render().partition("## `limits`")
    assert reference.NOT_APPLIED in limits.partition("## ")[0]
