"""All settings, nested by concern."""

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from infra.settings.cluster import (
    BlobSettings,
    KafkaSettings,
    PostgresSettings,
    Profile,
    RedisSettings,
)
from infra.settings.offers import ModelSettings
from infra.settings.providers import ProviderSettings
from infra.settings.section import Section, require_none
from infra.settings.sections import (
    AttemptSettings,
    BreakerSettings,
    CatalogueSettings,
    DispatchSettings,
    HttpSettings,
    LimitSettings,
    LoggingSettings,
    ProbeSettings,
    RoutingSettings,
    SimulatorSettings,
    StorageSettings,
    TokenSettings,
    WebhookSettings,
)

ENV_PREFIX = "GATEWAYZ_"
MIN_ADMIN_KEY_LENGTH = 20


class Settings(BaseSettings):
    """Everything that can be set; built by `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    profile: Profile = Field(
        default="embedded",
        description="`embedded`: one process on a data directory; `cluster`: many processes on "
        "PostgreSQL, Kafka, Redis and S3.",
    )
    data_dir: Path = Field(
        default=Path("data"), description="Where everything is kept; made if missing."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(
        default=8080, ge=0, le=65535, description="The port to listen on; 0 takes any free."
    )
    bootstrap_admin_key: SecretStr | None = Field(
        default=None,
        min_length=MIN_ADMIN_KEY_LENGTH,
        description="The first administrator's key. Without it the first start makes one and "
        "prints it once.",
    )
    master_key: SecretStr | None = Field(
        default=None,
        description="32 bytes in base64, under which the accounts' keys are wrapped. Takes the "
        "place of the key file.",
    )
    master_key_file: Path | None = Field(
        default=None,
        description="The file of the master key, made with mode 0600 at the first start. Without "
        "it `master.key` in the data directory. Keep a copy apart from backups of the log: with "
        "both, everything can be read; without it, nothing.",
    )
    providers: dict[str, ProviderSettings] = Field(
        default={}, description="Additions to the built-in providers and changes to them, by name."
    )
    models: dict[str, ModelSettings] = Field(
        default={},
        description="Additions to the built-in models and changes to them, by `org/model`.",
    )
    aliases: dict[str, str] = Field(default={}, description="Other names of models.")
    http: HttpSettings = HttpSettings()
    routing: RoutingSettings = RoutingSettings()
    attempts: AttemptSettings = AttemptSettings()
    breaker: BreakerSettings = BreakerSettings()
    probes: ProbeSettings = ProbeSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    webhooks: WebhookSettings = WebhookSettings()
    limits: LimitSettings = LimitSettings()
    storage: StorageSettings = StorageSettings()
    dispatch: DispatchSettings = DispatchSettings()
    postgres: PostgresSettings = PostgresSettings()
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    blobs: BlobSettings = BlobSettings()
    tokens: TokenSettings = TokenSettings()
    simulator: SimulatorSettings = SimulatorSettings()
    logging: LoggingSettings = LoggingSettings()

    @property
    def master_key_path(self) -> Path:
        """The key file that is read when no master key is set."""
        return self.master_key_file or self.data_dir / "master.key"

    @property
    def vocabularies_path(self) -> Path:
        """The folder of the tokenisers' files."""
        return self.tokens.vocabularies or self.data_dir / "vocabularies"

    @property
    def unapplied(self) -> tuple[str, ...]:
        """The groups that the file or the environment sets and nothing applies yet."""
        groups = ((name, getattr(self, name)) for name in sorted(self.model_fields_set))
        return tuple(name for name, one in groups if isinstance(one, Section) and not one.applied)

    @property
    def usable_providers(self) -> dict[str, ProviderSettings]:
        """Those that are enabled and have the credential they ask for."""
        return {name: one for name, one in self.providers.items() if one.is_usable}

    @model_validator(mode="after")
    def _cluster_knows_its_parts(self) -> "Settings":
        if self.profile == "cluster":
            needed = {
                "postgres.url": self.postgres.url,
                "kafka.bootstrap_servers": self.kafka.bootstrap_servers,
                "master_key": self.master_key or self.master_key_file,
            }
            require_none(
                [
                    (name, "is needed in the cluster profile")
                    for name, value in needed.items()
                    if value is None
                ]
            )
        return self

    @field_validator("models")
    @classmethod
    def _offers_are_of_known_providers(
        cls, models: dict[str, ModelSettings], info: ValidationInfo
    ) -> dict[str, ModelSettings]:
        providers = info.data.get("providers")
        if providers is None:  # its own problems are reported already
            return models
        require_none(
            [
                (f"{name}.offers.{index}.provider", f"no provider is named {offer.provider!r}")
                for name, model in models.items()
                for index, offer in enumerate(model.offers)
                if offer.provider not in providers
            ]
        )
        return models


def settings_class(*lower: dict[str, Any]) -> type[Settings]:
    """`Settings` that read, below arguments and environment, the `lower` values, first first."""

    class Configured(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            given = (InitSettingsSource(settings_cls, values) for values in lower)
            return (init_settings, env_settings, *given)

    return Configured
