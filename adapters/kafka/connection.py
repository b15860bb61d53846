"""How Kafka is reached: one description, in the words of each of the three clients."""

import re
import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.errors import StoreUnavailable

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class KafkaUnavailable(StoreUnavailable):
    """Kafka could not be reached or did not answer; the event store is not affected."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where the brokers are and who we are to them.

    `bootstrap_servers` is `host:port`, more with commas; `username` and `password` go with a SASL
    protocol, `ca_file` with SSL, where the system's certificates stand in for it.
    """

    bootstrap_servers: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    def __post_init__(self) -> None:
        wrong = [one for one in self.servers if not re.fullmatch(r".+:\d+", one)]
        if wrong or not self.servers:
            raise ValueError(f"{self.bootstrap_servers!r} is no list of host:port")

    @property
    def _is_encrypted(self) -> bool:
        return self.security_protocol in {"SSL", "SASL_SSL"}

    @property
    def _is_authenticated(self) -> bool:
        return self.security_protocol in {"SASL_PLAINTEXT", "SASL_SSL"}

    def for_aiokafka(self) -> dict[str, Any]:
        """Arguments of `AIOKafkaProducer` and `AIOKafkaConsumer`."""
        return self._shared()

    def for_kafka_python(self) -> dict[str, Any]:
        """Arguments of `KafkaAdminClient` and `KafkaConsumer`."""
        return self._shared()

    def for_faststream(self) -> dict[str, Any]:
        """Arguments of FastStream's `KafkaBroker`."""
        # Only processes with consumers pay for loading the framework.
        from faststream import security  # noqa: PLC0415

        secured: dict[str, Any] = {
            "ssl_context": self._ssl_context(),
            "use_ssl": self._is_encrypted,
        }
        if self._is_authenticated:
            kind = {
                "PLAIN": security.SASLPlaintext,
                "SCRAM-SHA-256": security.SASLScram256,
                "SCRAM-SHA-512": security.SASLScram512,
            }[self.sasl_mechanism]
            secured |= {"username": self.username, "password": self.password}
            return {"bootstrap_servers": self.servers, "security": kind(**secured)}
        return {"bootstrap_servers": self.servers, "security": security.BaseSecurity(**secured)}

    @property
    def servers(self) -> list[str]:
        """Each of the brokers to ask first."""
        return [one.strip() for one in self.bootstrap_servers.split(",") if one.strip()]

    def _shared(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "security_protocol": self.security_protocol,
            "ssl_context": self._ssl_context(),
        }
        if self._is_authenticated:
            arguments |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return arguments

    def _ssl_context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.ca_file) if self._is_encrypted else None
