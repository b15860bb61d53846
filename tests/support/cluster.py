"""A whole cluster on this machine: real services, and a process for every node.

Nodes are forked from a process that has imported everything, so that hundreds can be killed.
"""

import asyncio
import base64
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Literal

import uvloop
import yaml

from infra.cluster.roles import api_node, projector_node, relay_node
from infra.cluster.work import DUTIES, worker_node
from infra.local.services import LocalKafka, LocalPostgres, LocalRedis
from infra.serve import Opened, serve
from infra.settings import Settings, load_settings
from tests.support.engine import ADMIN_KEY, LISTENING, configuration
from tests.support.services import missing, need_local_kafka

Role = Literal["api", "work", "dispatch", "webhooks", "project", "relay"]
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
START_SECONDS = 60
PARTITIONS = 6

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def need_services() -> None:
    """Ends a test that starts a cluster, where its services cannot run."""
    for service in (LocalPostgres, LocalRedis):
        if reason := service.available():
            missing(service.name, reason)
    need_local_kafka()


def node_of(role: Role, settings: Settings) -> Opened:
    """The node of a role, as the command line opens it."""
    openers: Mapping[Role, Callable[[], Opened]] = {
        "api": lambda: api_node(settings, print),
        "work": lambda: worker_node(settings, DUTIES),
        "dispatch": lambda: worker_node(settings, ("dispatch",)),
        "webhooks": lambda: worker_node(settings, ("webhooks",)),
        "project": lambda: projector_node(settings),
        "relay": lambda: relay_node(settings),
    }
    return openers[role]()


class NodeProcess:
    """One node in a process of its own. All of its lives write to one output file."""

    def __init__(self, name: str, role: Role, config: Path) -> None:
        self.name, self.role = name, role
        self._config = config
        self.output_path = config.parent / f"{name}.log"
        self.base_url = ""
        self.starts = 0
        self._child: multiprocessing.context.ForkServerProcess | None = None

    @property
    def output(self) -> str:
        return self.output_path.read_text() if self.output_path.exists() else ""

    @property
    def is_alive(self) -> bool:
        return self._child is not None and self._child.is_alive()

    @property
    def pid(self) -> int:
        assert self._child is not None
        assert self._child.pid is not None
        return self._child.pid

    def launch(self) -> None:
        """Starts the process without waiting for it to listen."""
        self._child = _context.Process(
            target=_run_node, args=(self.role, self._config, self.output_path), daemon=True
        )
        self._child.start()
        self.starts += 1

    async def start(self) -> str:
        """Starts the process; returns its base URL once it listens."""
        offset = len(self.output)
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        while (found := LISTENING.search(self.output[offset:])) is None:
            if not self.is_alive or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start:\n{self.output[offset:]}")
            await asyncio.sleep(0.02)
        self.base_url = found.group(1)
        return self.base_url

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        if self._child is not None:
            self._child.kill()
            self._child.join()

    def freeze(self) -> None:
        """SIGSTOP: the process lives and does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    async def stop(self, timeout: float = 60) -> int:
        """SIGTERM; returns the exit code."""
        assert self._child is not None
        self._child.terminate()
        await asyncio.to_thread(self._child.join, timeout)
        assert self._child.exitcode is not None, f"{self.name} did not end"
        return self._child.exitcode


@dataclass
class Cluster:
    """Services and nodes; `config_path` is the configuration that all nodes share."""

    folder: Path
    postgres: LocalPostgres
    kafka: LocalKafka
    redis: LocalRedis
    config_path: Path
    nodes: dict[str, NodeProcess]

    def settings(self) -> Settings:
        """The settings of the nodes."""
        return load_settings(self.config_path, port=0, bootstrap_admin_key=ADMIN_KEY)

    def of(self, *roles: Role) -> list[NodeProcess]:
        """The nodes of these roles."""
        return [node for node in self.nodes.values() if node.role in roles]

    def add(self, role: Role) -> NodeProcess:
        """One more node, not started yet."""
        name = f"{role}{len(self.of(role)) + 1}"
        made = self.nodes[name] = NodeProcess(name, role, self.config_path)
        return made

    async def start(self, *roles: Role) -> None:
        """Adds a node of each of these roles and starts them together."""
        await asyncio.gather(*(self.add(role).start() for role in roles))


@asynccontextmanager
async def running_cluster(
    folder: Path, upstream: str, roles: Sequence[Role], **changes: Any
) -> AsyncIterator[Cluster]:
    """Starts services of its own and a node for each of the roles; ends all of it.

    `folder` must be one that other OS users can enter (the fixture `server_folder`); `upstream` is
    the base URL of the models, `changes` go into the sections of the configuration.
    """
    forkserver.ensure_running()  # it imports everything while the services start
    postgres, kafka = LocalPostgres(folder / "postgres"), LocalKafka(folder / "kafka")
    redis = LocalRedis(folder / "redis")
    with ExitStack() as stack:
        for server in (postgres, kafka, redis):
            stack.callback(server.stop)
        await asyncio.gather(*(asyncio.to_thread(one.start) for one in (postgres, kafka, redis)))
        config = {
            **configuration(upstream),
            "profile": "cluster",
            "data_dir": str(folder / "data"),
            "master_key": MASTER_KEY,
            "postgres": {"url": postgres.url},
            "kafka": {
                "bootstrap_servers": kafka.bootstrap_servers,
                "partitions": PARTITIONS,
                "replication_factor": 1,
            },
            "redis": {"url": redis.url},
        }
        for section, change in changes.items():
            at = config.get(section)
            config[section] = {**at, **change} if isinstance(at, dict) else change
        config_path = folder / "gatewayz.yaml"
        config_path.write_text(yaml.safe_dump(config))
        cluster = Cluster(folder, postgres, kafka, redis, config_path, {})
        try:
            await cluster.start(*roles)
            yield cluster
        finally:
            for node in cluster.nodes.values():
                node.kill()


def _run_node(role: Role, config: Path, output: Path) -> None:
    with output.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    settings = load_settings(config, port=0, bootstrap_admin_key=ADMIN_KEY)
    uvloop.run(serve(settings, lambda: node_of(role, settings), _announce))


def _announce(url: str) -> None:
    print(f"listening on {url}", flush=True)
