"""The data directory: its files, and the lock that keeps two engines from sharing it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class DataDirectoryInUse(Exception):
    """Another process works on this data directory."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Where each thing is kept."""

    root: Path

    @property
    def events(self) -> Path:
        return self.root / "events.db"

    @property
    def read_models(self) -> Path:
        return self.root / "read_models.db"

    @property
    def keys(self) -> Path:
        return self.root / "keys.db"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the directory, for its owner alone, and holds it for this process.

        The lock goes with the process, however it ends. Raises `DataDirectoryInUse`.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.root.stat().st_uid == os.geteuid():
            self.root.chmod(0o700)
        with (self.root / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise DataDirectoryInUse(
                    f"{self.root} is in use by process {holder}: stop it first"
                ) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield
