"""An engine as a process of its own, to be killed and started again."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

START_SECONDS = 30
LISTENING = " listening on "
# Of the command line that started the demo; the engine gets its own.
LEFT_OUT = ("GATEWAYZ_DATA", "GATEWAYZ_CONFIG", "GATEWAYZ_URL", "GATEWAYZ_API_KEY")


class EngineDidNotStart(Exception):
    """The engine ended, or said nothing, before it listened; the text has its last words."""


@dataclass(frozen=True, slots=True)
class EngineCommand:
    """How to start the engine: on which directory, with what beyond this process's environment."""

    data: Path
    config: Path | None
    environment: Mapping[str, str]
    log: Path


class EngineProcess:
    """A running `gatewayz serve` on a free port; `url` is where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process, self.url = process, url

    @classmethod
    async def start(cls, command: EngineCommand) -> "EngineProcess":
        """Returns once the engine listens. Raises `EngineDidNotStart`."""
        with command.log.open("ab") as log:
            process = await _spawn(command, log)
        try:
            async with asyncio.timeout(START_SECONDS):
                url = await _announced(process)
        except (TimeoutError, EOFError) as error:
            if process.returncode is None:
                process.kill()
            await process.wait()
            raise EngineDidNotStart(last_words(command.log)) from error
        return cls(process, url)

    async def kill(self) -> None:
        """Ends it at once, as a crash would: SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Lets it finish what runs and end."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)
        await self._process.wait()


async def _spawn(command: EngineCommand, log: BinaryIO) -> asyncio.subprocess.Process:
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    config = () if command.config is None else ("--config", str(command.config))
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "infra.cli", "serve", "--port", "0", "--data", str(command.data), *config),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        env={**kept, **command.environment},
    )


async def _announced(process: asyncio.subprocess.Process) -> str:
    if process.stdout is None:
        raise EOFError
    while line := (await process.stdout.readline()).decode():
        if LISTENING in line:
            return line.rpartition(LISTENING)[2].strip()
    raise EOFError


def last_words(log: Path) -> str:
    """The end of what the engine wrote to its log."""
    lines = log.read_text("utf-8", errors="replace").splitlines()
    return "\n".join(lines[-10:]) or "the engine said nothing"
