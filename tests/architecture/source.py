"""The project's own source files, parsed."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCTION = ("domain", "projections", "workers", "adapters", "api", "infra")


def modules(*folders: str) -> Iterator[tuple[str, Path]]:
    """Every Python file below these folders, with its path from the root."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))
