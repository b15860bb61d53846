"""Reading the model data that is shipped: straight into the domain's own objects."""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from domain.catalog.catalogue import Model

HERE = Path(__file__).parent
MODELS = HERE / "models.json.gz"
ALIASES = HERE / "aliases.json"


@cache
def known_models() -> tuple[Model, ...]:
    """Every model with its offers, in the order of their names."""
    return msgspec.json.decode(gzip.decompress(MODELS.read_bytes()), type=tuple[Model, ...])


@cache
def known_aliases() -> Mapping[str, str]:
    """Canonical names by what models are called; those that move lead to where they point now."""
    told = json.loads(ALIASES.read_text("utf-8"))
    return {**told["names"], **told["moving"]}


@cache
def known_makers() -> Mapping[str, str]:
    """Makers as canonical names spell them, by other spellings."""
    return dict(json.loads(ALIASES.read_text("utf-8"))["orgs"])
