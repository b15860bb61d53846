"""What the commands share: options, settings, the client, and exits."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from infra.client import Client
    from infra.settings import Settings

EXIT_REFUSED: Final = 1
EXIT_UNUSABLE: Final = 2
EXIT_UNREACHABLE: Final = 3
EXIT_CODES = (
    "Exit codes: 0 done · 1 refused, failed, or found to differ · 2 wrong usage or settings, "
    "unreadable input · 3 no engine answers."
)
DEFAULT_URL: Final = "http://127.0.0.1:8080"
T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", envvar="GATEWAYZ_CONFIG", help="The configuration file."),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", envvar="GATEWAYZ_DATA", help="The data directory.")
]
UrlOption = Annotated[
    str, typer.Option("--url", envvar="GATEWAYZ_URL", help="Where the engine listens.")
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option("--api-key", envvar="GATEWAYZ_API_KEY", help="The key to ask with."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answers in JSON, for machines.")]
LimitOption = Annotated[int, typer.Option(min=1, max=100, help="How many at most.")]


def fail(message: str, code: int = EXIT_REFUSED) -> NoReturn:
    """Says what is wrong on standard error and ends the process."""
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


def loaded(config: Path | None, **arguments: Any) -> "Settings":
    """The settings, or exit 2 with every problem by name."""
    from infra.settings import SettingsProblem, load_settings

    try:
        return load_settings(config, **arguments)
    except SettingsProblem as problem:
        fail(str(problem), EXIT_UNUSABLE)


@contextmanager
def cluster_libraries() -> Iterator[None]:
    """Imports in this block exit 2 with what to install where the libraries are missing."""
    try:
        yield
    except ModuleNotFoundError as missing:
        fail(f"{missing.name} is not installed: pip install 'gatewayz[cluster]'", EXIT_UNUSABLE)


def path_of(*segments: str) -> str:
    """A path of the engine, each segment quoted."""
    from infra.client import segment

    return "".join(f"/{segment(one)}" for one in segments)


def ask_for_all(url: str, api_key: str | None, path: str, **query: str | None) -> list[Any]:
    """Every item of a list, over all its pages."""

    async def collect(client: "Client") -> list[Any]:
        return [item async for item in client.pages(path, **query)]

    return ask(url, api_key, collect)


def ask(url: str, api_key: str | None, work: Callable[["Client"], Awaitable[T]]) -> T:
    """Does `work` with a client of the engine.

    Exits 1 when refused, 2 when the key or the URL cannot be one, 3 when nobody answers.
    """
    from infra.client import Client, NoAddress, Refused, Unreachable

    if api_key is None:
        fail("no API key: pass --api-key or set GATEWAYZ_API_KEY", EXIT_UNUSABLE)
    if not (api_key.isascii() and api_key.isprintable()):
        fail("the API key has a line break or another character that no key has", EXIT_UNUSABLE)

    async def connected() -> T:
        async with Client(url, api_key) as client:
            return await work(client)

    try:
        return asyncio.run(connected())
    except NoAddress as error:
        fail(str(error), EXIT_UNUSABLE)
    except Refused as error:
        fail(str(error), EXIT_REFUSED)
    except Unreachable as error:
        fail(str(error), EXIT_UNREACHABLE)
