"""Under which keys an account's requests go to a provider: its own one, and the house's."""

from domain.access.provider_keys.directory import ProviderKeyEntry


def keys_at(own: ProviderKeyEntry | None, *, is_sold: bool) -> tuple[str | None, ...]:
    """The ids of the keys, the first to be used first; None stands for the house's key.

    `own` is the account's key at the provider. The house's serves where the house sells what the
    provider offers, and beside an own one only where the account said that it may.
    """
    if own is None:
        return (None,) if is_sold else ()
    if own.fallback and is_sold:
        return own.provider_key_id, None
    return (own.provider_key_id,)
