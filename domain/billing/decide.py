"""Giving credit: the one decision on money that is not made by a job."""

from dataclasses import dataclass

from domain.billing.events import Bucket, CreditGranted
from domain.errors import InvalidRequest

MAX_REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class GrantCredit:
    """Give `picodollars` into a bucket; the reason goes on the record."""

    credit_id: str
    bucket: Bucket
    picodollars: int
    reason: str


def decide_grant(command: GrantCredit) -> CreditGranted:
    """The event of a grant. Raises `InvalidRequest` without an amount or a reason."""
    if command.picodollars <= 0:
        raise InvalidRequest("a credit must be more than zero", param="amount_usd")
    if not 1 <= len(command.reason.strip()) <= MAX_REASON_LENGTH:
        raise InvalidRequest(f"a reason has 1 to {MAX_REASON_LENGTH} characters", param="reason")
    return CreditGranted(
        credit_id=command.credit_id,
        bucket=command.bucket,
        picodollars=command.picodollars,
        reason=command.reason.strip(),
    )
