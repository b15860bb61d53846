"""Makes the faults of a plan happen, each at its moment; those of one target follow each other."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from zlib import crc32

import aiohttp
import psycopg
from aiokafka.errors import KafkaError as AioKafkaError
from kafka.errors import KafkaError

from adapters.postgres.leadership import DUTY_LOCKS
from domain.errors import StoreUnavailable
from domain.ports.read_models import ReadModelUnavailable
from infra.local.services import LocalServer
from infra.offline import LogSource, open_read_models
from infra.settings import Settings
from projections.catalogue import PROJECTIONS
from tests.chaos.cluster_kafka import delete_topics, reset_offsets, send_again
from tests.chaos.cluster_keeper import LAST_WORDS, Keeper
from tests.chaos.cluster_plan import ClusterPlan, Fault, FaultKind
from tests.chaos.cluster_services import frozen
from tests.chaos.cluster_world import MoodyReceiver
from tests.support.cluster import Cluster, NodeProcess, Role
from workers.projector import rebuild

ASK_SECONDS = 0.5
LEADER_SECONDS = 20
# What a node itself takes for a hang, with the time that these settings give to running jobs.
END_SECONDS = 55
HUNG = "node.hung"
LEADS = re.compile(r"^gatewayz_leader\{.*\} 1\.0$", re.MULTILINE)
# How soon after it is let go a relay that has fallen behind is in the middle of a batch.
BATCH_SECONDS = 0.08
# What a fault may meet because of another one: it then does not happen.
IN_THE_WAY = (
    *(KafkaError, AioKafkaError, psycopg.Error, TimeoutError, OSError),
    *(StoreUnavailable, ReadModelUnavailable),
)
NAMES = tuple(projection.name for projection in PROJECTIONS)


@dataclass
class Chaos:
    """The faults of a campaign. `done` counts them by kind, `missed` those that could not be."""

    cluster: Cluster
    settings: Settings
    keeper: Keeper
    receiver: MoodyReceiver
    done: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        services = (self.cluster.kafka, self.cluster.postgres, self.cluster.redis)
        self._locks = {service.name: asyncio.Lock() for service in services}

    async def run(self, plan: ClusterPlan) -> None:
        """Returns when all faults are over."""
        self.began = time.monotonic()
        async with asyncio.TaskGroup() as faults:
            for fault in plan.faults:
                faults.create_task(self._strike(fault, plan.seed))

    @property
    def log_path(self) -> Path:
        """What happened when."""
        return self.cluster.folder / "chaos.log"

    async def _strike(self, fault: Fault, seed: int) -> None:
        await asyncio.sleep(fault.at)
        self._tell(fault, "begins")
        try:
            random = Random(f"{seed}/{fault.number}")  # noqa: S311 - replayable
            happened = await self._handler(fault.kind)(fault, random)
        except IN_THE_WAY as error:
            happened = False
            self._tell(fault, repr(error))
        (self.done if happened else self.missed)[fault.kind] += 1
        self._tell(fault, "is over" if happened else "did not happen")

    def _tell(self, fault: Fault, what: str) -> None:
        at = time.strftime("%H:%M:%S")
        with self.log_path.open("a") as log:
            log.write(
                f"{at} {time.monotonic() - self.began:6.1f} #{fault.number} {fault.kind} "
                f"{fault.seconds:.1f}s {what}\n"
            )

    def _handler(self, kind: FaultKind) -> Callable[[Fault, Random], Awaitable[bool]]:
        subject, _, what = kind.partition(" ")
        services: dict[str, LocalServer] = {
            "broker": self.cluster.kafka,
            "postgres": self.cluster.postgres,
            "redis": self.cluster.redis,
        }
        if (service := services.get(subject)) is not None:
            return lambda fault, _: self._service(service, what, fault.seconds)
        named: dict[FaultKind, Callable[[Fault, Random], Awaitable[bool]]] = {
            "node killed": self._node_killed,
            "node frozen": self._node_frozen,
            "node stopped": self._node_stopped,
            "read models rebuilt": self._rebuilt,
            "connections cut": self._connections_cut,
            "relay killed in a batch": self._relay_killed,
            "relay deposed": lambda fault, _: self._deposed("relay", fault),
            "projector deposed": lambda fault, _: self._deposed("project", fault),
            "records sent again": self._sent_again,
            "leaders killed behind old records": self._leaders_killed,
            "topics deleted": self._topics_deleted,
            "offsets reset": self._offsets_reset,
            "offsets forgotten": self._offsets_reset,
            "receiver failing": self._receiver_failing,
            "receiver slow": self._receiver_slow,
        }
        return named[kind]

    async def _service(self, service: LocalServer, what: str, seconds: float) -> bool:
        async with self._locks[service.name]:
            if what == "frozen":
                with frozen(service):
                    await asyncio.sleep(seconds)
            else:
                await asyncio.to_thread(service.stop if what == "stopped" else service.kill)
                await asyncio.sleep(seconds)
                await asyncio.to_thread(service.start)
        return True

    async def _node_killed(self, fault: Fault, _: Random) -> bool:
        node = self.keeper.free(fault.dice)
        return node is not None and await self._kill(node, fault.seconds)

    async def _kill(self, node: NodeProcess, seconds: float) -> bool:
        async with self.keeper.hands_on[node.name]:
            self.keeper.hold_down(node)
            node.kill()
            self.kills += 1
            await asyncio.sleep(seconds)
            self.keeper.let_go(node)
        return True

    async def _node_frozen(self, fault: Fault, _: Random) -> bool:
        node = self.keeper.free(fault.dice)
        if node is None:
            return False
        async with self._frozen(node):
            await asyncio.sleep(fault.seconds)
        return True

    async def _node_stopped(self, fault: Fault, _: Random) -> bool:
        """As at a deployment: SIGTERM, and it ends well, whatever is away just then."""
        node = self.keeper.free(fault.dice)
        if node is None:
            return False
        async with self.keeper.hands_on[node.name]:
            was_up = self.keeper.is_up(node)
            self.keeper.hold_down(node)
            status = await self._end(node)
            words = node.output[-LAST_WORDS:]
            # One that ended itself because a service hangs is as good as one that was killed.
            if was_up and status != 0 and HUNG not in words:
                self.keeper.fallen.append(f"{node.name} after SIGTERM: {status}:\n{words}\n")
            await asyncio.sleep(fault.seconds)
            self.keeper.let_go(node)
        return True

    async def _rebuilt(self, fault: Fault, _: Random) -> bool:
        """As by the command line: built anew beside, from either log, and swapped in."""
        source: LogSource = "store" if fault.dice < 0.5 else "kafka"
        async with open_read_models(self.settings, source) as offline:
            log = offline.log.read_log
            return not await rebuild(offline.read_models, offline.replayed, NAMES, truth=log)

    @asynccontextmanager
    async def _frozen(self, node: NodeProcess) -> AsyncIterator[None]:
        async with self.keeper.hands_on[node.name]:
            with suppress(ProcessLookupError):
                node.freeze()
            try:
                yield
            finally:
                with suppress(ProcessLookupError):
                    node.thaw()

    async def _relay_killed(self, fault: Fault, _: Random) -> bool:
        """Lets the relay fall behind, and kills it as it makes up for that."""
        leader = await self._leader("relay")
        async with self._frozen(leader):
            await asyncio.sleep(fault.seconds)
        await asyncio.sleep(fault.dice * BATCH_SECONDS)
        return await self._kill(leader, 0.0)

    async def _deposed(self, role: Role, fault: Fault) -> bool:
        """Takes its duty from a leader that is frozen, which then goes on as if it led."""
        leader = await self._leader(role)
        duty = "projector" if role == "project" else role
        key = crc32(f"{self.settings.kafka.topic_prefix}/{duty}".encode()) & 0x7FFFFFFF
        async with self._locks["postgres"], self._frozen(leader):
            await self._terminate(
                "SELECT pg_terminate_backend(pid) FROM pg_locks "
                "WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND granted",
                DUTY_LOCKS,
                key,
            )
            await asyncio.sleep(fault.seconds)
        return True

    async def _connections_cut(self, fault: Fault, _: Random) -> bool:
        async with self._locks["postgres"]:
            await self._terminate(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' "
                "AND random() < %s",
                fault.dice,
            )
        return True

    async def _terminate(self, sql: str, *parameters: object) -> None:
        address = self.cluster.postgres.url
        connection = await psycopg.AsyncConnection.connect(
            address, autocommit=True, connect_timeout=3
        )
        async with connection:
            await connection.execute(sql.encode(), parameters)

    async def _leader(self, role: Role) -> NodeProcess:
        """The node that leads, once there is one that nobody has their hands on."""
        async with (
            asyncio.timeout(LEADER_SECONDS),
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ASK_SECONDS)) as session,
        ):
            while True:
                for node in self.cluster.of(role):
                    with suppress(aiohttp.ClientError, TimeoutError):
                        async with session.get(f"{node.base_url}/metrics") as response:
                            leads = LEADS.search(await response.text())
                        if leads and not self.keeper.hands_on[node.name].locked():
                            return node
                await asyncio.sleep(ASK_SECONDS)

    async def _sent_again(self, fault: Fault, random: Random) -> bool:
        async with self._locks["kafka"]:
            self.done["  records"] += await send_again(self.settings, random)
        return True

    async def _leaders_killed(self, fault: Fault, random: Random) -> bool:
        """Old records are the last of every partition when others take over."""
        leaders = await self._leader("relay"), await self._leader("project")
        async with self._locks["kafka"]:
            async with self._frozen(leaders[0]):
                self.done["  records"] += await send_again(self.settings, random, share=1.0)
            await asyncio.gather(*(self._kill(leader, fault.seconds) for leader in leaders))
        return True

    async def _offsets_reset(self, fault: Fault, _: Random) -> bool:
        forget = fault.kind == "offsets forgotten"
        async with self._ended("work"):
            await asyncio.to_thread(reset_offsets, self.settings, forget=forget)
        return True

    async def _topics_deleted(self, fault: Fault, _: Random) -> bool:
        async with self._ended("work", "project", "relay"):
            await asyncio.to_thread(delete_topics, self.settings)
        return True

    @asynccontextmanager
    async def _ended(self, *roles: Role) -> AsyncIterator[None]:
        """All nodes of these roles are gently ended, and started again afterwards."""
        nodes = self.cluster.of(*roles)
        async with AsyncExitStack() as stack:
            for node in nodes:
                await stack.enter_async_context(self.keeper.hands_on[node.name])
                self.keeper.hold_down(node)
                stack.callback(self.keeper.let_go, node)
            await asyncio.gather(*(self._end(node) for node in nodes))
            await stack.enter_async_context(self._locks["kafka"])
            yield

    async def _end(self, node: NodeProcess) -> int | None:
        """Its exit status after SIGTERM; None when it had to be killed."""
        if not node.is_alive:
            return 0
        try:
            return await node.stop(END_SECONDS)
        except AssertionError:
            node.kill()
            return None

    async def _receiver_failing(self, fault: Fault, _: Random) -> bool:
        self.receiver.is_failing = True
        await asyncio.sleep(fault.seconds)
        self.receiver.is_failing = False
        return True

    async def _receiver_slow(self, fault: Fault, _: Random) -> bool:
        self.receiver.is_slow = True
        await asyncio.sleep(fault.seconds)
        self.receiver.is_slow = False
        return True
