"""Every event type there is, once."""

from domain.access import events as access
from domain.access.provider_keys import events as provider_keys
from domain.billing import events as billing
from domain.catalog import events as catalog
from domain.event import Event
from domain.governance import events as governance
from domain.inference import events as inference
from domain.providers import events as providers
from domain.webhooks import events as webhooks

ALL_EVENTS: tuple[type[Event], ...] = (
    *access.EVENTS,
    *provider_keys.EVENTS,
    *billing.EVENTS,
    *catalog.EVENTS,
    *governance.EVENTS,
    *inference.EVENTS,
    *providers.EVENTS,
    *webhooks.EVENTS,
)
