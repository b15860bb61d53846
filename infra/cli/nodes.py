"""The processes of a node: `serve` on one machine, and the roles of the cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import uvloop

from infra.cli.common import (
    EXIT_UNUSABLE,
    ConfigOption,
    DataOption,
    cluster_libraries,
    fail,
    loaded,
)
from infra.data_dir import DataDirectoryInUse

if TYPE_CHECKING:
    from infra.serve import Opened
    from infra.settings import Settings

HostOption = Annotated[str | None, typer.Option(help="The address to listen on.")]
PortOption = Annotated[int | None, typer.Option(help="The port; 0 takes any free one.")]
DutiesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[dispatch|webhooks]…", help="All without names.")
]


def serve(
    config: ConfigOption = None,
    data: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Runs the engine and its HTTP server in this process, on a data directory."""
    settings = loaded(config, data_dir=data, host=host, port=port)
    if settings.profile != "embedded":
        fail(
            "the cluster profile has a process for each role: api, work, project, relay",
            EXIT_UNUSABLE,
        )
    from infra.bootstrap import engine

    _run(settings, lambda: engine(settings, _show_admin_key))


def api(config: ConfigOption = None, host: HostOption = None, port: PortOption = None) -> None:
    """Serves the HTTP surface of a cluster; any number of them."""
    settings = _cluster(config, host, port)
    from infra.cluster.roles import api_node

    _run(settings, lambda: api_node(settings, _show_admin_key))


def work(
    duties: DutiesArgument = None,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Runs the jobs of a cluster, makes its webhook deliveries, or both; any number of them."""
    settings = _cluster(config, host, port)
    from infra.cluster.work import DUTIES, worker_node

    wanted = [duty for duty in DUTIES if duties is None or duty in duties]
    unknown = [name for name in duties or () if name not in DUTIES]
    if unknown:
        fail(f"there is no {unknown[0]!r}; there are {', '.join(DUTIES)}", EXIT_UNUSABLE)
    _run(settings, lambda: worker_node(settings, wanted))


def project(config: ConfigOption = None, host: HostOption = None, port: PortOption = None) -> None:
    """Keeps the read models of a cluster; one works, others stand by."""
    settings = _cluster(config, host, port)
    from infra.cluster.roles import projector_node

    _run(settings, lambda: projector_node(settings))


def relay(config: ConfigOption = None, host: HostOption = None, port: PortOption = None) -> None:
    """Publishes the events of a cluster to Kafka; one works, others stand by."""
    settings = _cluster(config, host, port)
    from infra.cluster.roles import relay_node

    _run(settings, lambda: relay_node(settings))


def tell_unapplied(settings: "Settings") -> None:
    """Warns of what is set and has no effect."""
    for name in settings.unapplied:
        typer.secho(f"warning: {name} is set and not applied yet", err=True, fg="yellow")


def _cluster(config: Path | None, host: str | None, port: int | None) -> "Settings":
    settings = loaded(config, host=host, port=port)
    if settings.profile != "cluster":
        fail("this is for the cluster profile: set `profile: cluster`", EXIT_UNUSABLE)
    with cluster_libraries():
        import infra.cluster.work  # noqa: F401
    return settings


def _run(settings: "Settings", open_node: "Callable[[], Opened]") -> None:
    tell_unapplied(settings)
    from domain.errors import StoreUnavailable
    from domain.ports.read_models import ReadModelUnavailable
    from infra.serve import serve as run
    from infra.version import VERSION

    def announce(url: str) -> None:
        typer.echo(f"gatewayz {VERSION} listening on {url}")

    try:
        uvloop.run(run(settings, open_node, announce))
    except _unusable() as problem:
        fail(str(problem), EXIT_UNUSABLE)
    except (DataDirectoryInUse, StoreUnavailable, ReadModelUnavailable, OSError) as error:
        fail(str(error))


def _unusable() -> tuple[type[Exception], ...]:
    """What only the operator can mend."""
    from adapters.crypto.master_key import MasterKeyProblem
    from domain.catalog.catalogue import InvalidCatalogue

    found: tuple[Any, ...] = (InvalidCatalogue, MasterKeyProblem)
    try:
        from infra.cluster.problems import PROBLEMS
    except ModuleNotFoundError:
        return found
    return (*found, *PROBLEMS)


def _show_admin_key(key: str) -> None:
    typer.echo(f"administrator key (shown once): {key}")
