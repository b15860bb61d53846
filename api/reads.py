"""Reading the read models so that customers see their own latest writes."""

import asyncio
from typing import Any

import structlog

from api.ports import ApiPorts
from projections.listing import Page
from projections.queries import Query

log = structlog.get_logger(__name__)


async def answer(ports: ApiPorts, query: Query, page: Page | None = None) -> dict[str, Any]:
    """The query's answer, once the read models hold what was in the log when it was asked.

    After `read_your_writes_seconds` it is answered from what they hold; `as_of` tells. A
    question about an earlier position needs no wait.
    """
    if page is None or page.as_of is None:
        try:
            async with asyncio.timeout(ports.limits.read_your_writes_seconds):
                await ports.projector.reached(ports.source.head())
        except TimeoutError:
            log.warning("read_models.behind", head=ports.source.head())
    return await ports.read_models.fetch(query)
