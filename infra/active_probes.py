"""What asks idle providers for their lists of models, as the settings say."""

import random
import time
from collections.abc import Mapping

from adapters.providers.failures import failure_of_status
from adapters.providers.session import HttpSession
from infra.making import Basis
from infra.providers.probing import Finding, ask_for_list
from infra.settings.providers import ProviderSettings
from workers.node_health import NodeHealth
from workers.probes import Ask, ProbeIntervals, ProbePorts, Prober, ProbeResult


def make_prober(basis: Basis, session: HttpSession, health: NodeHealth) -> Prober:
    """What probes from this node; nobody when probes are switched off."""
    settings, storage = basis.settings.probes, basis.storage
    ports = ProbePorts(
        storage.store, storage.clock, health.recorder.board, health.keeper, random.random
    )
    intervals = ProbeIntervals(popular=settings.popular, rest=settings.rest)
    asks = _asks(basis, session) if settings.enabled else {}
    return Prober(ports, asks, intervals, basis.node_id)


def _asks(basis: Basis, session: HttpSession) -> Mapping[str, Ask]:
    return {
        name: _ask(name, provider, session, basis.settings.probes.timeout)
        for name, provider in basis.settings.usable_providers.items()
        if provider.protocol != "simulator"
    }


def _ask(name: str, provider: ProviderSettings, session: HttpSession, timeout: float) -> Ask:
    async def ask() -> ProbeResult | None:
        started = time.monotonic()
        finding = await ask_for_list(name, provider, session, timeout)
        if finding is None:
            return None
        return ProbeResult(_outcome(finding), round((time.monotonic() - started) * 1000))

    return ask


def _outcome(finding: Finding) -> str:
    if finding.ok:
        return "ok"
    if finding.status is None:
        return "connect"
    return failure_of_status(finding.status, {}, b"").kind
