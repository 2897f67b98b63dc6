"""What resident memory grew by beyond Python's allocations is shown with the lines, and is in none of them."""

import numpy as np
import pandas as pd
import pytest

from memanalysis import report
from memanalysis.reports.growth_split import GrowthSplit, split_growth
from memanalysis.units import MIB

NATIVE = """
import ctypes, time
from memanalysis import watch

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
with watch("api", ledger="ledger", interval=0.05, trace="full", snapshot_interval=0.3, max_overhead=0.5) as recorder:
    recorder.snapshot_now()
    held = []
    for _ in range(100):
        held.append(bytearray(2**18))
        libc.memset(libc.malloc(2**20), 1, 2**20)
        time.sleep(0.01)
    recorder.snapshot_now()
"""
MOMENTS = pd.date_range("2026-01-01", periods=5, freq="min", tz="UTC")


def make_samples(**columns: list[float]) -> pd.DataFrame:
    known = {name: pd.Series(values, dtype="Int64") for name, values in columns.items()}
    unknown = pd.Series([None] * 5, dtype="Int64")
    return pd.DataFrame({"timestamp": MOMENTS, "traced_bytes": unknown, "sampled_bytes": unknown} | known)


def test_growth_is_split_between_the_moments() -> None:
    samples = make_samples(rss_bytes=[10, 20, 40, 80, 160], sampled_bytes=[1, 2, 3, 4, 5])

    assert split_growth(samples, since=MOMENTS[1], until=MOMENTS[3]) == GrowthSplit(60.0, 2.0)
    assert split_growth(samples, since=pd.NaT, until=pd.NaT) == GrowthSplit(150.0, 4.0)


def test_what_was_traced_counts_before_what_was_sampled_and_unknown_values_are_passed_over() -> None:
    traced = [np.nan, 5, 7, 9, np.nan]
    samples = make_samples(rss_bytes=[10, 20, 40, 80, 160], sampled_bytes=[1, 2, 3, 4, 5]).assign(
        traced_bytes=pd.array([None if np.isnan(value) else value for value in traced], dtype="Int64")
    )

    assert split_growth(samples, since=MOMENTS[0], until=MOMENTS[4]) == GrowthSplit(60.0, 4.0)


def test_without_two_moments_at_which_allocations_were_followed_nothing_is_known() -> None:
    samples = make_samples(rss_bytes=[10, 20, 40, 80, 160])

    assert split_growth(samples, since=MOMENTS[0], until=MOMENTS[4]) is None


@pytest.mark.parametrize(
    ("resident_mib", "python_mib", "is_notable"),
    [(100, 91, False), (100, 89, True), (0.9, 0, False), (-5, 0, False), (20, -5, True)],
)
def test_a_tenth_and_a_megabyte_are_notable(resident_mib: float, python_mib: float, is_notable: bool) -> None:
    assert GrowthSplit(resident_mib * MIB, python_mib * MIB).is_notable is is_notable


@pytest.mark.slow
def test_a_report_shows_native_growth_beside_the_lines(run_program, tmp_path) -> None:
    """Each step takes 256 KiB by Python and 1 MiB beside it; the first tables are those of a warm-up."""
    run_program(NATIVE)
    made = report(tmp_path / "ledger")

    split = made.sections[0].growth_split
    assert split is not None
    assert split.python_bytes > 10 * MIB
    assert split.outside_bytes / split.python_bytes == pytest.approx(4, rel=0.15)
    assert "are native, or were freed and not given back to the system: no line has them." in made.to_markdown()
