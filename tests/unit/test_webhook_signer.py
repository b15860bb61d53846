"""Our signatures, checked by the two libraries that customers use."""

import json
import time

import openai
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.webhooks.signer import StandardSigner

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs="
MESSAGE = {"id": "evt_1", "object": "event", "type": "job.completed", "data": {"id": "job_ü"}}
BODY = json.dumps(MESSAGE, ensure_ascii=False).encode()


def signed(*secrets: str, at: int | None = None) -> dict[str, str]:
    now = int(time.time() * 1000)
    return StandardSigner().headers("evt_1", at or now, BODY, secrets)


def test_the_reference_library_accepts_our_signature() -> None:
    assert Webhook(SECRET).verify(BODY, signed(SECRET)) == MESSAGE


def test_the_openai_client_accepts_our_signature() -> None:
    with openai.OpenAI(api_key="x", webhook_secret=SECRET) as client:
        event = client.webhooks.unwrap(BODY, signed(SECRET))
    assert event.id == "evt_1"


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_during_a_rotation_either_secret_verifies(secret: str) -> None:
    assert Webhook(secret).verify(BODY, signed(OTHER, SECRET)) == MESSAGE


def test_another_secret_does_not_verify() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, signed(SECRET))


def test_the_timestamp_is_in_unix_seconds() -> None:
    assert signed(SECRET, at=1_700_000_000_999)["webhook-timestamp"] == "1700000000"
