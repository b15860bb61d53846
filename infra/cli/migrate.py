"""`gatewayz migrate`: the schema of the cluster's database."""

from typing import Annotated

import typer

from infra.cli.common import EXIT_UNUSABLE, ConfigOption, cluster_libraries, fail, loaded


def migrate(
    config: ConfigOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Changes nothing; exits 1 unless it is this version's.")
    ] = False,
) -> None:
    """Brings the cluster's PostgreSQL database to this version's schema.

    Every node does so at its start; any number may at once.
    """
    url = loaded(config).postgres.url
    if url is None:
        fail("postgres.url is not set", EXIT_UNUSABLE)
    with cluster_libraries():
        from adapters.postgres import migrating

    step = migrating.check if check else migrating.migrate
    try:
        step(url.get_secret_value())
    except migrating.SchemaProblem as problem:
        fail(str(problem))
    typer.echo("the database has this version's schema")
