"""A Kafka broker, its own controller too, that starts in two seconds."""

import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from infra.local.jars import POM, JarsMissing, fetched_jars, missing_jars
from infra.local.machine import LOOPBACK, free_port, program
from infra.local.process import LocalServer, ServerDidNotStart

CLUSTER_ID = "Z2F0ZXdheXotbG9jYWwtMQ"
LOGGING = POM.with_name("log4j2.xml")
# A small heap, and flags that trade throughput for a fast start.
JAVA_OPTIONS = (
    *("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"),
    f"-Dlog4j2.configurationFile={LOGGING}",
)
ONE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "CLIENTS",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}
QUICK = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.segment.delete.delay.ms": "1000",
    # After a kill the controller lets the broker in again once its old session is over.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
}


class LocalKafka(LocalServer):
    """One Kafka node that makes no topics by itself; `settings` are those of server.properties."""

    name = "kafka"
    defaults = MappingProxyType({**ONE_NODE, **QUICK, "auto.create.topics.enable": "false"})
    start_seconds = 60

    def __init__(
        self, data: Path, port: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(data, port, settings)
        self._controller_port = free_port()

    @staticmethod
    def available() -> str | None:
        try:
            program("java")
        except FileNotFoundError:
            return "Java (17 or later) is not installed"
        return missing_jars()

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def _configuration(self) -> Path:
        return self.data / "server.properties"

    @property
    def _log_folder(self) -> Path:
        return self.data / "log"

    def _command(self) -> tuple[str, ...]:
        return self._java("kafka.Kafka", str(self._configuration))

    def _answers(self) -> bool:
        """Whether it takes connections, which it does last of all, when it can serve them."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1):
                return True
        except OSError:
            return False

    def _prepare(self) -> None:
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._configuration.write_text(self._properties(), "utf-8")
        if not (self._log_folder / "meta.properties").exists():
            self._format()

    @property
    def _scratch(self) -> Path:
        """Where native libraries are unpacked, which a killed JVM leaves behind."""
        return self.data / "tmp"

    def _properties(self) -> str:
        clients, controller = self.bootstrap_servers, f"{LOOPBACK}:{self._controller_port}"
        places = {
            "listeners": f"CLIENTS://{clients},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENTS://{clients}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self._log_folder),
        }
        return "".join(f"{name}={value}\n" for name, value in {**places, **self.settings}.items())

    def _format(self) -> None:
        how = ("format", "--cluster-id", CLUSTER_ID, "--config", str(self._configuration))
        with self.log.open("ab") as log:
            done = self._run(self._java("kafka.tools.StorageTool", *how), log)
        if done.wait() != 0:
            raise ServerDidNotStart(self.last_words())

    def _java(self, main_class: str, *arguments: str) -> tuple[str, ...]:
        try:
            jars = fetched_jars()
        except JarsMissing as error:
            raise ServerDidNotStart(str(error)) from error
        places = (f"-Djava.io.tmpdir={self._scratch}", "-cp", f"{jars}/*")
        return (program("java"), *JAVA_OPTIONS, *places, main_class, *arguments)
