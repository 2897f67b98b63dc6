"""The last step: each reason has its sentence, whole sentences written by hand."""

from typing import Any

import numpy as np
import pytest

from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, SeriesThresholds, Thresholds
from memanalysis.analysis.verdict import Reason
from memanalysis.analysis.verdict_sentence import write_sentence
from memanalysis.units import MIB

ROW = {
    "slope_bytes_per_s": 2.0 * MIB,
    "low_bytes_per_s": 1.5 * MIB,
    "high_bytes_per_s": 2.5 * MIB,
    "growth_bytes": 3.0 * MIB,
    "judged_s": 80.0,
    "windows": 7,
    "n_samples": 3,
    "onset_s": 600.0,
    "latest_bytes": 512.0 * MIB,
    "duration_s": 100.0,
    "metric": "thread_count",
    "growth_count": 36.0,
    "slope_count_per_s": 0.5,
    "allocator_free_bytes": 48.0 * MIB,
    "process_count": 5.0,
    "growing_count": 2.0,
    "held_by": "app.registry -> dict -> app.Session",
    "limit_bytes": 512.0 * MIB,
    "time_to_exhaustion_s": 7200.0,
    "window_rss_growth_bytes": 12.0 * MIB,
    "window_retained_bytes": 0.0,
    "responsible_file": "/srv/app/registry.py",
    "responsible_line": 5,
    "responsible_function": "remember",
    "responsible_share": 0.94,
    "allocated_file": "C:\\app\\maker.py",
    "allocated_line": 10,
    "allocated_function": None,
    "allocated_share": 0.631,
    "accepted_until": "2027-01-31",
    "accepted_reason": "fixed in 2.4.",
}


def write(*reasons: Reason, thresholds: Thresholds = DEFAULT_THRESHOLDS, **changed: Any) -> tuple[str, str | None]:
    frame: dict[str, Any] = {name: np.array([cell], dtype=object) for name, cell in (ROW | changed).items()}
    frame["reasons"] = np.empty(1, dtype=object)
    frame["reasons"][0] = reasons
    written = write_sentence(frame, thresholds)
    assert "sentence" not in frame
    return written["sentence"][0], written["missing"][0]


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (Reason.LEVELS_OFF, "Rose and is levelling off, as a warm-up or a filling cache does: no leak was shown."),
        (Reason.STEPS, "Changed in steps and kept still between them: no leak was shown."),
        (Reason.SWINGS, "Swings up and down and its baseline does not rise: no leak was shown."),
        (Reason.SHRINKS, "Shrinks: no leak was shown."),
        (Reason.WITHIN_NOISE, "Stable: its trend over 1.3 min is +3.0 MiB, within its noise."),
        (Reason.TOO_SMALL, "Stable: its trend over 1.3 min is +3.0 MiB, too little to matter."),
        (
            Reason.RISES_IN_EACH_WINDOW,
            "A leak: grows by 7.0 GiB/h (5.3 to 8.8), and its baseline rises in each of 7 windows.",
        ),
        (
            Reason.GROWS_SINCE_ONSET,
            "A leak: grows by 7.0 GiB/h (5.3 to 8.8), and its baseline rises in each of 7 windows, "
            "since 10.0 min into the run; it was flat before.",
        ),
        (
            Reason.GROWS_ON,
            "A leak: grows by 7.0 GiB/h (5.3 to 8.8). A part of the record shows it, and it has grown on since.",
        ),
        (
            Reason.PYTHON_GROWS,
            "A leak: grows by 7.0 GiB/h (5.3 to 8.8), and the memory of Python's objects grows steadily.",
        ),
        (
            Reason.SLOWS_DOWN,
            "Grows, but ever more slowly: by 7.0 GiB/h on the mean, as a cache that fills does: not yet a leak.",
        ),
        (Reason.AT_LIMIT, "It is at its limit of 512 MiB."),
        (Reason.REACHES_LIMIT, "It reaches its limit of 512 MiB in about 2.0 h."),
        (
            Reason.NATIVE_IN_WINDOWS,
            "Native code: in the traced windows Python retains 0 B of the 12.0 MiB by which RSS grew.",
        ),
        (Reason.NATIVE_BY_SURVIVORS, "Native code: in the traced windows Python retains 0 B."),
        (Reason.ALLOCATED_BY_LINE, "94% of the traced growth comes from app/registry.py:5 in remember."),
        (
            Reason.ALLOCATED_FOR_LINE,
            "94% of the traced growth comes from app/registry.py:5 in remember, which allocates it in app/maker.py:10.",
        ),
        (
            Reason.COPIES_ON_WRITE,
            "No leak of code: 3.0 MiB that were shared with another process became its own (copy-on-write), while its "
            "resident memory is flat. Call gc.freeze() before the fork, or keep the data in arrays.",
        ),
        (
            Reason.SHARES_PAGES,
            "No leak: it grew by 3.0 MiB of memory that it shares with other processes, and that each of them counts; "
            "its private memory and the sum over all of them are flat.",
        ),
        (
            Reason.MORE_PROCESSES,
            "No leak by itself: the memory of the family grew by 3.0 MiB because there are more processes, 5 in all, "
            "and each keeps its size.",
        ),
        (Reason.GROWS_IN_MASTER, "This is the sum over 5 processes: the master grows."),
        (Reason.GROWS_IN_EACH_WORKER, "This is the sum over 5 processes: each worker grows alike."),
        (
            Reason.GROWS_IN_SHARED_MEMORY,
            "This is the sum over 5 processes: the memory that they share grows, and what each has for itself grows "
            "less.",
        ),
        (
            Reason.GROWS_WITH_SUCCESSORS,
            "This is the sum over 5 processes: those that start later are larger, while each grows little.",
        ),
        (Reason.GROWS_IN_SOME_WORKERS, "This is the sum over 5 processes: 2 of them grow."),
        (Reason.THREADS_PILE_UP, "A leak: threads pile up, 36 more after warm-up, 1,800 an hour."),
        (
            Reason.DESCRIPTORS_PILE_UP,
            "Its descriptors pile up. Close files, sockets and pipes, best in a with statement.",
        ),
        (
            Reason.FREE_IN_ALLOCATOR,
            "Up to 48.0 MiB of its resident memory are free in the C allocator: memanalysis.trim() gives them back, "
            "MALLOC_ARENA_MAX=2 or jemalloc keeps them few.",
        ),
        (Reason.HELD_BY_CHAIN, "Held by app.registry -> dict -> app.Session."),
        (Reason.DRIFTS, "Drifts: it grew by 3.0 MiB, 1,400 % an hour, too little to be called a leak."),
        (
            Reason.RETAINED_BY_LINE,
            "It is probably retained by app/registry.py:5 in remember, where a container grew along with it. "
            "63% of the traced growth is allocated in app/maker.py:10.",
        ),
        (Reason.ACCEPTED, "Accepted until 2027-01-31: fixed in 2.4."),
        (Reason.ACCEPTANCE_EXPIRED, "Was accepted until 2027-01-31: fixed in 2.4."),
    ],
)
def test_each_reason_has_its_sentence(reason, sentence):
    assert write(reason) == (sentence, None)


