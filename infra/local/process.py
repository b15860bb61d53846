"""One server program as a child process: started until it answers, stopped, or killed whole."""

import os
import pwd
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, ClassVar, Self

from infra.local.machine import free_port, is_free, kill_tree, wait_until

LAST_WORDS_LINES = 15


class ServerDidNotStart(Exception):
    """The server ended, or did not answer in time; the text has its last words."""


class LocalServer(ABC):
    """A server with its files in `data`, on the same loopback port over all its restarts.

    `settings` are the program's own and override the defaults. Not safe for two threads at once.
    """

    name: ClassVar[str]
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType({})
    start_seconds: ClassVar[float] = 30
    stop_seconds: ClassVar[float] = 30
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(
        self, data: Path, port: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.data, self.port = data.absolute(), port or free_port()
        self.settings = {**self.defaults, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    @abstractmethod
    def available() -> str | None:
        """Why it cannot run on this machine; `None` when it can."""

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process of the last start."""
        return None if self._process is None else self._process.pid

    @property
    def log(self) -> Path:
        """What the server wrote to its output, over all its starts."""
        return self.data / "server.log"

    def start(self) -> None:
        """Returns once it answers. Raises `ServerDidNotStart`."""
        if self.is_running:
            return
        if reason := self.available():
            raise ServerDidNotStart(f"{self.name}: {reason}")
        if not is_free(self.port):
            # Another server's answer must not be taken for this one's.
            raise ServerDidNotStart(f"{self.name}: port {self.port} is taken")
        self._prepare()
        with self.log.open("ab") as log:
            self._process = self._run(self._command(), log)
        try:
            self._wait_for_answer()
        except BaseException:
            # Ctrl-C too: nobody else knows of the process yet.
            self.kill()
            raise

    def stop(self) -> None:
        """Lets it finish and end; kills it when that takes too long."""
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends it and its children at once, as a crash would: SIGKILL."""
        if self._process is None:
            return
        if self.is_running:
            kill_tree(self._process.pid)
        self._process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()

    def last_words(self) -> str:
        """The end of what the server wrote to its log."""
        if not self.log.exists():
            return "it said nothing"
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LAST_WORDS_LINES:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def _command(self) -> tuple[str, ...]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _wait_for_answer(self) -> None:
        wait_until(lambda: not self.is_running or self._answers(), self.start_seconds)
        if not (self.is_running and self._answers()):
            raise ServerDidNotStart(f"{self.name} on port {self.port}:\n{self.last_words()}")

    def _prepare(self) -> None:
        """Makes what the first start needs."""
        self.data.mkdir(parents=True, exist_ok=True)

    def _user(self) -> pwd.struct_passwd | None:
        """The OS user it runs as; `None` is the one of this process."""
        return None

    def _run(self, command: tuple[str, ...], log: BinaryIO) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal is for the parent, which then stops it.
        user = self._user()
        return subprocess.Popen(  # noqa: S603 - the command is the class's own
            command,
            cwd=self.data,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._environment()},
            start_new_session=True,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
        )

    def _environment(self) -> Mapping[str, str]:
        return {}
