"""The command line reference page, made from the commands themselves."""

import typer
from typer.cli import get_docs_for_click

from infra.cli.root import app

HEAD = "<!-- Generated from the commands; `make docs` writes it anew. -->\n\n"


def render() -> str:
    """The page as Markdown."""
    command = typer.main.get_command(app)
    page = get_docs_for_click(obj=command, ctx=typer.Context(command), name="gatewayz")
    return HEAD + "\n".join(line.rstrip() for line in page.strip().splitlines()) + "\n"
