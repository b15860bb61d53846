"""What the routes of providers' lists answer, as JSON Schema."""

from typing import Any

from api.schemas import (
    FLAG,
    INTEGER,
    TEXT,
    TEXT_OR_NULL,
    TIME_OR_NULL,
    Schema,
    list_of,
    reference,
)


def _all(properties: dict[str, Any]) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _plain(name: str) -> Schema:
    return _all({"object": {"const": "list"}, "data": {"type": "array", "items": reference(name)}})


_PRICES: Schema = {
    "type": ["object", "null"],
    "additionalProperties": TEXT,
    "description": "USD per million tokens, and per request, by what is priced",
}
CATALOGUE_SCHEMAS: dict[str, Schema] = {
    "CatalogueSync": _all(
        {
            "object": {"const": "catalogue_sync"},
            "provider": TEXT,
            "result": {"enum": ["synced", "unchanged", "refused", "busy"]},
            "why": TEXT_OR_NULL,
            "offers": INTEGER,
            "gone": INTEGER,
            "quarantined": INTEGER,
        }
    ),
    "CatalogueFeed": _all(
        {
            "id": TEXT,
            "object": {"const": "catalogue_feed"},
            "changed_at": TIME_OR_NULL,
            "refused": TEXT_OR_NULL,
            "listed": INTEGER,
            "gone": INTEGER,
            "quarantined": INTEGER,
            "delisted": INTEGER,
        }
    ),
    "QuarantinedPrice": _all(
        {
            "id": TEXT,
            "object": {"const": "quarantined_price"},
            "provider": TEXT,
            "native_id": TEXT,
            "model": TEXT,
            "why": {"enum": ["anchors", "change", "elsewhere", "bounds", "proportions"]},
            "in_force": _PRICES,
            "listed": _PRICES,
        }
    ),
    "ReleasedPrice": _all(
        {"id": TEXT, "object": {"const": "released_price"}, "model": TEXT, "prices": _PRICES}
    ),
    "Delisting": _all(
        {
            "id": TEXT,
            "object": {"const": "delisting"},
            "provider": TEXT,
            "native_id": TEXT,
            "delisted": FLAG,
            "reason": TEXT_OR_NULL,
            "at": TIME_OR_NULL,
        }
    ),
    "CatalogueSyncs": _plain("CatalogueSync"),
    "ReleasedPrices": _plain("ReleasedPrice"),
    "CatalogueFeedList": list_of("CatalogueFeed"),
    "QuarantinedPriceList": list_of("QuarantinedPrice"),
    "DelistingList": list_of("Delisting"),
}
CATALOGUE_REPLIES = {
    "sync_catalogue": "CatalogueSyncs",
    "list_feeds": "CatalogueFeedList",
    "list_quarantine": "QuarantinedPriceList",
    "release_prices": "ReleasedPrices",
    "list_delisted": "DelistingList",
    "delist_offer": "Delisting",
    "relist_offer": "Delisting",
}
CATALOGUE_REFUSALS = {
    "sync_catalogue": ("404",),
    "release_prices": ("404", "409"),
    "delist_offer": ("404", "409"),
    "relist_offer": ("404", "409"),
}
