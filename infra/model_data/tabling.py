"""Offers become models: the table that is shipped, one JSON object a model, its names sorted."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from infra.model_data.merging import Merged
from infra.model_data.naming import Names
from infra.model_data.rows import BY_USE, WHOLES, Prices, Row

_SNAPSHOT = re.compile(r"-20\d{6}(?::|$)")
MAIN_MODALITY = {"image": "image", "audio": "audio", "video": "video"}
BY_TOKEN = (
    *("input", "output", "cache_read", "cache_write", "cache_write_1h", "input_audio"),
    *("reasoning", "output_audio", *BY_USE, "input_image", "output_image"),
)
IN_TIERS = BY_TOKEN[:8]


def table(
    offers: Sequence[Merged], names: Names, days: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """The models in the order of their names; `days` are the dates of the sources."""
    models: dict[str, list[Merged]] = defaultdict(list)
    for offer in offers:
        names.note_day(offer.row.native_id)
    _know_the_usual(offers, names)
    for offer in sorted(offers, key=lambda one: _rank(one.row, names.homes)):
        models[names.canonical(offer.row.provider, offer.row.native_id)].append(offer)
    for name in sorted(models):
        yield _model(name, models[name], names.homes, days)


def _know_the_usual(offers: Sequence[Merged], names: Names) -> None:
    """Spellings to prefer: those of the aliases, then those of the router that spells by maker."""
    for target in sorted(set(names.aliases.values())):
        names.know(target)
    for row in (offer.row for offer in offers):
        if row.provider == "openrouter" and not _SNAPSHOT.search(row.native_id.lower()):
            base = row.native_id.lower().partition(":")[0]
            if "/" in base:
                names.know(base)


def _rank(row: Row, homes: Mapping[str, str]) -> tuple[bool, bool, str, int, str]:
    """Who makes models names them before those who only sell them."""
    return (
        row.provider not in homes,
        row.provider != "openrouter",
        row.provider,
        len(row.native_id),
        row.native_id,
    )


def _model(
    name: str, offers: Sequence[Merged], homes: Mapping[str, str], days: Mapping[str, str]
) -> dict[str, Any]:
    rows = [offer.row for offer in offers]
    makers = [row for row in rows if homes.get(row.provider) == name.partition("/")[0]]

    def told(value: Callable[[Row], Any]) -> Any:
        """What its maker says, else most sellers."""
        return _most_common(map(value, makers)) or _most_common(map(value, rows))

    kind = told(lambda row: row.kind) or "chat"
    model = {
        "id": name,
        "kind": kind,
        "context_length": told(lambda row: row.context_length),
        "max_output_tokens": told(lambda row: row.max_output_tokens),
        "free": name.endswith(":free"),
        "capabilities": told(_capabilities) or (),
        "inputs": told(lambda row: row.inputs) or ("text",),
        "outputs": told(lambda row: row.outputs) or (MAIN_MODALITY.get(kind, "text"),),
    }
    makers_first = sorted(offers, key=lambda offer: offer.row not in makers)
    model["offers"] = [_offer(offer, model, days) for offer in makers_first]
    return {name: value for name, value in model.items() if _says_something(value)}


def _capabilities(row: Row) -> tuple[str, ...] | None:
    return tuple(sorted(row.capabilities)) or None


def _most_common(values: Iterable[Any]) -> Any:
    """What most sellers say; the first of those that as many say. None where nobody does."""
    counted = Counter(value for value in values if value)
    return counted.most_common(1)[0][0] if counted else None


def _offer(offer: Merged, model: Mapping[str, Any], days: Mapping[str, str]) -> dict[str, Any]:
    row = offer.row
    made = {
        "provider": row.provider,
        "native_id": row.native_id,
        **_named(row.prices, BY_TOKEN),
        "tiers": [
            {"above_input_tokens": start, **_named(_raised(row.prices, tier), IN_TIERS)}
            for start, tier in sorted(row.tiers.items())
            if "input" in tier and "output" in tier
        ],
        "batch_input_picodollars": row.batch.get("input"),
        "batch_output_picodollars": row.batch.get("output"),
        "per_unit": [
            {"unit": unit, "picodollars": price} for unit, price in sorted(row.per_unit.items())
        ],
        "deprecated": row.deprecated,
        "source": row.source,
        "as_of": days[row.source],
        "disputed": [
            {"source": source, **_named(prices, ("input", "output"))}
            for source, prices in sorted(offer.other.items())
        ],
    }
    told = {"context_length": row.context_length, "max_output_tokens": row.max_output_tokens}
    own: dict[str, Any] = {
        name: value for name, value in told.items() if value and value != model[name]
    }
    if (capabilities := _capabilities(row)) and capabilities != model["capabilities"]:
        own["capabilities"] = capabilities
    return {name: value for name, value in (made | own).items() if _says_something(value)}


def _named(prices: Prices, dimensions: Sequence[str]) -> dict[str, int]:
    """A dimension that costs what its whole does is not told apart."""
    return {
        f"{name}_picodollars": prices[name]
        for name in dimensions
        if name in prices and (name in ("input", "output") or prices[name] != _whole(name, prices))
    }


def _raised(base: Prices, tier: Prices) -> Prices:
    """A tier in which what costs as much as its whole goes on doing so: with it, it is raised."""
    return {
        name: price
        for name, price in tier.items()
        if name in WHOLES or price != base.get(name) or price != _whole(name, base)
    }


def _whole(dimension: str, prices: Prices) -> int | None:
    if dimension in BY_USE:
        return 0
    outputs = ("reasoning", "output_audio", "output_image")
    return prices.get("output" if dimension in outputs else "input")


def _says_something(value: Any) -> bool:
    return value is not None and value is not False and value not in ((), [])
