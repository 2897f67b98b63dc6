"""What grew between two ledgers is reported; noise is not."""

import numpy as np
import pandas as pd
import pytest
from factories import Series, ar_noise, as_samples, ramp

from memanalysis.analysis.comparison import COMPARISON_COLUMNS, compare_samples, compare_sites
from memanalysis.errors import MissingColumnError
from memanalysis.units import KIB, MIB


def runs(seeds: range, *, level: float, slope: float = 0.0, spread: float = 0.0) -> pd.DataFrame:
    """Runs of 120 samples with AR(1) noise, whose levels differ from run to run by ``spread``."""
    t = np.arange(120.0)
    frames = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        base = level + rng.normal() * spread
        values = base + slope * t + ar_noise(rng, 120, lag_one=0.6, sigma=MIB)
        frames.append(as_samples(Series(t, values, slope), run_id=f"run-{seed}"))
    return pd.concat(frames)


def verdicts(frame: pd.DataFrame) -> dict[str, str]:
    return dict(zip(frame["what"], frame["verdict"], strict=True))


@pytest.mark.slow
def test_a_higher_level_is_more_and_its_interval_holds_the_truth():
    changes = compare_samples(runs(range(4), level=200 * MIB), runs(range(10, 14), level=230 * MIB))
    level = changes[changes["what"] == "level_bytes"].iloc[0]

    assert changes.columns.tolist() == list(COMPARISON_COLUMNS)
    assert verdicts(changes) == {"level_bytes": "more", "slope_bytes_per_s": "same"}
    assert level["low"] < 30 * MIB < level["high"]
    assert (level["runs_before"], level["runs_after"]) == (4, 4)


def test_a_leak_that_a_release_brought_is_more_slope():
    changes = compare_samples(runs(range(2), level=200 * MIB), runs(range(10, 12), level=200 * MIB, slope=200 * KIB))
    assert verdicts(changes)["slope_bytes_per_s"] == "more"


@pytest.mark.slow
def test_runs_that_differ_among_themselves_are_no_regression():
    """Levels scatter by 20 MiB from run to run: a difference of means of that size shows nothing."""
    alarms = 0
    for trial in range(60):
        first, second = (
            runs(range(100 * trial + 10 * side, 100 * trial + 10 * side + 3), level=200 * MIB, spread=20 * MIB)
            for side in (0, 1)
        )
        alarms += verdicts(compare_samples(first, second))["level_bytes"] != "same"
    assert alarms <= 8  # of 60 at 95 %: nine or more happen once in 400


def test_a_ledger_compared_with_itself_shows_no_change():
    one = runs(range(3), level=200 * MIB)
    assert set(compare_samples(one, one)["verdict"]) == {"same"}


def test_services_that_one_side_lacks_are_left_out():
    assert compare_samples(as_samples(ramp(n=60), service="a"), as_samples(ramp(n=60), service="b")).empty


def site_rows(sizes: dict[tuple[str, int, str], list[int]], *, run_id: str) -> pd.DataFrame:
    """Rows of ``sites``: a size a snapshot."""
    return pd.DataFrame(
        [
            {
                "run_id": run_id,
                "service": "shop",
                "timestamp": pd.Timestamp(10 * i, unit="s", tz="UTC"),
                "file": file,
                "line": line,
                "function": function,
                "size_bytes": size,
            }
            for (file, line, function), series in sizes.items()
            for i, size in enumerate(series)
        ]
    )


def test_sites_are_matched_by_function_when_their_lines_moved():
    before = site_rows({("a.py", 10, "load"): [MIB, MIB, MIB], ("b.py", 3, "keep"): [MIB, MIB, MIB]}, run_id="r1")
    after = site_rows({("a.py", 25, "load"): [MIB, MIB, MIB], ("b.py", 3, "keep"): [5 * MIB] * 3}, run_id="r2")
    changes = compare_sites(before, after)

    assert changes[["file", "line", "verdict", "change"]].values.tolist() == [
        ["b.py", 3, "more", 4 * MIB],
        ["a.py", 25, "same", 0.0],
    ]


def test_a_site_that_one_side_lacks_is_new_or_gone():
    before = site_rows({("old.py", 1, "f"): [MIB, MIB]}, run_id="r1")
    after = site_rows({("new.py", 1, "g"): [MIB, MIB]}, run_id="r2")

    assert dict(zip(*compare_sites(before, after)[["file", "verdict"]].to_numpy().T, strict=True)) == {
        "new.py": "new",
        "old.py": "gone",
    }


def test_what_a_sampler_estimated_is_no_more_certain_than_its_error():
    """40 MiB that were estimated with an error of 2 MiB differ by 3 MiB from run to run of one program."""
    before, after = (
        site_rows({("a.py", 10, "load"): [size * MIB] * 5}, run_id=f"r{size}").assign(size_stderr_bytes=2 * MIB)
        for size in (40, 43)
    )
    assert compare_sites(before, after)["verdict"].tolist() == ["same"]


def test_what_one_moment_holds_is_evidence_only_where_the_service_changed():
    before = site_rows({("a.py", 10, "load"): [MIB], ("b.py", 3, "batch"): [MIB]}, run_id="r1")
    after = site_rows({("a.py", 10, "load"): [MIB], ("b.py", 3, "batch"): [20 * MIB]}, run_id="r2")

    assert compare_sites(before, after)["verdict"].tolist() == ["same", "same"]
    assert compare_sites(before, after, changed=["shop"])["verdict"].tolist() == ["more", "same"]


def test_a_snapshot_from_before_the_data_were_loaded_is_no_noise():
    """The first of two came while the program still loaded: what it holds later is what is compared."""
    before = site_rows({("b.py", 3, "keep"): [0, 20 * MIB]}, run_id="r1")
    after = site_rows({("b.py", 3, "keep"): [10 * MIB, 40 * MIB]}, run_id="r2")

    changes = compare_sites(before, after, changed=["shop"])

    assert changes[["verdict", "change"]].to_numpy().tolist() == [["more", 20 * MIB]]


@pytest.mark.slow
def test_many_lines_that_differ_by_noise_are_no_change():
    """500 lines whose sizes scatter by 10 %: at 95 % each, 25 of them would be called changed."""
    rng = np.random.default_rng(3)
    sides = [
        site_rows(
            {("a.py", line, f"f{line}"): (MIB * (1 + 0.1 * rng.normal(size=8))).tolist() for line in range(500)},
            run_id=run,
        )
        for run in ("r1", "r2")
    ]
    assert set(compare_sites(*sides)["verdict"]) == {"same"}


def test_a_run_that_went_on_for_longer_holds_more_of_the_same_leak():
    short, long = (as_samples(ramp(slope=MIB, n=n, sigma=100 * KIB, seed=n), run_id=f"run-{n}") for n in (100, 300))
    assert verdicts(compare_samples(short, long)) == {"level_bytes": "same", "slope_bytes_per_s": "same"}


def test_a_missing_column_is_named():
    with pytest.raises(MissingColumnError, match=r"compare needs the columns \['run_id'\]"):
        compare_samples(pd.DataFrame({"service": ["a"]}), pd.DataFrame({"service": ["a"]}))
