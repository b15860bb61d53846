"""Signatures of the Standard Webhooks scheme, made by its own library."""

from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook


class StandardSigner:
    """Implements `domain.ports.webhook_sender.Signer`."""

    def headers(
        self, message_id: str, at: int, body: bytes, secrets: Sequence[str]
    ) -> dict[str, str]:
        timestamp = datetime.fromtimestamp(at // 1000, UTC)
        text = body.decode()
        signatures = (Webhook(secret).sign(message_id, timestamp, text) for secret in secrets)
        return {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(at // 1000),
            "webhook-signature": " ".join(signatures),
        }
