"""Commands to a job that is there: decided on its events as they were read."""

from api.auth import Caller
from api.histories import History, folded
from api.ports import ApiPorts
from domain.execute import execute
from domain.inference.commands import JobCommand
from domain.inference.decide import decide, stream_of
from domain.inference.state import evolve


async def carry_out(ports: ApiPorts, caller: Caller, history: History, command: JobCommand) -> None:
    """Records what the command brings about. Raises `Conflict` where the job does not allow it."""
    job = folded(history)
    await execute(
        ports.store,
        job.job_id,
        command,
        caller.origin(),
        decide=decide,
        evolve=evolve,
        stream_of=stream_of,
        known=(job, len(history)),
    )
