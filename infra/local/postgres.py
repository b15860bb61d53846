"""A PostgreSQL server that also starts for root, as another OS user."""

import os
import pwd
import re
import secrets
import shutil
import signal
import stat
from pathlib import Path
from types import MappingProxyType

from infra.local.machine import LOOPBACK, unprivileged_user
from infra.local.process import LocalServer, ServerDidNotStart

PACKAGED = Path("/usr/lib/postgresql")
SUPERUSER = "gatewayz"


class LocalPostgres(LocalServer):
    """`postgres` with one superuser; `settings` are names and values of postgresql.conf.

    For root it runs as the OS user `postgres`, or else `nobody`, who must be able to enter `data`.
    """

    name = "postgres"
    defaults = MappingProxyType(
        {
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            # In files of the data folder: a killed server leaves nothing in /dev/shm.
            "dynamic_shared_memory_type": "mmap",
            "max_connections": "200",
        }
    )
    # A fast shutdown: open transactions are rolled back, connections closed.
    stop_signal = signal.SIGINT

    @staticmethod
    def available() -> str | None:
        if _binaries() is None:
            return f"no PostgreSQL server in {PACKAGED} or on the PATH"
        return None

    @property
    def url(self) -> str:
        """The maintenance database, as superuser."""
        password = self._password_file.read_text("utf-8")
        return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{self.port}/postgres"

    @property
    def _files(self) -> Path:
        return self.data / "files"

    @property
    def _password_file(self) -> Path:
        return self.data / "password"

    def _user(self) -> pwd.struct_passwd | None:
        return unprivileged_user()

    def _command(self) -> tuple[str, ...]:
        settings = {"port": str(self.port), **self.settings}
        options = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        return (_binary("postgres"), "-D", str(self._files), *options)

    def _answers(self) -> bool:
        """Whether the server's own lock file says that it takes connections."""
        try:
            lock = (self._files / "postmaster.pid").read_text("utf-8").splitlines()
        except OSError:
            return False
        return len(lock) > 7 and lock[0] == str(self.pid) and lock[7].strip() == "ready"

    def _prepare(self) -> None:
        super()._prepare()
        if (self._files / "PG_VERSION").exists():
            return
        user = self._user()
        if user is not None:
            _must_reach(self.data, user)
        self._password_file.touch(0o600)
        self._password_file.write_text(secrets.token_urlsafe(12), "utf-8")
        if user is not None:
            os.chown(self.data, user.pw_uid, user.pw_gid)
            os.chown(self._password_file, user.pw_uid, user.pw_gid)
        self._make_files()

    def _make_files(self) -> None:
        # A first start that was cut off left files that initdb would refuse.
        shutil.rmtree(self._files, ignore_errors=True)
        who = ("--username", SUPERUSER, "--pwfile", str(self._password_file))
        how = ("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync")
        with self.log.open("ab") as log:
            made = self._run((_binary("initdb"), "-D", str(self._files), *who, *how), log)
        if made.wait() != 0:
            raise ServerDidNotStart(self.last_words())


def _must_reach(folder: Path, user: pwd.struct_passwd) -> None:
    for parent in folder.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            raise ServerDidNotStart(
                f"root cannot run PostgreSQL, and {user.pw_name} cannot enter {parent}: "
                "choose a folder that every user can reach"
            )


def _binaries() -> Path | None:
    """The folder of the newest packaged server, or of the one on the PATH."""
    majors = [path for path in PACKAGED.glob("*/bin") if (path / "postgres").exists()]
    if majors:
        return max(majors, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))
    found = shutil.which("postgres")
    return None if found is None else Path(found).resolve().parent


def _binary(name: str) -> str:
    folder = _binaries()
    if folder is None:
        raise FileNotFoundError(name)
    return str(folder / name)
