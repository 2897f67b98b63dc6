"""Threads or descriptors that grow steadily are a leak of their own name; pools that fill are none."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.run_verdicts import assess_samples
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
    assert "3.6e+03 an hour" in verdict["sentence"]
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
