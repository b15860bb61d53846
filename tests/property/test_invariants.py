"""Every history that the domain can write keeps every rule of the oracle."""

from hypothesis import given
from hypothesis import strategies as st

from projections.invariants import violations
from tests.support.simulated_log import HOLD, SimulatedLog
from tests.support.simulated_work import ACCOUNTS, STEPS, Step, write


@given(
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 2_000)), max_size=80),
    st.integers(1, 6),
)
def test_what_the_domain_decides_breaks_no_rule(steps: list[Step], credit: int) -> None:
    log = SimulatedLog()
    log.publish_prices()
    log.grant(ACCOUNTS[0], credit * HOLD)
    write(log, steps)
    statuses = {job_id: job.status for job_id, job in log.jobs.items()}
    recorded = list(log.recorded())
    assert not violations(recorded, wallets=log.wallets, job_statuses=statuses)
