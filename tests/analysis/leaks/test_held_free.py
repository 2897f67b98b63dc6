"""What the C allocator holds free is named with its cure where it is much, and only there."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.analysis.leaks.held_free import find_held_free
from memanalysis.analysis.leaks.origin import RunSamples
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.verdict import Reason
from memanalysis.units import MIB

T = np.arange(60.0)


def judge(free_mib, rss_mib=100.0):
    samples = pd.DataFrame({"service": "api", "run_id": "r", "elapsed_s": T})
    samples["rss_bytes"] = (rss_mib + 0.001 * np.sin(T)) * MIB
    samples["allocator_free_bytes"] = np.where(T % 10 == 0, free_mib * MIB, np.nan)
    return assess_samples(samples).iloc[0]


@pytest.mark.slow
def test_much_free_memory_of_a_process_that_does_not_leak_is_fragmentation_with_its_cure():
    verdict = judge(60.0)

    assert (verdict["is_leak"], verdict["origin"], verdict["shape"]) == (False, "fragmentation", "stable")
    assert verdict["allocator_free_bytes"] == 60 * MIB
    assert "Up to 60.0 MiB of its resident memory are free in the C allocator" in verdict["sentence"]
    assert "MALLOC_ARENA_MAX=2" in verdict["sentence"]


def test_pages_that_were_given_back_do_not_count_twice():
    """The allocator counts them as free, and they are not resident."""
    assert judge(500.0)["allocator_free_bytes"] == pytest.approx(100 * MIB, rel=1e-3)


@pytest.mark.parametrize(("free_mib", "rss_mib"), [(8.0, 20.0), (60.0, 900.0), (np.nan, 100.0)])
def test_little_or_unknown_free_memory_changes_nothing(free_mib, rss_mib):
    assert judge(free_mib, rss_mib)["origin"] == "unknown"


def make_frame(n=1, **columns):
    """Verdicts of processes of 100 MiB that do not leak, unless other columns are given."""
    row = {"is_leak": False, "metric": "rss_bytes", "origin": "unknown", "latest_bytes": 100.0 * MIB} | columns
    reasons = np.empty(n, dtype=object)
    reasons[:] = [(Reason.WITHIN_NOISE,)] * n
    frame = {name: np.full(n, value, dtype=object if isinstance(value, str) else None) for name, value in row.items()}
    return frame | {"reasons": reasons}


def make_samples(*runs):
    """Readings of each run: pairs of second and MiB."""
    rows = [pair for run in runs for pair in run]
    return RunSamples(
        frame=pd.DataFrame({"allocator_free_bytes": [free_mib * MIB for _, free_mib in rows]}, dtype=np.float64),
        counts=np.array([len(run) for run in runs], dtype=np.int64),
        elapsed_s=np.array([second for second, _ in rows], dtype=np.float64),
    )


def find(*runs, **columns):
    return find_held_free(make_frame(len(runs), **columns), DEFAULT_THRESHOLDS, samples=make_samples(*runs))


def read_mib(*runs):
    return (find(*runs)["allocator_free_bytes"] / MIB).tolist()


@given(order=st.permutations([(0, 9.0), (1, 90.0), (2, 10.0), (3, 80.0), (4, np.nan), (5, 30.0), (6, np.inf)]))
@settings(max_examples=30, deadline=None)
def test_the_middle_of_the_last_three_known_readings_counts_in_any_order_of_rows(order):
    """They are 10, 80 and 30 MiB."""
    assert read_mib(order) == [30.0]


def test_one_or_two_readings_count_as_they_are():
    assert read_mib([(0, 30.0)], [(0, 30.0), (1, 50.0)]) == [30.0, 40.0]


def test_each_run_has_its_own_readings_and_none_is_unknown():
    found = read_mib([(0, 10.0), (1, 12.0), (2, 14.0)], [], [(0, np.nan)], [(5, 20.0), (4, 99.0), (6, 21.0), (7, 22.0)])

    assert found == pytest.approx([12.0, np.nan, np.nan, 21.0], nan_ok=True)


def test_without_samples_or_their_column_nothing_is_known_and_all_stays():
    frame = make_frame(2)
    no_column = RunSamples(frame=pd.DataFrame(index=range(3)), counts=np.array([1, 2]), elapsed_s=np.arange(3.0))
    for samples in (None, no_column):
        found = find_held_free(frame, DEFAULT_THRESHOLDS, samples=samples)

        assert np.isnan(found["allocator_free_bytes"]).all()
        assert all(found[name] is column for name, column in frame.items())


def test_no_run_at_all_gives_no_row():
    found = find_held_free(make_frame(0), DEFAULT_THRESHOLDS, samples=make_samples())

    assert found["allocator_free_bytes"].size == 0


@pytest.mark.parametrize(
    ("free_mib", "level_mib", "is_much"),
    [
        (16, 40, True),
        (15.99, 40, False),
        (16, 80, True),
        (20, 100, True),
        (19.99, 100, False),
        (500, 16, True),
        (500, 15.99, False),
        (500, np.nan, False),
    ],
)
def test_much_is_16_mib_and_a_fifth_of_the_level_and_no_more_than_is_resident(free_mib, level_mib, is_much):
    found = find([(0, free_mib)], latest_bytes=level_mib * MIB)

    assert found["origin"].tolist() == ["fragmentation" if is_much else "unknown"]
    assert (Reason.FREE_IN_ALLOCATOR in found["reasons"][0]) is is_much
    assert found["allocator_free_bytes"][0] == pytest.approx(np.minimum(free_mib, level_mib) * MIB, nan_ok=True)


@pytest.mark.parametrize(
    ("columns", "origin", "is_named"),
    [
        ({}, "fragmentation", True),
        ({"is_leak": True, "origin": "fragmentation"}, "fragmentation", True),
        ({"is_leak": True}, "unknown", False),
        ({"is_leak": True, "origin": "native"}, "native", False),
        ({"origin": "copy-on-write"}, "copy-on-write", False),
        ({"metric": "traced_bytes"}, "unknown", False),
        ({"metric": "traced_bytes", "is_leak": True, "origin": "fragmentation"}, "fragmentation", False),
    ],
    ids=str,
)
def test_it_is_named_for_resident_memory_that_nothing_else_explains(columns, origin, is_named):
    found = find([(0, 60.0)], **columns)

    assert found["origin"].tolist() == [origin]
    assert found["reasons"][0] == (Reason.WITHIN_NOISE, Reason.FREE_IN_ALLOCATOR)[: 1 + is_named]
    assert found["is_leak"].tolist() == [columns.get("is_leak", False)]


def test_only_the_rows_with_much_free_memory_change_and_no_input_does():
    frame = make_frame(3)

    samples = make_samples([(0, 5.0)], [(0, 60.0)], [])
    found = find_held_free(frame, DEFAULT_THRESHOLDS, samples=samples)

    assert found["origin"].tolist() == ["unknown", "fragmentation", "unknown"]
    assert [len(reasons) for reasons in found["reasons"]] == [1, 2, 1]
    assert frame["origin"].tolist() == ["unknown"] * 3
    assert [len(reasons) for reasons in frame["reasons"]] == [1, 1, 1]
    assert "allocator_free_bytes" not in frame
