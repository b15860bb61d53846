"""Every projection there is, once."""

from projections import balances, deliveries, jobs, ledger, provider_health
from projections.folding import Projection

PROJECTIONS: tuple[Projection, ...] = (
    jobs.PROJECTION,
    balances.PROJECTION,
    ledger.PROJECTION,
    deliveries.PROJECTION,
    provider_health.PROJECTION,
)