def test_what_is_over_its_limit_says_by_how_much():
    sentence, _ = write(Reason.OVER_LIMIT, latest_bytes=530.0 * MIB)
    ended, _ = write(Reason.OVER_LIMIT, latest_bytes=530.0 * MIB, has_ended=True)

    assert sentence == "It is over its limit of 512 MiB, by 18.0 MiB."
    assert ended == "It was over its limit of 512 MiB, by 18.0 MiB when it ended."


def test_every_reason_is_written():
    for reason in Reason:
        assert write(reason)[0].endswith(".")


def test_sentences_follow_one_another_in_the_order_of_the_reasons():
    assert write(Reason.RISES_IN_EACH_WINDOW, Reason.AT_LIMIT, Reason.ACCEPTED)[0] == (
        "A leak: grows by 7.0 GiB/h (5.3 to 8.8), and its baseline rises in each of 7 windows. "
        "It is at its limit of 512 MiB. Accepted until 2027-01-31: fixed in 2.4."
    )


def test_what_is_missing_is_a_column_and_a_sentence():
    assert write(Reason.TOO_FEW_SAMPLES) == (
        "Too early to judge: needs 2 more samples: 3 of at least 5 are there.",
        "2 more samples: 3 of at least 5 are there",
    )
    assert write(Reason.GROWS_SO_FAR) == (
        "Growing, but too early to call it a leak: needs 30 samples, and grew by 3.0 MiB so far.",
        "30 samples, and grew by 3.0 MiB so far",
    )
    little = write(Reason.GROWS_SO_FAR, n_samples=40, duration_s=20.0, growth_bytes=102_400.0)
    assert little[1] == "growth of 256 KiB, and grew by 100 KiB so far"
    assert write(Reason.GROWS_SO_FAR, n_samples=40, duration_s=5.0)[1] == "10.0 s, and grew by 3.0 MiB so far"
    assert write(Reason.GROWS_SO_FAR, n_samples=40, duration_s=90.0)[1] == (
        "a longer record: it is not steady yet, or fell as far before, and grew by 3.0 MiB so far"
    )
    small = write(Reason.GROWS_SO_FAR, n_samples=90, duration_s=90.0, growth_bytes=409_600.0, latest_bytes=64 * 2**20)
    assert small[1] == "growth of 655 KiB, and grew by 400 KiB so far"
    assert write(Reason.CREEPS)[1] == (
        "growth by more than 3.0 MiB, which is little beside the swing of Python's memory, which does not grow"
    )
    assert write(Reason.STILL_RISES)[1] == "a longer record: it was flat, and rises at its end"
    assert write(Reason.REGAINS_LEVEL) == (
        "Growing, but no leak was shown: needs growth beyond a level that it held before, which it only regains since "
        "10.0 min into the run.",
        "growth beyond a level that it held before, which it only regains since 10.0 min into the run",
    )
    more = Thresholds(series=SeriesThresholds(min_samples=4))
    assert write(Reason.TOO_FEW_SAMPLES, thresholds=more)[1] == "1 more sample: 3 of at least 4 are there"
    assert write(Reason.NOT_IN_EACH_WINDOW)[1] == (
        "a longer record: it grew on the whole, but not in each of 7 windows of 10.0 s"
    )
