"""What was asked of a job and answered, as far as it stands outside the log."""

from domain.inference.events import JobCompleted
from domain.inference.state import Job
from domain.ports.answer_streams import AnswerStreams
from domain.ports.payloads import Payloads


async def discard_content(job: Job, payloads: Payloads, streams: AnswerStreams | None) -> None:
    """Discards it for good, once it is recorded as deleted. A second time changes nothing."""
    if streams is not None:
        await streams.forget(job.job_id)
    await payloads.discard(job.accepted.input)
    if isinstance(job.ended, JobCompleted):
        await payloads.discard(job.ended.output)
