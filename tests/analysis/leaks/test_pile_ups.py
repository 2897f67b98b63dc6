"""Threads or descriptors that grow steadily are a leak of their own name; pools that fill are none."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.leaks.pile_ups import PILES, find_pile_ups
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.series.prepare import prepare_grouped
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.verdict import Origin, Reason
from memanalysis.schema import COUNT_METRICS
from memanalysis.units import MIB

T = np.arange(60.0)


def judge(column, counts, *, rss_mib=None, every=2):
    """A reading of the count at every other second, of a process whose memory is flat unless given."""
    rss_mib = 80 + 0.001 * np.sin(T) if rss_mib is None else rss_mib
    samples = pd.DataFrame({"service": "api", "run_id": "r", "elapsed_s": T, "rss_bytes": rss_mib * MIB})
    samples[column] = np.where(np.arange(T.size) % every == 0, counts, np.nan)
    return assess_samples(samples).iloc[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "origin"), [("thread_count", "threads"), ("descriptor_count", "descriptors")], ids=["threads", "files"]
)
def test_a_count_that_grows_steadily_is_a_leak_of_its_own_name(column, origin):
    """One more every second from five on: 3,600 an hour."""
    verdict = judge(column, 5 + T)

    assert (verdict["is_leak"], verdict["metric"], verdict["origin"]) == (True, column, origin)
    assert verdict["slope_count_per_s"] == pytest.approx(1.0)
    assert verdict["sentence"].startswith(f"A leak: {origin} pile up, ")
    assert "3,600 an hour" in verdict["sentence"]
    assert verdict["latest_bytes"] == pytest.approx(80 * MIB, rel=1e-3)


@pytest.mark.parametrize(
    "counts",
    [
        np.full(T.size, 40.0),
        np.minimum(5 + 2 * T, 37),
        5 + np.floor(T / 12),
        20 + 10 * (np.arange(T.size) % 8 < 4),
        400 + 0.5 * T,
    ],
    ids=["flat", "a pool that fills", "a few more", "comes and goes", "little of many"],
)
def test_other_counts_are_no_leak(counts):
    verdict = judge("thread_count", counts)

    assert not verdict["is_leak"]
    assert np.isnan(verdict["growth_count"])


def test_a_count_that_was_read_a_few_times_says_nothing():
    assert not judge("descriptor_count", 5 + T, every=12)["is_leak"]


def test_threads_that_pile_up_beside_a_leak_of_memory_are_said_and_name_its_origin():
    verdict = judge("thread_count", 5 + T, rss_mib=80 + 0.5 * T)

    assert (verdict["metric"], verdict["origin"]) == ("rss_bytes", "threads")
    assert verdict["sentence"].startswith("A leak: grows by 1.8 GiB/h")
    assert "Its threads pile up." in verdict["sentence"]


def make_frame(n=1, **columns):
    """Verdicts on memory that does not leak, unless other columns are given."""
    row = {"is_leak": False, "metric": "rss_bytes", "shape": "stable", "severity": "none", "origin": "unknown"}
    row |= {"latest_bytes": 80.0 * MIB} | columns
    reasons = np.empty(n, dtype=object)
    reasons[:] = [(Reason.WITHIN_NOISE,)] * n
    frame = {name: np.full(n, value, dtype=object if isinstance(value, str) else None) for name, value in row.items()}
    return frame | {"reasons": reasons}


def prepare(*counts, every_s=2.0):
    """Counts that were read every so often, as a batch."""
    sizes = np.array([len(count) for count in counts])
    seconds = every_s * np.concatenate([np.arange(float(size)) for size in sizes])
    return prepare_grouped(sizes, seconds, np.concatenate(counts).astype(np.float64))


def find(frame, **batches):
    return find_pile_ups(frame, DEFAULT_THRESHOLDS, batches=batches)


SECONDS = 2.0 * np.arange(21)
"""Of 21 readings: from second 10 on, which are 30 s, growth is judged."""


def piles(counts, **options):
    """Whether threads of these counts pile up in a process whose memory does not leak."""
    found = find(make_frame(), thread_count=prepare(counts, **options))
    assert found["is_leak"][0] == ~np.isnan(found["growth_count"][0]) == ~np.isnan(found["slope_count_per_s"][0])
    return bool(found["is_leak"][0])


def test_each_count_has_an_origin_and_a_reason_of_its_own():
    assert set(PILES) == set(COUNT_METRICS)
    assert {origin for origin, _ in PILES.values()} <= set(get_args(Origin))
    assert len({reason for _, reason in PILES.values()}) == len(PILES)


def test_growth_and_rate_are_those_of_the_count_after_its_warm_up():
    """One more every two seconds is 15 more in 30 s."""
    found = find(make_frame(), thread_count=prepare(5 + SECONDS / 2))

    assert found["growth_count"][0] == pytest.approx(15)
    assert found["slope_count_per_s"][0] == pytest.approx(0.5)


@pytest.mark.parametrize(("slope", "is_much"), [(0.34, True), (0.32, False)])
def test_ten_more_are_a_pile(slope, is_much):
    """10.2 or 9.6 more in 30 s."""
    assert piles(5 + slope * SECONDS) is is_much


@pytest.mark.parametrize(("start", "is_much"), [(109, True), (111, False)])
def test_a_quarter_more_is_a_pile(start, is_much):
    """30 more in 30 s, of 119 or of 121 at second 10."""
    assert piles(start + SECONDS) is is_much


@pytest.mark.parametrize(("n", "is_enough"), [(10, True), (9, False)])
def test_ten_readings_show_a_pile(n, is_enough):
    assert piles(5 + 10 * np.arange(n), every_s=3.0) is is_enough


@pytest.mark.parametrize(("every_s", "is_enough"), [(2.0, True), (1.9, False)])
def test_twenty_seconds_show_a_pile(every_s, is_enough):
    assert piles(5 + 10 * np.arange(11), every_s=every_s) is is_enough


@pytest.mark.parametrize(
    "counts",
    [
        100 - SECONDS,
        np.minimum(5 + 2 * SECONDS, 55),
        np.where(SECONDS < 25, 5.0, 45.0),
        np.full(21, np.nan),
        [50.0],
        [],
    ],
    ids=["falls", "fills up by second 25", "steps at second 25", "unknown", "one reading", "none"],
)
def test_what_does_not_grow_to_its_end_is_no_pile(counts):
    assert not piles(np.asarray(counts, dtype=np.float64))


@pytest.mark.parametrize("metric", COUNT_METRICS)
def test_a_pile_alone_is_a_leak_whose_bytes_stay_those_of_the_memory(metric):
    found = find(make_frame(), **{metric: prepare(5 + SECONDS)})

    origin, reason = PILES[metric]
    row = {name: column[0] for name, column in found.items()}
    assert (row["is_leak"], row["metric"], row["origin"]) == (True, metric, origin)
    assert (row["shape"], row["severity"], row["reasons"]) == ("growing", "medium", (reason,))
    assert row["latest_bytes"] == 80 * MIB


@pytest.mark.parametrize(
    ("metric", "before", "after"),
    [
        ("thread_count", "unknown", "threads"),
        ("thread_count", "native", "threads"),
        ("thread_count", "python", "python"),
        ("descriptor_count", "unknown", "descriptors"),
        ("descriptor_count", "native", "native"),
        ("descriptor_count", "fragmentation", "fragmentation"),
    ],
)
def test_beside_a_leak_of_memory_a_pile_is_added_and_explains_what_it_can(metric, before, after):
    """The stacks of threads are native memory, and descriptors take next to none."""
    given = {"is_leak": True, "shape": "growing", "severity": "critical"}
    found = find(make_frame(origin=before, **given), **{metric: prepare(5 + SECONDS)})

    row = {name: column[0] for name, column in found.items()}
    assert row["origin"] == after
    assert (row["is_leak"], row["metric"], row["severity"]) == (True, "rss_bytes", "critical")
    assert row["reasons"] == (Reason.WITHIN_NOISE, PILES[metric][1])
    assert row["growth_count"] == pytest.approx(30)


def test_a_pile_alone_takes_the_place_of_any_origin_of_what_is_no_leak():
    found = find(make_frame(origin="copy-on-write", metric="uss_bytes"), descriptor_count=prepare(5 + SECONDS))

    assert (found["origin"][0], found["metric"][0]) == ("descriptors", "descriptor_count")


def test_where_both_pile_up_threads_are_the_metric_and_descriptors_are_added():
    found = find(make_frame(), descriptor_count=prepare(5 + 3 * SECONDS), thread_count=prepare(5 + SECONDS))

    assert (found["metric"][0], found["origin"][0]) == ("thread_count", "threads")
    assert found["reasons"][0] == (Reason.THREADS_PILE_UP, Reason.DESCRIPTORS_PILE_UP)
    assert found["slope_count_per_s"][0] == pytest.approx(1.0)


def test_each_row_is_judged_by_its_own_counts_and_no_input_is_changed():
    frame, flat, none = make_frame(4), np.full(21, 9.0), np.zeros(0)

    found = find(
        frame,
        thread_count=prepare(5 + SECONDS, flat, flat, none),
        descriptor_count=prepare(flat, flat, 5 + 2 * SECONDS, none),
    )

    assert found["origin"].tolist() == ["threads", "unknown", "descriptors", "unknown"]
    assert found["metric"].tolist() == ["thread_count", "rss_bytes", "descriptor_count", "rss_bytes"]
    assert found["is_leak"].tolist() == [True, False, True, False]
    assert found["slope_count_per_s"] == pytest.approx([1.0, np.nan, 2.0, np.nan], nan_ok=True)
    assert frame["origin"].tolist() == ["unknown"] * 4
    assert frame["reasons"].tolist() == [(Reason.WITHIN_NOISE,)] * 4
    assert not frame["is_leak"].any()


def test_without_counts_the_verdicts_stay():
    frame = make_frame(2)
    for batches in ({}, {"rss_bytes": prepare(5 + SECONDS, 5 + SECONDS)}, {"thread_count": prepare([], [])}):
        found = find(frame, **batches)

        assert np.isnan(found["growth_count"]).all()
        assert np.isnan(found["slope_count_per_s"]).all()
        assert all(found[name] is column for name, column in frame.items())
