"""Whatever comes from partitions, in whatever interleaving and however often, is put in order."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.kafka.merge import Merge


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A log spread over partitions that are read in turns, each with runs that were sent again."""
    events = draw(st.integers(0, 60))
    partitions: list[list[int]] = [[] for _ in range(4)]
    for position in range(1, events + 1):
        partitions[draw(st.integers(0, 3))].append(position)
    for positions in partitions:
        for start, length in draw(
            st.lists(st.tuples(st.integers(0, 60), st.integers(1, 10)), max_size=3)
        ):
            again = positions[start : start + length]
            positions[start + length : start + length] = again
    arrived: list[int] = []
    while any(partitions):
        chosen = draw(st.sampled_from([one for one in partitions if one]))
        arrived.append(chosen.pop(0))
    return events, arrived


@given(arrivals(), st.integers(0, 60), st.integers(1, 7))
def test_every_position_is_handed_out_once_and_in_order(
    arrived: tuple[int, list[int]], after: int, limit: int
) -> None:
    events, order = arrived
    merge: Merge[str] = Merge(after)
    taken: list[str] = []
    for position in order:
        merge.add(position, f"event {position}")
        taken += merge.take(limit)
    while more := merge.take(limit):
        taken += more
    assert taken == [f"event {position}" for position in range(after + 1, events + 1)]
    assert (len(merge), merge.is_waiting) == (0, False)


def test_what_comes_after_a_gap_is_held_back() -> None:
    merge: Merge[int] = Merge(5)
    for position in (8, 7):
        merge.add(position, position)
    assert (merge.take(9), merge.is_waiting, len(merge), merge.highest) == ([], True, 2, 8)
    merge.add(6, 6)
    assert (merge.is_waiting, merge.take(2), merge.take(9), merge.next) == (False, [6, 7], [8], 9)
