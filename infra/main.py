"""The command line: `gatewayz …`."""

from infra.cli import app

__all__ = ["app"]
