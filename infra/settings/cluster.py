"""Settings of the cluster profile: where PostgreSQL, Kafka, Redis and the blobs are."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from infra.settings.section import Section
from infra.settings.values import Duration, Secret

Profile = Literal["embedded", "cluster"]


def _url_of(*schemes: str) -> AfterValidator:
    """A secret that is a URL of one of these schemes."""

    def check(value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"a URL begins with {schemes[0]}:// here")
        return value

    return AfterValidator(check)


PostgresUrl = Annotated[SecretStr, _url_of("postgresql", "postgres")]
RedisUrl = Annotated[SecretStr, _url_of("redis", "rediss", "unix")]


class PostgresSettings(Section):
    """The database of the event store and the read models. Cluster profile."""

    url: PostgresUrl | None = Field(
        default=None,
        description="`postgresql://user:password@host:5432/name`. The role may make "
        "tables and schemas in its database.",
    )
    pool_size: int = Field(
        default=8, ge=2, le=100, description="Connections of one process to the event store."
    )
    connect_timeout: Duration = Field(default=5.0, description="To open a connection.")
    poll_interval: Duration = Field(
        default=0.05,
        le=1,
        description="How often a node looks for what other nodes recorded, when no signal wakes "
        "it. A revoked key stops after at most a few of these.",
    )


class KafkaSettings(Section):
    """The log that consumers follow. Cluster profile."""

    bootstrap_servers: str | None = Field(
        default=None, min_length=1, description="`host:port`, more with commas."
    )
    topic_prefix: str = Field(
        default="gatewayz",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Topics are named `<prefix>.<family>`.",
    )
    partitions: int = Field(
        default=12,
        ge=1,
        le=1000,
        description="Of each topic, when it is made. Never change it afterwards: a stream stays "
        "in one partition.",
    )
    replication_factor: int = Field(
        default=3, ge=1, le=10, description="Of each topic, when it is made."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How connections are secured."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How we prove who we are, with a SASL protocol."
    )
    username: str | None = Field(default=None, description="With a SASL protocol.")
    password: Secret | None = Field(default=None, description="With a SASL protocol.")
    ca_file: str | None = Field(
        default=None, description="Certificates to trust, with SSL; the system's without it."
    )

    @model_validator(mode="after")
    def _sasl_has_credentials(self) -> "KafkaSettings":
        wanted = self.security_protocol.startswith("SASL")
        if wanted and (self.username is None or self.password is None):
            raise ValueError("a SASL protocol needs username and password")
        return self


class RedisSettings(Section):
    """Wake-ups, rate-limit counters and stream buffers; memory takes its place when it is away."""

    url: RedisUrl | None = Field(
        default=None, description="`redis://host:6379/0`. Without it every node uses its memory."
    )
    prefix: str = Field(
        default="gatewayz", pattern=r"^[a-zA-Z0-9._-]{1,100}$", description="Of every key."
    )
    timeout: Duration = Field(
        default=0.1, le=5, description="After which a call counts as failed, and memory is used."
    )


class S3Settings(Section):
    """A bucket of S3-compatible storage."""

    bucket: str = Field(min_length=1, description="It must exist.")
    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        description="The storage's URL; without it AWS.",
    )
    region: str = Field(default="us-east-1", min_length=1, description="The bucket's region.")
    access_key_id: Secret | None = Field(
        default=None, description="Without it the usual AWS sources of credentials are asked."
    )
    secret_access_key: Secret | None = Field(default=None, description="Goes with the id.")
    prefix: str = Field(default="", description="Put before every blob's name.")


class BlobSettings(Section):
    """Where payloads are kept that are too large for an event."""

    s3: S3Settings | None = Field(
        default=None,
        description="Without it files of the data directory, which every node of a "
        "cluster must then share.",
    )
