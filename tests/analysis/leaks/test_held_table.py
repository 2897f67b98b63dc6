"""What sites held in each snapshot: sums by hand, slopes as SciPy fits them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from memanalysis.analysis.leaks.held_table import HeldTable, measure_growth, tabulate_run
from memanalysis.analysis.thresholds import SiteThresholds
from memanalysis.errors import InvalidArgumentError


def tabulate(rows: list[tuple[object, ...]]) -> HeldTable:
    frame = pd.DataFrame(rows, columns=["second", "file", "line", "size_bytes", "live_allocations", "function"])
    run = frame.assign(timestamp=pd.to_datetime(frame["second"], unit="s", utc=True))
    return tabulate_run(run, keys=("file", "line"), counts="live_allocations", others=("function",))


@pytest.mark.slow
def test_rows_of_one_line_are_added_up_by_snapshot():
    held = tabulate(
        [
            (0, "a.py", 1, 10.0, 1, "f"),
            (0, "a.py", 1, 30.0, 2, "g"),
            (60, "a.py", 1, 50.0, 5, "f"),
            (60, "b.py", 2, 7.0, None, None),
        ]
    )

    assert held.elapsed_s.tolist() == [0, 60]
    assert held.sizes.tolist() == [[40, 0], [50, 7]]
    assert held.is_listed.tolist() == [[True, False], [True, True]]
    assert held.counts[:, 0].tolist() == [3, 5]
    assert np.isnan(held.counts[:, 1]).all()
    assert held.names[["file", "line"]].to_numpy().tolist() == [["a.py", 1], ["b.py", 2]]
    assert held.names["function"][0] == "f"  # of the largest row


def test_rows_without_a_size_or_twice_there_count_not_at_all_or_once():
    rows = [(0, "a.py", 1, 10.0, 1, "f"), (0, "a.py", 1, 10.0, 1, "f"), (0, "b.py", 2, np.nan, 1, "f")]
    assert tabulate(rows).sizes.tolist() == [[10]]


def test_a_negative_size_is_refused():
    with pytest.raises(InvalidArgumentError, match="size_bytes of 0 or more, but got -1"):
        tabulate([(0, "a.py", 1, -1.0, 1, "f")])


def held_of(sizes: np.ndarray, errors: np.ndarray | None = None) -> HeldTable:
    return HeldTable(
        moments=pd.date_range("2026-01-01", periods=len(sizes), freq="60s", tz="UTC"),
        elapsed_s=60 * np.arange(float(len(sizes))),
        sizes=sizes,
        counts=np.ones_like(sizes),
        errors=np.zeros_like(sizes) if errors is None else errors,
        is_listed=np.ones(sizes.shape, dtype=bool),
        names=pd.DataFrame(index=range(sizes.shape[1])),
    )


def test_slopes_are_those_of_scipy_after_the_warm_up():
    """Of 21 snapshots the first five, before second 300 of 1200, are warm-up."""
    rng = np.random.default_rng(1)
    held = held_of(np.cumsum(rng.random((21, 3)), axis=0) * [100.0, 10.0, 0.0] + rng.random((21, 3)))
    grown = measure_growth(held)

    assert grown.judged.tolist() == list(range(5, 21))
    expected = [stats.theilslopes(column, held.elapsed_s[5:]).slope for column in held.sizes[5:].T]
    assert grown.slopes == pytest.approx(expected)
    assert grown.growth == pytest.approx(grown.slopes * 900)


def test_shares_are_of_what_grew_and_what_fell_has_none():
    held = held_of(np.outer(np.arange(10.0), [30.0, 10.0, -20.0]) + 200)
    assert measure_growth(held).shares == pytest.approx([0.75, 0.25, 0])


def test_many_snapshots_are_thinned_and_few_are_all_taken():
    assert measure_growth(held_of(np.zeros((500, 1)))).judged.size == 60
    assert measure_growth(held_of(np.zeros((500, 1))), thresholds=SiteThresholds(max_snapshots=7)).judged.size == 7
    assert measure_growth(held_of(np.zeros((3, 1)))).judged.tolist() == [0, 1, 2]


def test_growth_of_a_sampled_site_within_two_standard_errors_counts_as_none():
    """One block a MiB is sampled: growth of g has the error sqrt(1 MiB * g), so it is shown from 4 MiB on."""
    sizes = 2.0**20 * np.array([[10.0, 10.0], [11.5, 12.5], [13.0, 15.0]])
    held = held_of(sizes, errors=np.sqrt(2.0**20 * sizes))

    grown = measure_growth(held)

    assert grown.growth.tolist() == pytest.approx([0.0, 5 * 2.0**20])
    assert grown.shares.tolist() == [0.0, 1.0]


def test_a_last_snapshot_from_after_the_end_of_the_program_is_not_judged():
    grown = np.array([[0.0, 50], [100, 50], [200, 50], [300, 50], [2, 50]])

    assert measure_growth(held_of(grown)).shares.tolist() == [1, 0]
    assert measure_growth(held_of(grown)).judged.tolist() == [1, 2, 3]
    assert measure_growth(held_of(grown[:4])).judged.tolist() == [1, 2, 3]


def test_a_last_snapshot_that_lacks_a_little_is_judged():
    grown = np.array([[0.0], [100], [200], [300], [250]])

    assert measure_growth(held_of(grown)).judged.tolist() == [1, 2, 3, 4]


def test_noise_takes_no_snapshot_away():
    levels = np.array([[100.0], [99], [101], [100], [101], [99]])

    assert measure_growth(held_of(levels)).judged.tolist() == [2, 3, 4, 5]
