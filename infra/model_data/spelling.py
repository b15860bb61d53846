"""The names of makers, providers and families by which names of models are told."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from infra.model_data.naming import Names

HERE = Path(__file__).parent


def fresh_names() -> Names:
    """Names that know no model yet."""
    naming, aliases = _read("names.json"), _read("aliases.json")
    families = [(re.compile(rule), org) for rule, org in naming["families"]]
    return Names({**naming["orgs"], **aliases["orgs"]}, naming["homes"], families, aliases["names"])


@cache
def _read(name: str) -> Any:
    return json.loads((HERE / name).read_text("utf-8"))
