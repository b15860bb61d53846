"""Reading the data of models.dev: an SQLite file with prices in USD per million tokens."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from infra.model_data.rows import Prices, Row, per_token, tiers_of, whole_number

BY_TOKEN = {
    "cost_input": "input",
    "cost_output": "output",
    "cost_reasoning": "reasoning",
    "cost_cache_read": "cache_read",
    "cost_cache_write": "cache_write",
    "cost_input_audio": "input_audio",
    "cost_output_audio": "output_audio",
}
CAPABILITIES = {"tool_call": "tools", "structured_output": "json_schema", "reasoning": "reasoning"}
OF_INPUTS = {"image": "vision", "pdf": "pdf", "audio": "audio_input"}


def read(content: bytes, source: str) -> Iterator[Row]:
    """The rows of the file; modes on trial are left out."""
    with sqlite3.connect(":memory:") as connection:
        connection.deserialize(content)
        connection.row_factory = sqlite3.Row
        prices, modalities = _prices(connection), _modalities(connection)
        models = connection.execute("SELECT * FROM models ORDER BY full_id").fetchall()
    connection.close()
    for model in models:
        inputs, outputs = (modalities[model["full_id"], way] for way in ("input", "output"))
        tiers = prices[model["full_id"]]
        base = tiers.pop(0, {})
        yield Row(
            provider=model["provider_id"],
            native_id=model["id"],
            source=source,
            kind=_kind(model["id"], outputs),
            prices=base,
            tiers=tiers_of(base, tiers),
            context_length=whole_number(model["limit_context"]),
            max_output_tokens=whole_number(model["limit_output"]),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            capabilities=frozenset(
                {name for field, name in CAPABILITIES.items() if model[field]}
                | {OF_INPUTS[name] for name in inputs if name in OF_INPUTS}
            ),
            deprecated=model["status"] == "deprecated",
        )


def _prices(connection: sqlite3.Connection) -> Mapping[str, dict[int, Prices]]:
    found: Mapping[str, dict[int, Prices]] = defaultdict(dict)
    query = "SELECT * FROM pricing WHERE experimental_mode_name IS NULL"
    for row in connection.execute(query):
        found[row["model_full_id"]][row["min_context"]] = {
            # The shortest text of the stored number is the figure that was published.
            dimension: per_token(repr(row[field]))
            for field, dimension in BY_TOKEN.items()
            if row[field] is not None and row[field] >= 0
        }
    return found


def _modalities(connection: sqlite3.Connection) -> Mapping[tuple[str, str], list[str]]:
    found: Mapping[tuple[str, str], list[str]] = defaultdict(list)
    query = "SELECT * FROM model_modalities ORDER BY model_full_id, direction, position"
    for row in connection.execute(query):
        found[row["model_full_id"], row["direction"]].append(row["value"])
    return found


def _kind(name: str, outputs: Any) -> str:
    if "embed" in name.lower():
        return "embedding"
    if "rerank" in name.lower():
        return "rerank"
    if not outputs or "text" in outputs:
        return "chat"
    return str({"image": "image", "audio": "audio", "video": "video"}.get(outputs[0], "chat"))
