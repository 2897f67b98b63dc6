"""Groups are those of the standard library, to the byte, however the tracebacks are shared."""

import tracemalloc
from _tracemalloc import _get_traces
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.capture import grouping
from memanalysis.capture.grouping import group_traces


def totals_by_statistics(traces):
    """The standard library's answer: ``Snapshot.statistics`` on the same raw traces."""
    snapshot = tracemalloc.Snapshot(traces, 25)
    return Counter({tuple(reversed([(f.filename, f.lineno) for f in stat.traceback])): (stat.size, stat.count)
                    for stat in snapshot.statistics("traceback")})  # fmt: skip


def totals_by_grouping(traces):
    return Counter({frames: (size, count) for frames, size, count in group_traces(traces)})


def allocate(depth):
    if depth:
        return allocate(depth - 1)
    return [bytes(number) for number in range(0, 3000, 7)] + [object() for _ in range(50)] + [{}]


def test_real_traces_group_as_statistics_does():
    tracemalloc.start(25)
    kept = [allocate(depth) for depth in (0, 3, 10)]
    traces = _get_traces()
    tracemalloc.stop()

    assert totals_by_grouping(traces) == totals_by_statistics(traces)
    assert len(kept) == 3


def test_stacks_cut_at_different_depths_count_as_one_site():
    """With two frames kept, a recursion is the same traceback from any depth, as for the standard library."""
    tracemalloc.start(2)
    kept = [allocate(depth) for depth in (5, 6, 7)]
    traces = _get_traces()
    tracemalloc.stop()

    assert totals_by_grouping(traces) == totals_by_statistics(traces)
    assert len(kept) == 3


FRAMES = st.lists(st.tuples(st.sampled_from(["a.py", "b.py", "<string>"]), st.integers(0, 5)), min_size=1, max_size=4)


@given(
    tracebacks=st.lists(FRAMES.map(tuple), min_size=1, max_size=400, unique=True),
    picks=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 2**40)), max_size=400),
)
@settings(max_examples=60, deadline=None)
def test_any_traces_group_as_statistics_does(tracebacks, picks):
    traces = [
        (0, size, tracebacks[pick % len(tracebacks)], len(tracebacks[pick % len(tracebacks)])) for pick, size in picks
    ]

    assert totals_by_grouping(traces) == totals_by_statistics(traces)


def test_more_groups_than_one_byte_counts_are_kept_apart():
    """70,000 tracebacks need three bytes of the group number."""
    tracebacks = [((f"{number}.py", 1),) for number in range(70_000)]
    traces = [(0, 8, frames, 1) for frames in tracebacks] * 2

    groups = group_traces(traces)

    assert len(groups) == 70_000
    assert {(size, count) for _, size, count in groups} == {(16, 2)}


def test_frames_that_marshal_cannot_write_are_grouped_one_by_one():
    frames = ((FileName("a.py"), 1),)

    assert grouping._group_in_bulk([(0, 5, frames, 1)]) is None
    assert group_traces([(0, 5, frames, 1), (0, 6, frames, 1)]) == [(frames, 11, 2)]


def test_no_traces_are_no_groups():
    assert group_traces([]) == []


class FileName(str):
    """A text of its own kind."""
