"""Sites are ranked by growth, and their shares add up."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.leaks.site_ranking import RANK_COLUMNS, count_from_start, pick_responsible_lines, rank_sites
from memanalysis.errors import MissingColumnError


def snapshots(sizes: dict[tuple[str, int], list[int | None]], *, run_id: str = "run-1") -> pd.DataFrame:
    """One row a site and snapshot, ten seconds apart; None: not in that snapshot."""
    return pd.DataFrame(
        [
            {
                "run_id": run_id,
                "service": "shop",
                "timestamp": pd.Timestamp(10 * i, unit="s", tz="UTC"),
                "site_id": f"{file}:{line}",
                "file": file,
                "line": line,
                "function": "f",
                "size_bytes": size,
            }
            for (file, line), series in sizes.items()
            for i, size in enumerate(series)
            if size is not None
        ]
    )


@pytest.mark.slow
def test_the_site_that_grew_most_comes_first_and_shares_add_up():
    """Three and one bytes a second over 30 s; the third site keeps still."""
    ranked = rank_sites(
        snapshots({("a.py", 1): [0, 10, 20, 30], ("b.py", 2): [0, 30, 60, 90], ("c.py", 3): [500, 500, 500, 500]})
    )

    assert ranked.columns.tolist() == list(RANK_COLUMNS)
    assert ranked["file"].tolist() == ["b.py", "a.py", "c.py"]
    assert ranked["slope_bytes_per_s"].tolist() == [3, 1, 0]
    assert ranked["share"].tolist() == [0.75, 0.25, 0]


def test_a_site_that_fell_has_no_share():
    ranked = rank_sites(snapshots({("a.py", 1): [90, 60, 30, 0], ("b.py", 2): [0, 10, 20, 30]}))

    assert ranked["share"].tolist() == [1, 0]


def test_a_site_that_appears_late_held_nothing_before():
    ranked = rank_sites(snapshots({("a.py", 1): [None, None, 40, 60], ("b.py", 2): [9, 9, 9, 9]}))

    assert ranked.iloc[0]["first_bytes"] == 0
    assert ranked.iloc[0]["last_bytes"] == 60


def test_a_cache_that_filled_in_the_first_quarter_does_not_outrank_a_leak():
    filled = [0, *[10_000] * 11]
    ranked = rank_sites(snapshots({("cache.py", 5): filled, ("leak.py", 7): list(range(0, 1200, 100))}))

    assert ranked.iloc[0]["file"] == "leak.py"


def test_runs_are_ranked_apart():
    two = pd.concat([snapshots({("a.py", 1): [0, 1, 2]}), snapshots({("a.py", 1): [0, 5, 10]}, run_id="run-2")])

    assert rank_sites(two)["slope_bytes_per_s"].tolist() == [0.1, 0.5]


def test_one_snapshot_shows_no_growth():
    ranked = rank_sites(snapshots({("a.py", 1): [7]}))
    assert ranked["growth_bytes"].tolist() == [0]


def test_what_the_only_table_of_a_run_lists_grew_since_tracing_began():
    sites = pd.concat(
        [snapshots({("a.py", 1): [30], ("b.py", 2): [90]}), snapshots({("c.py", 3): [5, 5]}, run_id="run-2")]
    )
    counted = count_from_start(rank_sites(sites), sites).set_index("file")

    assert counted["growth_bytes"].to_dict() == {"a.py": 30, "b.py": 90, "c.py": 0}
    assert counted["share"].to_dict() == {"a.py": 0.25, "b.py": 0.75, "c.py": 0}
    assert counted["slope_bytes_per_s"].isna().to_dict() == {"a.py": True, "b.py": True, "c.py": False}


def test_slopes_are_those_of_numpys_least_squares_on_a_straight_line():
    rng = np.random.default_rng(5)
    rate = rng.integers(1, 90, size=20)
    ranked = rank_sites(snapshots({("f.py", i): [int(r) * 10 * k for k in range(9)] for i, r in enumerate(rate)}))

    assert sorted(ranked["slope_bytes_per_s"]) == pytest.approx(sorted(rate.astype(float)))


def test_a_missing_column_is_named():
    with pytest.raises(MissingColumnError, match=r"rank_sites needs the columns \['size_bytes'\]"):
        rank_sites(snapshots({("a.py", 1): [1]}).drop(columns="size_bytes"))


def test_the_guilty_line_is_the_first_of_the_file_that_grew_most():
    """One line of the caller grew by 40, three lines of the library by 30 each: the library holds 90."""
    lines = {("caller.py", 5): [0, 20, 40]} | {("lib.py", i): [0, 15, 30 + i] for i in (1, 2, 3)}
    guilty = pick_responsible_lines(rank_sites(snapshots(lines)))

    assert guilty[["file", "line"]].values.tolist() == [["lib.py", 3]]


def test_where_nothing_grew_nobody_is_guilty():
    assert pick_responsible_lines(rank_sites(snapshots({("a.py", 1): [5, 5, 5]}))).empty
