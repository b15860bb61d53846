"""Settings of how the engine works: attempts, webhooks, storage, dispatch and the rest."""

from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from domain.routing.ordering import Strategy
from infra.settings.section import Section, require_none
from infra.settings.values import Duration, Pause


class HttpSettings(Section):
    """What the HTTP server bears of its clients, and does for them."""

    write_timeout: Duration = Field(
        default=60.0,
        description="For a client that reads nothing of its reply; then it counts as gone and its "
        "connection is closed.",
    )
    stream_keep_alive: Pause = Field(
        default=15.0,
        description="After so long without a word a stream is opened, if it is not, and sends a "
        "sign of life, so that nothing between closes its connection; 0 switches it off. What "
        "fails before keeps its own status.",
    )


class RoutingSettings(Section):
    """Which offer is asked first."""

    strategy: Strategy = Field(
        default="price",
        description="`price`: the cheapest first; `order`: as the offers are listed; `latency`: "
        "the lowest median first; `throughput`: the most output tokens a second first; "
        "`balanced`: price, latency and share of answers together; `weights`: drawn by share.",
    )
    weights: dict[str, float] = Field(
        default={},
        description="Shares of the strategy `weights`, by provider or by `provider/native_id`; "
        "what has none comes last.",
    )
    minimum_samples: int = Field(
        default=10, ge=1, description="Answers in five minutes before an offer counts as measured."
    )
    margin: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="By which share another offer must be better to take the lead.",
    )

    @model_validator(mode="after")
    def _weights_are_shares(self) -> "RoutingSettings":
        require_none(
            [
                (f"weights.{name}", "is less than nothing")
                for name, weight in self.weights.items()
                if weight < 0
            ]
        )
        if self.strategy == "weights" and not any(self.weights.values()):
            raise ValueError("the strategy 'weights' needs weights")
        return self


class AttemptSettings(Section):
    """How long one call to a provider may take, and how many calls a job may make."""

    connect_timeout: Duration = Field(default=5.0, description="To open the connection.")
    first_byte_timeout: Duration = Field(
        default=30.0, description="From the request to the first byte."
    )
    chunk_timeout: Duration = Field(default=30.0, description="Between two parts of a stream.")
    thinking_timeout: Duration = Field(
        default=180.0,
        description="In place of the two before it, where it is longer, for models that are known "
        "to show nothing while they think.",
    )
    total_timeout: Duration = Field(default=600.0, description="For the whole call.")
    max_attempts: int = Field(
        default=6, ge=1, le=100, description="Calls of one job, over all offers."
    )

    @model_validator(mode="after")
    def _parts_fit_into_the_whole(self) -> "AttemptSettings":
        parts = ("connect_timeout", "first_byte_timeout", "chunk_timeout")
        require_none(
            [
                (part, f"is longer than total_timeout ({self.total_timeout:g} s)")
                for part in parts
                if getattr(self, part) > self.total_timeout
            ]
        )
        return self


class BreakerSettings(Section):
    """When a provider that fails is left alone, and when it is tried again."""

    consecutive_failures: int = Field(
        default=5, ge=1, description="Failures in a row that open it."
    )
    failure_ratio: float = Field(default=0.5, gt=0, le=1, description="The share that opens it.")
    minimum_requests: int = Field(default=10, ge=1, description="Requests before the share counts.")
    window: Duration = Field(default=60.0, description="Over which the share is taken.")
    open_seconds: Duration = Field(
        default=60.0, description="Until an open breaker lets one call try."
    )
    max_open_seconds: Duration = Field(
        default=600.0, description="To which that time doubles while it opens again and again."
    )
    successes_to_close: int = Field(default=2, ge=1, description="Successes that close it again.")


class ProbeSettings(Section):
    """When providers that nobody calls are asked for their list of models, which bills nobody."""

    enabled: bool = Field(default=True, description="Whether they are asked at all.")
    popular: Duration = Field(
        default=300.0, description="After the last word of a provider that served within a day."
    )
    rest: Duration = Field(default=7200.0, description="After the last word of any other.")
    timeout: Duration = Field(default=30.0, description="For one answer.")


class CatalogueSettings(Section):
    """How providers' own lists of models and prices are followed."""

    enabled: bool = Field(default=True, description="Whether they are read on schedule.")
    sync_interval: Duration = Field(
        default=3600.0, description="Between two readings of one list, a tenth more or less."
    )
    timeout: Duration = Field(default=60.0, description="For one list, with all its pages.")


class WebhookSettings(Section):
    """How webhooks are delivered."""

    allow_private_targets: bool = Field(
        default=False, description="Allows loopback and private addresses. For development alone."
    )
    retry_schedule: tuple[Duration, ...] = Field(
        default=(5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0),
        max_length=50,
        description="The gaps before the second and later attempts, none shorter than the last.",
    )
    timeout: Duration = Field(default=20.0, description="For one delivery attempt.")

    @field_validator("retry_schedule")
    @classmethod
    def _gaps_grow(cls, gaps: tuple[float, ...]) -> tuple[float, ...]:
        if any(later < earlier for earlier, later in pairwise(gaps)):
            raise ValueError("a gap is shorter than the one before it")
        return gaps


class LimitSettings(Section):
    """What callers may ask of the gateway in a given time."""

    applied = False

    enabled: bool = Field(default=False, description="Whether the limits are applied.")
    ip_per_minute: int = Field(default=300, ge=1, description="Requests from one address.")
    anonymous_per_day: int = Field(default=3, ge=0, description="Requests without a key.")


class StorageSettings(Section):
    """What an acknowledged write survives."""

    durability: Literal["disk", "process"] = Field(
        default="disk",
        description="`disk`: every commit is synced and survives a power cut; `process`: it "
        "survives the end of the process, killed or not.",
    )


class DispatchSettings(Section):
    """How jobs are run."""

    concurrency: int = Field(default=500, ge=1, description="Jobs in flight in this process.")
    per_account: int | None = Field(
        default=None,
        ge=1,
        description="Jobs of one account in flight; without it four fifths of the concurrency, so "
        "that one account's long jobs never hold every slot.",
    )
    lease_seconds: Duration = Field(
        default=30.0,
        ge=3,
        description="After which a silent worker's jobs are given to another. A lease is renewed "
        "three times as often, so it may be shorter than a call.",
    )
    drain_timeout: Pause = Field(default=30.0, description="For running jobs to end at a shutdown.")


class SimulatorSettings(Section):
    """The built-in provider that answers without any account."""

    latency: Pause = Field(default=0.05, description="Of each answer.")
    fault_rate: float = Field(default=0.0, ge=0, le=1, description="The share of calls that fail.")


class TokenSettings(Section):
    """How tokens are counted where no provider does."""

    vocabularies: Path | None = Field(
        default=None,
        description="The folder of the tokenisers' files, which `gatewayz tokens fetch` fills. "
        "Without it `vocabularies` in the data directory. What is not there is estimated.",
    )


class LoggingSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe line that is written."
    )
    format: Literal["json", "text"] = Field(
        default="text", description="`json`: one object a line."
    )
