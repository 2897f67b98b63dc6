"""Private memory that grows while resident memory is flat is copying, and no leak; else the verdict stays."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.units import MIB

T = np.arange(60.0)
FLAT = np.full(T.size, 80.0)
COPIED = 15 + 40 * (1 - np.exp(-T / 20))


def judge(rss_mib, uss_mib, *, every=3):
    """RSS each second, private memory at every third sample."""
    samples = pd.DataFrame({"service": "api", "run_id": "r", "elapsed_s": T, "rss_bytes": rss_mib * MIB})
    samples["uss_bytes"] = np.where(np.arange(T.size) % every == 0, uss_mib * MIB, np.nan)
    return assess_samples(samples).iloc[0]


@pytest.mark.slow
@pytest.mark.parametrize("copied", [COPIED, 15 + 0.5 * T], ids=["to a limit", "steadily"])
def test_shared_memory_that_becomes_private_is_copy_on_write(copied):
    verdict = judge(FLAT, copied)

    assert (verdict["shape"], verdict["origin"], verdict["metric"]) == ("growing", "copy-on-write", "uss_bytes")
    assert not verdict["is_leak"]
    assert verdict["severity"] == "none"
    assert verdict["growth_bytes"] == pytest.approx((copied[54] - copied[0]) * MIB)
    assert "gc.freeze()" in verdict["sentence"]


def test_a_leak_whose_private_memory_grows_along_is_a_leak():
    verdict = judge(80 + 0.5 * T, 15 + 0.5 * T)

    assert (verdict["is_leak"], verdict["metric"]) == (True, "rss_bytes")
    assert verdict["origin"] != "copy-on-write"


@pytest.mark.parametrize(
    ("rss", "uss"),
    [
        (FLAT, np.full(T.size, 60.0)),
        (FLAT, 60 + 0.01 * T),
        (FLAT, 60 - 0.5 * T),
        (FLAT, np.where(T < 30, 5.0, 70.0)),
        (80 + 20 * (1 - np.exp(-T / 10)), 60 + 20 * (1 - np.exp(-T / 10))),
    ],
    ids=["flat", "too little", "falls", "at once, as a child ends", "a warm-up of both"],
)
def test_other_movements_of_private_memory_change_nothing(rss, uss):
    verdict = judge(rss, uss)

    assert (verdict["origin"], verdict["metric"]) == ("unknown", "rss_bytes")
    assert not verdict["is_leak"]


def test_two_readings_of_private_memory_say_nothing():
    assert judge(FLAT, COPIED, every=50)["origin"] == "unknown"
