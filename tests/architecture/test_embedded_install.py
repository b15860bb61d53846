"""What is installed without the extra `cluster` is a whole embedded engine."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, modules

# What `pip install gatewayz[cluster]` adds, as it is imported.
CLUSTER_LIBRARIES = (
    "psycopg",
    "psycopg_pool",
    "psycopg_binary",
    "aiokafka",
    "kafka",
    "faststream",
    "alembic",
    "redis",
    "obstore",
)
# These are loaded by the commands and documents of the cluster alone.
OF_THE_CLUSTER = ("infra/cluster/", "infra/benchmarks/", "infra/asyncapi", "infra/write_docs")
WITHOUT_THEM = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {CLUSTER_LIBRARIES!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
START_AN_ENGINE = """
import asyncio, pathlib, sys
from infra.bootstrap import engine
from infra.settings import load_settings

async def start():
    settings = load_settings(None, data_dir=pathlib.Path(sys.argv[1]))
    async with engine(settings, lambda key: None) as running:
        ports = running.ports
        assert await ports.projector.caught_up(ports.source.head(), 20)

asyncio.run(start())
"""
CLUSTER_CONFIGURATION = f"""
profile: cluster
master_key: {"A" * 43}=
postgres: {{url: "postgresql://localhost/gatewayz"}}
kafka: {{bootstrap_servers: "localhost:9092"}}
"""


def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs Python code where the libraries of the cluster are not installed."""
    command = [sys.executable, "-c", WITHOUT_THEM + code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """`gatewayz` with these arguments."""
    return run("from infra.main import app; app(prog_name='gatewayz')", *arguments)


@pytest.fixture
def cluster(tmp_path: Path) -> str:
    """The path of a configuration of the cluster profile."""
    path = tmp_path / "gatewayz.yaml"
    path.write_text(CLUSTER_CONFIGURATION)
    return str(path)


def test_no_module_of_the_embedded_profile_needs_a_library_of_the_cluster() -> None:
    names = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name, _ in modules("domain", "projections", "workers", "api", "infra")
        if not name.startswith(OF_THE_CLUSTER) and not name.endswith("__main__.py")
    ]
    assert "infra.cli.nodes" in names
    assert "infra.demo.run" in names
    done = run("import importlib\nfor name in sys.argv[1:]: importlib.import_module(name)", *names)
    assert done.returncode == 0, done.stderr


def test_an_engine_and_its_commands_work_without_them(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    started = run(START_AN_ENGINE, data)
    assert started.returncode == 0, started.stderr
    for words in (("check",), ("log", "tail"), ("projections", "verify")):
        done = command(*words, "--data", data)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [("api",), ("work",), ("migrate",), ("log", "tail"), ("projections", "verify")],
    ids=" ".join,
)
def test_a_command_of_the_cluster_says_what_to_install(
    words: tuple[str, ...], cluster: str
) -> None:
    done = command(*words, "--config", cluster)
    assert done.returncode == 2
    assert "is not installed: pip install 'gatewayz[cluster]'" in done.stderr
