"""Reading the read models so that customers see their own latest writes."""

from typing import Any

import structlog

from api.ports import ApiPorts
from domain.errors import InvalidRequest
from domain.ports.read_models import ReadModelUnavailable
from projections.listing import Page
from projections.queries import Query

log = structlog.get_logger(__name__)


async def answer(ports: ApiPorts, query: Query, page: Page | None = None) -> dict[str, Any]:
    """The query's answer, once the read models hold what was in the log when it was asked.

    After `read_your_writes_seconds` it is answered from what they hold; `as_of` tells. Asked as
    of a position that they do not hold by then, it raises `ReadModelUnavailable`.
    """
    head = await ports.abreast()
    as_of = head if page is None or page.as_of is None else page.as_of
    await caught_up(ports, min(as_of, head))
    try:
        return await ports.read_models.fetch(query)
    except InvalidRequest as error:
        if error.param == "as_of" and as_of <= head:
            raise ReadModelUnavailable(f"position {as_of} is not folded yet") from error
        raise


async def caught_up(ports: ApiPorts, position: int) -> None:
    """Waits until the read models hold `position`, as long as the limit allows."""
    if not await ports.projector.caught_up(position, ports.limits.read_your_writes_seconds):
        log.warning("read_models.behind", position=position)
