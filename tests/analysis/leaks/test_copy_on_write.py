"""Private memory that grows while resident memory is flat is copying, and no leak; else the verdict stays."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.leaks.copy_on_write import find_copy_on_write
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.series.prepare import prepare_grouped
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.verdict import Reason
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


def make_frame(*is_leak):
    """Verdicts on RSS, as the step before returns them."""
    n = len(is_leak)
    reasons = np.empty(n, dtype=object)
    reasons[:] = [(Reason.TOO_SMALL,)] * n
    words = {"shape": "stable", "origin": "unknown", "severity": "low", "metric": "rss_bytes"}
    numbers = ["slope_bytes_per_s", "low_bytes_per_s", "high_bytes_per_s", "growth_bytes", "growth_percent"]
    numbers += ["latest_bytes", "time_to_exhaustion_s", "time_to_exhaustion_low_s"]
    return (
        {name: np.array([word] * n) for name, word in words.items()}
        | {name: np.full(n, 7.0) for name in numbers}
        | {"is_leak": np.array(is_leak, dtype=bool), "reasons": reasons}
    )


def prepare(*series_mib, times=None):
    """Series of one sample a second unless other times are given, in MiB, as a batch."""
    counts = np.array([len(values) for values in series_mib])
    seconds = np.concatenate([np.arange(float(count)) for count in counts]) if times is None else np.array(times)
    return prepare_grouped(counts, seconds, np.concatenate(series_mib) * float(MIB))


def find(private_mib, resident_mib, *, is_leak=False):
    """By how many MiB private memory was found to be copied; 0 where that is not what happened."""
    batches = {"uss_bytes": prepare(private_mib), "rss_bytes": prepare(resident_mib)}
    found = find_copy_on_write(make_frame(is_leak), DEFAULT_THRESHOLDS, batches=batches)
    assert (found["origin"][0] == "copy-on-write") == (found["copied_bytes"][0] > 0)
    return found["copied_bytes"][0] / MIB


LEVEL = np.full(20, 100.0)
STEPS = np.array([20.0, 30, 40, 50, 60, 60, 60])
"""MiB of private memory: 40 MiB in four steps of 10 MiB."""


def test_a_row_that_copies_is_described_by_its_private_memory_and_the_others_stay():
    """4 MiB a second from 20 MiB: by 36 MiB to the middle of the last three, which is 56; the last is 60."""
    line = 20 + 4 * np.arange(11.0)
    batches = {
        "rss_bytes": prepare(LEVEL, LEVEL, LEVEL),
        "uss_bytes": prepare(np.full(11, 20.0), line, np.full(11, np.nan)),
    }
    frame = make_frame(True, True, False)
    given = {name: column.copy() for name, column in frame.items()}

    found = find_copy_on_write(frame, DEFAULT_THRESHOLDS, batches=batches)

    row = {name: column[1] for name, column in found.items()}
    assert (row["shape"], row["origin"], row["severity"]) == ("growing", "copy-on-write", "none")
    assert (row["metric"], row["is_leak"], row["reasons"]) == ("uss_bytes", False, (Reason.COPIES_ON_WRITE,))
    assert row["slope_bytes_per_s"] == pytest.approx(4 * MIB)
    assert row["low_bytes_per_s"] == pytest.approx(4 * MIB)
    assert row["high_bytes_per_s"] == pytest.approx(4 * MIB)
    assert (row["growth_bytes"], row["latest_bytes"]) == (36 * MIB, 60 * MIB)
    assert row["growth_percent"] == pytest.approx(150)  # 36 of 24
    assert np.isnan([row["time_to_exhaustion_s"], row["time_to_exhaustion_low_s"]]).all()
    assert found["copied_bytes"].tolist() == [0, 36 * MIB, 0]
    assert all(found[name][0] == column[0] and found[name][2] == column[2] for name, column in given.items())
    assert all(frame[name].tolist() == column.tolist() for name, column in given.items())


@pytest.mark.parametrize(
    "batches",
    [
        {},
        {"rss_bytes": prepare(LEVEL)},
        {"uss_bytes": prepare(STEPS)},
        {"rss_bytes": prepare(LEVEL), "uss_bytes": prepare(np.full(7, np.nan))},
        {"rss_bytes": prepare(np.zeros(0)), "uss_bytes": prepare(STEPS)},
        {"rss_bytes": prepare(LEVEL[:1]), "uss_bytes": prepare(STEPS)},
    ],
    ids=["neither", "no private", "no resident", "unknown private", "empty resident", "one resident"],
)
def test_without_readings_of_both_nothing_is_found(batches):
    frame = make_frame(False)

    found = find_copy_on_write(frame, DEFAULT_THRESHOLDS, batches=batches)

    assert found["copied_bytes"].tolist() == [0.0]
    assert all(found[name] is column for name, column in frame.items())


@pytest.mark.parametrize(
    ("private", "level", "copied"),
    [
        ([20, 22, 24, 26, 28, 28, 28], 100, 8),
        ([20, 22, 24, 26, 27.9, 27.9, 27.9], 100, 0),
        ([20, 25, 30, 35, 40.1, 40.1, 40.1], 1000, 20.1),
        ([20, 25, 30, 35, 39.9, 39.9, 39.9], 1000, 0),
    ],
    ids=["8 MiB", "less than 8 MiB", "2 % of the level", "less than 2 % of the level"],
)
def test_what_is_copied_is_at_least_8_mib_and_2_percent_of_what_is_resident(private, level, copied):
    assert find(private, np.full(7, float(level))) == pytest.approx(copied)


@pytest.mark.parametrize(
    ("is_leak", "rise", "copied"), [(False, 10, 40), (False, 10.5, 0), (True, 4, 40), (True, 4.5, 0)]
)
def test_resident_memory_rises_by_a_quarter_of_it_at_most_and_that_of_a_leak_by_a_tenth(is_leak, rise, copied):
    assert find(STEPS, 100 + rise * (STEPS - 20) / 40, is_leak=is_leak) == copied


@pytest.mark.parametrize(
    ("private", "copied"),
    [
        ([20, 60, 60, 60, 60, 60], 0),
        ([20, 57, 58, 59, 60, 60, 60], 0),
        ([20, 56, 57, 58, 60, 60, 60], 40),
        ([20, 40, 60, 60, 60, 60], 0),
        ([20, 40, 59.3, 60, 60, 60], 0),
        ([20, 40, 59, 60, 60, 60], 40),
    ],
    ids=["one step", "3 of 40 beside it", "4 of 40 beside it", "two steps", "the third is too small", "three steps"],
)
def test_copying_goes_in_three_steps_or_more_and_a_tenth_of_it_beside_the_largest(private, copied):
    """A step that counts is 2 % of 40 MiB, which is 0.8 MiB."""
    assert find(private, LEVEL) == copied


@pytest.mark.parametrize(("low", "copied"), [(46, 40), (45, 0)])
def test_what_is_copied_falls_by_a_tenth_at_most(low, copied):
    assert find([20, 30, 40, 50, low, 60, 60, 60], LEVEL) == copied


def test_copying_is_measured_from_where_most_is_shared():
    """A master loads from 20 to 50 MiB of its own, forks, which leaves it 30, and copies up to 70 MiB."""
    private = np.concatenate([[20, 30, 40, 50], 10 + STEPS])
    resident = np.concatenate([[60, 75, 90, 105], np.full(7, 110.0)])

    assert find(private, resident) == 40


@pytest.mark.parametrize(
    ("private", "copied"),
    [([20, 30, 50, 60, 61], 40), ([20, 40, 60, 61], 0), ([50, 50, 26, 46, 66, 67], 0)],
    ids=["five", "four", "four since most was shared"],
)
def test_fewer_than_five_readings_show_no_copying(private, copied):
    assert find(private, LEVEL) == copied


@pytest.mark.parametrize("highest", [110.0, 130.0])
def test_resident_memory_is_taken_at_the_seconds_of_the_private_readings(highest):
    """Between readings at 0 and 600 s it rises evenly: by a tenth of its rise from second 0 to 60, and by less."""
    batches = {
        "uss_bytes": prepare(STEPS, times=10.0 * np.arange(7)),
        "rss_bytes": prepare([100.0, highest], times=[0.0, 600.0]),
    }

    found = find_copy_on_write(make_frame(True), DEFAULT_THRESHOLDS, batches=batches)

    assert found["copied_bytes"].tolist() == [40 * MIB]
