"""What the C allocator holds free is named with its cure where it is much, and only there."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.run_verdicts import assess_samples
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
