"""Reading the prices of genai-prices: Python literals, which are parsed and never run."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from infra.model_data.rows import Prices, Row, per_token, per_unit, tiers_of, whole_number

BY_TOKEN = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "input_audio",
    "output_audio_mtok": "output_audio",
    "input_image_mtok": "input_image",
    "output_image_mtok": "output_image",
}
# In USD for a thousand.
BY_USE = {"requests_kcount": "request", "web_searches_kcount": "search"}


def read(content: bytes, source: str, today: str) -> Iterator[Row]:
    """The rows in force on `today`: one for each name that a model is known by in full."""
    for provider in _literals(content):
        for model in provider["models"]:
            prices = _in_force(model.get("prices"), today)
            base, above = _split(prices)
            for name in _names(model):
                yield Row(
                    provider=provider["id"],
                    native_id=name,
                    source=source,
                    prices=base,
                    tiers=tiers_of(base, above),
                    batch=_split(_batch(model, today))[0],
                    context_length=whole_number(model.get("context_window")),
                    deprecated=bool(model.get("deprecated")),
                )


def _literals(content: bytes) -> Any:
    for statement in ast.parse(content).body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            return _value(statement.value)
    raise ValueError("no list of providers is in it")


def _value(node: ast.expr) -> Any:
    """Constructors become dictionaries of their arguments, figures stay text."""
    match node:
        case ast.Call(func=ast.Name(id="Decimal"), args=[figure]):
            return _value(figure)
        case ast.Call(args=args, keywords=keywords):
            named = {one.arg: _value(one.value) for one in keywords}
            return {**named, "": [_value(one) for one in args]} if args else named
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {ast.literal_eval(k): _value(v) for k, v in zip(keys, values, strict=True) if k}
        case ast.Attribute(attr=name):
            return name
        case _:
            return ast.literal_eval(node)


def _names(model: Mapping[str, Any]) -> Iterator[str]:
    """The model's id, and every other name that its rule spells in full.

    A rule that knows a name and the same with `-fast` was written by rote: it tells no id.
    """
    spelled = sorted(set(_equal(model["match"])))
    by_rote = {name for name in spelled if name.removesuffix("-fast") in spelled}
    yield from sorted({model["id"], *spelled} - {n for n in by_rote if n.endswith("-fast")})


def _equal(rule: Mapping[str, Any]) -> Iterator[str]:
    if "equals" in rule:
        yield rule["equals"]
    for inner in rule.get("or_", ()):
        yield from _equal(inner)


def _in_force(prices: Any, today: str) -> Mapping[str, Any]:
    """The last prices that have begun; of those that change with the hour, the dearest."""
    if not isinstance(prices, list):
        return prices or {}
    begun = [one for one in prices if _start(one.get("constraint")) <= today]
    if not begun:
        return {}
    hourly = [one["prices"] for one in begun if "start_time" in (one.get("constraint") or {})]
    latest = max(begun, key=lambda one: _start(one.get("constraint")))["prices"]
    return max((latest, *hourly), key=lambda one: _split(one)[0].get("input", 0))


def _start(constraint: Mapping[str, Any] | None) -> str:
    if not constraint or "start_date" not in constraint:
        return ""
    year, month, day = constraint["start_date"][""]
    return f"{year:04d}-{month:02d}-{day:02d}"


def _batch(model: Mapping[str, Any], today: str) -> Mapping[str, Any]:
    variants: Iterable[Mapping[str, Any]] = model.get("price_variants") or ()
    for variant in variants:
        in_batches = variant["when"].get("processing") == "batch"
        if in_batches and _start(variant.get("constraint")) <= today:
            return dict(variant["prices"])
    return {}


def _split(prices: Mapping[str, Any]) -> tuple[Prices, dict[int, Prices]]:
    """The prices of the base, and those of each tier by where it begins."""
    base: Prices = {}
    above: dict[int, Prices] = {}
    for field, price in prices.items():
        dimension = BY_TOKEN.get(field)
        if dimension is None:
            continue
        tiered = price if isinstance(price, dict) else {"base": price, "tiers": []}
        base[dimension] = per_token(tiered["base"])
        for tier in tiered["tiers"]:
            above.setdefault(tier["start"], {})[dimension] = per_token(tier["price"])
    for field, dimension in BY_USE.items():
        if isinstance(price := prices.get(field), str):
            base[dimension] = per_unit(Decimal(price) / 1000)
    return base, above
