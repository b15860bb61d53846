"""The events of ordinary jobs, as benchmarks write them."""

from domain.billing.events import ChargeRecorded, Dimension, RatingLine
from domain.ids import charge_id
from domain.inference.events import (
    AttemptRecord,
    JobAccepted,
    JobCompleted,
    JobStarted,
    OfferRef,
    Usage,
)
from domain.ports.event_store import StreamWrite
from domain.sealed import Sealed
from domain.webhooks.events import DeliveryAttempted, DeliveryScheduled

COST = 20_000_000
SEALED = Sealed(key_id="dk_1", context="job", size=800, inline=bytes(828))
USAGE = Usage(input_tokens=10, output_tokens=5)


def job_writes(number: int) -> tuple[StreamWrite, ...]:
    """All six events of one job and its webhook."""
    job_id, delivery_id = f"job_{number:032x}", f"whd_{number:032x}"
    started = JobStarted(job_id=job_id, lease_id="lease_1", worker_id="w1", lease_until=1)
    charge = charged(job_id)
    return (
        StreamWrite(job_id, 0, (accepted(job_id, number), started, completed(job_id))),
        StreamWrite(charge.charge_id, 0, (charge,)),
        StreamWrite(delivery_id, 0, _delivery(delivery_id, job_id)),
    )


def accepted(job_id: str, number: int) -> JobAccepted:
    """Every tenth has metadata."""
    return JobAccepted(
        job_id=job_id,
        endpoint="/v1/chat/completions",
        model="acme/alpha",
        requested_model="alpha",
        lane="standard",
        offers=(OfferRef(provider="h1", native_id="alpha"),),
        price_version="pb_1",
        hold_picodollars=COST,
        estimated_input_tokens=10,
        max_output_tokens=100,
        input=SEALED,
        input_hash="0" * 64,
        metadata={"team": "research"} if number % 10 == 0 else {},
    )


def charged(job_id: str) -> ChargeRecorded:
    """All of the hold."""
    return ChargeRecorded(
        charge_id=charge_id(job_id),
        job_id=job_id,
        model="acme/alpha",
        provider="h1",
        native_id="alpha",
        usage=USAGE,
        price_version="pb_1",
        lines=(_line("input", 10, 1_000_000), _line("output", 5, 2_000_000)),
        picodollars=COST,
    )


def _line(dimension: Dimension, quantity: int, unit: int) -> RatingLine:
    return RatingLine(
        dimension=dimension,
        quantity=quantity,
        picodollars_per_unit=unit,
        picodollars=quantity * unit,
    )


def completed(job_id: str) -> JobCompleted:
    """At the first attempt."""
    attempt = AttemptRecord(
        provider="h1",
        native_id="alpha",
        started_at=1_700_000_000_000,
        duration_ms=40,
        outcome="ok",
        status_code=200,
    )
    return JobCompleted(
        job_id=job_id,
        lease_id="lease_1",
        provider="h1",
        native_id="alpha",
        usage=USAGE,
        raw_usage='{"prompt_tokens":10,"completion_tokens":5}',
        finish_reason="stop",
        output=SEALED,
        attempts=(attempt,),
        cost_picodollars=COST,
    )


def _delivery(delivery_id: str, job_id: str) -> tuple[DeliveryScheduled, DeliveryAttempted]:
    scheduled = DeliveryScheduled(
        delivery_id=delivery_id,
        message_id=f"evt_{job_id[4:]}",
        event_type="job.completed",
        url="https://customer.example/hook",
        endpoint_id=None,
        job_id=job_id,
        source_position=1,
        due_at=0,
    )
    attempted = DeliveryAttempted(
        delivery_id=delivery_id,
        attempt=1,
        at=1_700_000_000_100,
        duration_ms=9,
        status_code=200,
        error=None,
        result="delivered",
    )
    return scheduled, attempted
