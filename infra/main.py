"""The command line: `gatewayz …`."""

from infra.cli import app

__all__ = ["app"]
if __name__ == "__main__":
    app()
