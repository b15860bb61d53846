"""Request bodies of the cold routes; unknown fields are refused."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from domain.access.scopes import Scope
from domain.inference.events import DisconnectPolicy
from domain.ports.secrets import Environment

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
NativeId = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500)]
UnixSeconds = Annotated[float, Field(gt=0, lt=1e11, description="Unix seconds")]
Usd = Annotated[str, StringConstraints(pattern=r"^\d{1,9}(\.\d{1,12})?$"), Field(examples=["5.00"])]


class Body(BaseModel):
    """Base of every request body."""

    model_config = ConfigDict(extra="forbid", strict=True)


class AccountBody(Body):
    """`POST /admin/accounts`."""

    name: Name


class CreditBody(Body):
    """`POST /admin/accounts/{id}/credits`."""

    amount_usd: Usd
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    bucket: Literal["purchased", "allowance"] = "purchased"


class SyncBody(Body):
    """`POST /admin/catalogue/sync`; without a provider every list is read.

    `accept_fewer` takes a list that lost more than half of what it had.
    """

    provider: Name | None = None
    accept_fewer: bool = False


class ReleaseBody(Body):
    """`POST /admin/catalogue/release`; without a `native_id` all that the provider has there."""

    provider: Name
    native_id: NativeId | None = None
    reason: Reason


class OfferBody(Body):
    """`POST /admin/offers/delist` and `/relist`."""

    provider: Name
    native_id: NativeId
    reason: Reason


class KeyBody(Body):
    """`POST /v1/keys`; without `scopes` and `expires_at` the key is as the asking one."""

    name: Name
    environment: Environment = "live"
    scopes: list[Scope] | None = None
    expires_at: UnixSeconds | None = None
    on_disconnect: DisconnectPolicy = "cancel"


class KeyChanges(Body):
    """`PATCH /v1/keys/{id}`; what is left out stays, an `expires_at` of null means never."""

    name: Name | None = None
    scopes: list[Scope] | None = None
    expires_at: UnixSeconds | None = None
    on_disconnect: DisconnectPolicy | None = None


class ProviderKeyBody(Body):
    """`POST /v1/provider_keys`; only with `fallback` may the house's key serve where this fails."""

    provider: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    api_key: Annotated[SecretStr, Field(min_length=8, max_length=4096)]
    fallback: bool = False


class RotationBody(Body):
    """`POST /v1/keys/{id}/rotate`."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 24 * 3600)] = 0
