"""The command line, one module a group of commands."""

from infra.cli.root import app

__all__ = ["app"]
