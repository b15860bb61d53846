"""The jars of the Kafka broker, fetched once with Maven: `python -m infra.local.jars`."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.local.machine import program

POM = Path(__file__).with_name("kafka") / "pom.xml"
FETCH = ("--batch-mode", "--quiet", "dependency:copy-dependencies", "-DincludeScope=runtime")
# The first time also fetches Maven's own plugins.
FETCH_SECONDS = 600


class JarsMissing(Exception):
    """The jars are not on this machine and could not be fetched."""


def missing_jars() -> str | None:
    """Why they cannot be had, as far as is known without trying; `None` when they can."""
    if not _folder().is_dir() and shutil.which("mvn") is None:
        return "its jars are not on this machine, and Maven (mvn) to fetch them is not installed"
    return None


def fetched_jars() -> Path:
    """The folder with the jars. Raises `JarsMissing`.

    Safe for several processes at once: a folder gets its name when it is complete.
    """
    folder = _folder()
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
        complete = Path(fresh, "jars")
        _fetch(complete)
        if not folder.is_dir():
            complete.rename(folder)
    return folder


def _folder() -> Path:
    """Named for what is in it, so that another version has a folder of its own."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gatewayz" / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def _fetch(folder: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            (program("mvn"), "--file", str(POM), *FETCH, f"-DoutputDirectory={folder}"),
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise JarsMissing(f"Maven did not fetch the jars of Kafka: {error}") from error
    if done.returncode != 0:
        raise JarsMissing(f"Maven did not fetch the jars of Kafka:\n{done.stdout[-2000:]}")


def main() -> None:
    try:
        sys.stdout.write(f"{fetched_jars()}\n")
    except JarsMissing as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
