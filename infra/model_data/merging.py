"""Many rows become one offer: whose price is believed, what is filled in, and what is refused."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from domain.catalog.searching import billed_once
from infra.model_data.rows import BY_USE, Prices, Row, told_apart

# Ten per cent apart, and a price is told with the other beside it.
DISPUTED = Fraction(1, 10)
AGREED = Fraction(1, 100)
# A wrong unit is wrong by a thousand or a million.
ANCHOR = Fraction(3)
# Picodollars per token; USD per million tokens are as many millions of them.
MIN_PRICE, MAX_INPUT, MAX_OUTPUT = 100, 10**9, 2 * 10**9
OUTPUTS = ("output", "reasoning", "output_audio", "output_image")
# Of these a model of its own is no reason to believe a source: it only adds to what others know.
NO_NEW_ROWS = ("tokencost",)


class WrongUnit(Exception):
    """A source's figures are far from what is known: its unit is not what it was."""


@dataclass(slots=True)
class Report:
    """What became of the rows."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class Merged:
    """One offer with all that its sources say; `other` is a price that disagrees, by source."""

    row: Row
    other: dict[str, Prices] = field(default_factory=dict)


def check_anchors(rows: Sequence[Row], anchors: Mapping[tuple[str, str], tuple[int, int]]) -> None:
    """Compares well-known prices of one source with `anchors`. Raises `WrongUnit`."""
    prices = {row.key: row.prices for row in rows}
    found = [key for key in anchors if prices.get(key)]
    for key in found:
        for name, expected in zip(("input", "output"), anchors[key], strict=True):
            ratio = Fraction(prices[key].get(name, 0), expected)
            if not 1 / ANCHOR <= ratio <= ANCHOR:
                raise WrongUnit(f"{key} costs {prices[key].get(name)} by {rows[0].source}")
    if len(found) < min(3, len(anchors)):
        raise WrongUnit(f"{rows[0].source if rows else 'a source'} knows too few of the anchors")


def merged(sources: Iterable[Sequence[Row]], report: Report) -> Iterator[Merged]:
    """One offer for each model at a provider; the sources stand in the order of their rank."""
    by_key: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for rows in sources:
        for row in rows:
            by_key[row.key].append(row)
    for key in sorted(by_key):
        offer = _one(by_key[key], report)
        if offer is not None:
            report.counts["offers"] += 1
            yield offer


def _one(rows: Sequence[Row], report: Report) -> Merged | None:
    if any(row.is_over for row in rows):
        report.counts["past their end"] += 1
        return None
    priced = [row for row in rows if row.is_priced and _within_bounds(row)]
    report.counts["rows out of bounds"] += sum(row.is_priced for row in rows) - len(priced)
    if not priced or priced[0].source in NO_NEW_ROWS:
        free = next((row for row in rows if row.native_id.endswith(":free") and row.prices), None)
        return None if free is None or any(row.is_priced for row in rows) else Merged(free)
    # Two ways to one model may share its id: never below the cost.
    first = max((row for row in priced if row.source == priced[0].source), key=_dearness)
    others = [row for row in priced if row is not first]
    agreeing = [row for row in others if _apart(first, row) <= AGREED]
    offer = Merged(_filled(first, agreeing, rows))
    offer.other = {row.source: row.prices for row in others if _apart(first, row) > DISPUTED}
    report.counts["disputed"] += bool(offer.other)
    return offer


def _dearness(row: Row) -> tuple[int, int]:
    prices = row.prices
    return sum(prices.get(name, 0) for name in BY_USE), prices.get("input", 0) + prices.get(
        "output", 0
    )


def _filled(first: Row, agreeing: Sequence[Row], rows: Sequence[Row]) -> Row:
    """What the believed source leaves open comes from those that agree with it on the price."""
    prices = told_apart(first.prices)
    for row in agreeing:
        prices = {**told_apart(row.prices), **prices}
    prices = _searches_once(_best_spelling(rows), prices)
    tiers = first.tiers or next((row.tiers for row in agreeing if row.tiers), {})
    # Limits and abilities are better known to the sources after the first.
    ranked = sorted(rows, key=lambda row: row.source == "genai-prices")
    return replace(
        first,
        native_id=_best_spelling(rows),
        kind=next((row.kind for row in ranked if row.kind), None),
        prices=prices,
        tiers={start: {**prices, **told_apart(tier)} for start, tier in tiers.items()},
        batch=first.batch or next((row.batch for row in agreeing if row.batch), {}),
        per_unit=first.per_unit or next((row.per_unit for row in rows if row.per_unit), {}),
        context_length=next((row.context_length for row in ranked if row.context_length), None),
        max_output_tokens=_first_limit(ranked),
        inputs=next((row.inputs for row in ranked if row.inputs), ()),
        outputs=next((row.outputs for row in ranked if row.outputs), ()),
        capabilities=frozenset().union(*(row.capabilities for row in rows)),
        deprecated=any(row.deprecated for row in rows if row.source == first.source),
    )


def _searches_once(native_id: str, prices: Prices) -> Prices:
    request, search = billed_once(native_id, prices.get("request"), prices.get("search"))
    charged = {"request": request, "search": search}
    return {name: price for name, price in prices.items() if charged.get(name, price) is not None}


def _best_spelling(rows: Sequence[Row]) -> str:
    """Some sources write ids in small letters; the one with capitals was copied."""
    return max(rows, key=lambda row: sum(map(str.isupper, row.native_id))).native_id


def _first_limit(rows: Sequence[Row]) -> int | None:
    return next((row.max_output_tokens for row in rows if row.max_output_tokens), None)


def _apart(one: Row, other: Row) -> Fraction:
    """How far two prices lie apart, as a share of the higher one."""
    return max(
        _share(one.prices.get(name, 0), other.prices.get(name, 0)) for name in ("input", "output")
    )


def _share(one: int, other: int) -> Fraction:
    return Fraction(abs(one - other), max(one, other)) if one != other else Fraction(0)


def _within_bounds(row: Row) -> bool:
    return all(
        price == 0 or MIN_PRICE <= price <= (MAX_OUTPUT if name in OUTPUTS else MAX_INPUT)
        for prices in (row.prices, *row.tiers.values())
        for name, price in prices.items()
        if name not in BY_USE
    )
