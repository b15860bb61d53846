"""`gatewayz demo`: its options."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.common import ConfigOption, JsonOption


def demo(
    prompts: Annotated[
        Path | None, typer.Option("--prompts", help="Prompts to submit, as JSON lines.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The chat model to ask.")] = None,
    keep: Annotated[
        Path | None, typer.Option(help="An empty directory to leave everything in.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plays the main job on an empty data directory, with a crash in the middle.

    Submits real prompts as jobs, verifies every webhook, kills the engine with SIGKILL when a
    third is done, starts it again, and checks what must hold afterwards. The cheapest model of
    a configured provider is asked (OPENAI_API_KEY is enough), else the simulator.

    Exits 0 when everything holds, 1 when anything does not, 2 when it cannot be played.
    """
    from infra.cli.demo_story import play

    play(prompts, model, keep, config, as_json)
