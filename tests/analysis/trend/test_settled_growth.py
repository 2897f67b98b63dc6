"""What Python holds settles whether resident memory really slows down."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.units import MIB

T = np.arange(120.0)
BENDS = 100 + 5 * np.sqrt(T)
"""MiB of RSS that grows ever more slowly, as the allocator fills holes."""


def judge(rss_mib, sampled_mib):
    samples = pd.DataFrame(
        {"service": "api", "run_id": "r", "elapsed_s": T, "rss_bytes": rss_mib * MIB, "sampled_bytes": sampled_mib}
    )
    samples["sampled_bytes"] *= MIB
    return assess_samples(samples).iloc[0]


@pytest.mark.slow
def test_sampled_bytes_that_grow_steadily_make_rss_that_bends_a_leak_of_rss():
    verdict = judge(BENDS, 10 + 0.3 * T)

    assert (verdict["shape"], verdict["is_leak"], verdict["metric"]) == ("growing", True, "rss_bytes")
    assert verdict["latest_bytes"] == pytest.approx(BENDS[-1] * MIB)
    assert verdict["reasons"].startswith("python_grows")
    assert "and the memory of Python's objects grows steadily." in verdict["sentence"]


@pytest.mark.parametrize(
    "sampled",
    [10 + 5 * np.sqrt(T), 10 + 0.01 * T, np.full(T.size, 10.0), np.full(T.size, np.nan)],
    ids=["bend too", "too little", "flat", "unknown"],
)
def test_other_sampled_bytes_leave_the_verdict_as_it_is(sampled):
    verdict = judge(BENDS, sampled)

    assert (verdict["shape"], verdict["is_leak"]) == ("slowing", False)


def test_sampled_bytes_alone_raise_no_alarm_where_rss_keeps_still():
    rss_mib = 100 + np.random.default_rng(0).normal(size=T.size)

    assert not judge(rss_mib, 10 + 0.3 * T)["is_leak"]


CREEP = 60 + 0.012 * T + 0.02 * np.random.default_rng(1).normal(size=T.size)
"""MiB of RSS at the height of a heap that swings: 1.1 MiB more in the part that is judged."""

SWING = 10 + 3.0 * (T % 10)
"""MiB of Python objects that are collected every ten seconds."""


def test_rss_that_creeps_up_by_little_beside_a_swing_of_python_is_no_leak():
    verdict = judge(CREEP, SWING)

    assert (verdict["shape"], verdict["is_leak"], verdict["reasons"]) == ("inconclusive", False, "creeps")
    assert verdict["sentence"].startswith("Growing, but no leak was shown: needs growth by more than 1.")


@pytest.mark.parametrize(
    ("rss", "sampled"),
    [
        (CREEP, SWING / 10),
        (CREEP, SWING / 10 + 0.3 * T),
        (60 + 0.1 * T, SWING),
        (CREEP, np.full(T.size, np.nan)),
        (CREEP, np.where(T < 70, 140.0, 70.0)),
        (CREEP, np.where(T < 70, 70.0, 140.0)),
        (CREEP, 140 - 0.4 * T),
    ],
    ids=["small swing", "sampled grows", "part of the swing", "unknown", "step down", "step up", "shrinks"],
)
def test_other_growth_beside_a_swing_is_a_leak(rss, sampled):
    assert judge(rss, sampled)["is_leak"]


def test_growth_that_is_too_little_for_its_time_is_not_settled():
    """By 0.5 MiB of 60 in 80 s, which may be the allocator's alone."""
    rng = np.random.default_rng(4)
    seconds = T[:80]
    frame = pd.DataFrame({"service": "api", "run_id": "r", "elapsed_s": seconds})
    frame["rss_bytes"] = (60 + 0.009 * seconds + rng.normal(0, 0.005, 80)) * MIB
    frame["sampled_bytes"] = (2 + 0.006 * seconds) * MIB

    assert not assess_samples(frame).iloc[0]["is_leak"]
