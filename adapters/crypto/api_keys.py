"""Making API keys and webhook secrets, and the keyed hash by which a key is recognised."""

import base64
import hmac
import secrets

from adapters.crypto.master_key import MasterKey
from domain.ports.secrets import ENVIRONMENTS, ApiKey, Environment

RANDOM_BYTES = 32
MIN_CHOSEN_LENGTH = 20
PREFIXES = tuple(f"gw_{environment}_" for environment in ENVIRONMENTS)


class KeyedSecrets:
    """The secrets of one installation; implements `domain.ports.secrets.Secrets`.

    The hash is HMAC-SHA256 under a key of the master key. A slow password hash would add nothing:
    the secrets are random, and a request can look its key up by this hash.
    """

    def __init__(self, master: MasterKey) -> None:
        # Its copies begin where the key of the hash has been worked in.
        self._hash = hmac.new(master.derive("api-key-hash"), digestmod="sha256")

    def new_api_key(self, environment: Environment) -> ApiKey:
        return self._described(f"gw_{environment}_{secrets.token_urlsafe(RANDOM_BYTES)}")

    def adopt_api_key(self, secret: str) -> ApiKey:
        if len(secret) < MIN_CHOSEN_LENGTH:
            raise ValueError(f"an API key needs at least {MIN_CHOSEN_LENGTH} characters")
        return self._described(secret)

    def key_hash(self, secret: str) -> str:
        keyed = self._hash.copy()
        keyed.update(secret.encode())
        return keyed.hexdigest()

    def new_webhook_secret(self) -> str:
        return "whsec_" + base64.b64encode(secrets.token_bytes(RANDOM_BYTES)).decode()

    def _described(self, secret: str) -> ApiKey:
        # A chosen secret may have another form, and its start must not become public.
        prefix = next((p for p in PREFIXES if secret.startswith(p)), "")
        return ApiKey(secret, self.key_hash(secret), prefix, secret[-4:])
