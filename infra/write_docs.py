"""Writes the generated pages; `make docs` runs it."""

from pathlib import Path

from infra import asyncapi, catalogue
from infra.cli import reference as commands
from infra.providers import guide
from infra.settings import reference

DOCS = Path(__file__).parent / "docs"


def main() -> None:
    """Writes every generated page anew."""
    DOCS.mkdir(exist_ok=True)
    catalogue.write(DOCS / "events.md")
    reference.write(DOCS / "configuration.md")
    (DOCS / "asyncapi.json").write_text(asyncapi.render(), "utf-8")
    (DOCS / "providers.md").write_text(guide.render(), "utf-8")
    (DOCS / "cli.md").write_text(commands.render(), "utf-8")


if __name__ == "__main__":
    main()
