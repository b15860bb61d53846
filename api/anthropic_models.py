"""The list of models for Anthropic's clients: those that answer messages, in Anthropic's shape."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from api.job_requests import converted
from domain.catalog.catalogue import Catalogue, Resolved
from domain.catalog.reach import reach_of
from domain.errors import InvalidRequest, NotFound

# What stands for a day of release that is not known.
_UNKNOWN_DAY = "1970-01-01T00:00:00Z"


class _Page(msgspec.Struct):
    """Which part is asked for; the numbers come as text."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    after_id: str | None = None
    before_id: str | None = None
    lifecycle: Literal["active", "deprecated", "retired"] | None = None


def anthropic_list(
    catalogue: Catalogue, query: Mapping[str, str], own: Collection[str] = ()
) -> dict[str, Any]:
    """A page of the models, with those of providers that the account has `own` keys at.

    Raises `InvalidRequest`.
    """
    asked = _read(query)
    found = [
        resolved
        for resolved in reach_of(catalogue, own).listed
        if _answers_messages(resolved) and asked.lifecycle in (None, _lifecycle(resolved))
    ]
    start, stop = _place(found, asked)
    shown = [anthropic_model(resolved, own) for resolved in found[start:stop]]
    left = start > 0 if asked.before_id is not None else stop < len(found)
    return {
        "data": shown,
        "has_more": left,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }


def anthropic_model(resolved: Resolved, own: Collection[str] = ()) -> dict[str, Any]:
    """One model, and where it goes under `own` keys at which of their providers.

    Raises `NotFound` for one that answers no messages.
    """
    model = resolved.model
    if not _answers_messages(resolved):
        raise NotFound(f"{model.id} answers no messages", code="model_not_found", param="model")
    marked = sorted({offer.provider for offer in resolved.offers if offer.provider in own})
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.id.rpartition("/")[2],
        "created_at": _UNKNOWN_DAY,
        "lifecycle": _lifecycle(resolved),
        "max_input_tokens": model.context_length,
        "max_tokens": model.max_output_tokens,
        **({"own_key_providers": marked} if marked else {}),
    }


def _answers_messages(resolved: Resolved) -> bool:
    return resolved.model.kind == "chat"


def _lifecycle(resolved: Resolved) -> str:
    return "deprecated" if all(one.deprecated for one in resolved.model.offers) else "active"


def _read(query: Mapping[str, str]) -> _Page:
    given = {name: query[name] for name in _Page.__struct_fields__ if name in query}
    limit = given.pop("limit", None)
    if limit is not None and not limit.isdecimal():
        raise InvalidRequest("limit must be a number", param="limit")
    read = given if limit is None else {**given, "limit": int(limit[:9])}
    page = converted(read, _Page, "")
    if page.after_id is not None and page.before_id is not None:
        raise InvalidRequest("give after_id or before_id, not both", param="before_id")
    return page


def _place(found: Sequence[Resolved], page: _Page) -> tuple[int, int]:
    if page.before_id is not None:
        stop = _index(found, page.before_id, "before_id")
        return max(0, stop - page.limit), stop
    start = 0 if page.after_id is None else _index(found, page.after_id, "after_id") + 1
    return start, start + page.limit


def _index(found: Sequence[Resolved], model_id: str, param: str) -> int:
    for index, one in enumerate(found):
        if one.model.id == model_id:
            return index
    raise InvalidRequest(f"{param} must be the id of a model of this list", param=param)
