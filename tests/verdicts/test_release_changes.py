"""Each release is compared with the one that came before it in time, and the line that grew most is named."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from memanalysis.units import KIB, MIB
from memanalysis.verdicts.release_changes import (
    CHANGE_COLUMNS,
    LINE_COLUMNS,
    MAX_CHANGES,
    add_worse_lines,
    contrast_lines,
    contrast_releases,
    judge_releases,
    list_worse,
)

BEGIN = pd.Timestamp("2026-01-01", tz="UTC")
N = 60
LINE_DTYPES = {"file": "object", "line": "Int64", "function": "object", "line_change_bytes": "float64"}


def make_run(release: str | None, level_mib: float, *, day: int, service: str = "api", n: int = N) -> pd.DataFrame:
    """A run on one day that is steady but for noise, a sample a second."""
    noise = np.random.default_rng([day, len(service)]).normal(size=n) * 50 * KIB
    return pd.DataFrame(
        {
            "service": service,
            "run_id": f"{service}-{day}",
            "timestamp": BEGIN + pd.Timedelta(days=day) + pd.to_timedelta(np.arange(n), unit="s"),
            "elapsed_s": np.arange(float(n)),
            "rss_bytes": pd.array((level_mib * MIB + noise).round().astype("int64"), dtype="Int64"),
            "release": pd.array([release] * n, dtype="string"),
        }
    )


def compare(*runs: pd.DataFrame) -> pd.DataFrame:
    rows = pd.concat(runs, ignore_index=True)
    changes = judge_releases(contrast_releases(rows.drop(columns="release"), rows["release"]))
    assert tuple(changes.columns) == CHANGE_COLUMNS
    return changes


def list_levels(changes: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    levels = changes[changes["what"] == "level_bytes"]
    return list(levels[list(columns)].itertuples(index=False, name=None))


def test_releases_follow_each_other_in_time_and_not_by_name_the_latest_first() -> None:
    """1.9 at 100 MiB, then 1.10 at 140, then a return to 1.8 at 140; the rows come out of order."""
    changes = compare(make_run("1.8", 140, day=5), make_run("1.9", 100, day=1), make_run("1.10", 140, day=3))

    assert list_levels(changes, "release_before", "release", "verdict") == [
        ("1.10", "1.8", "same"),
        ("1.9", "1.10", "more"),
    ]
    (row,) = changes[(changes["release"] == "1.10") & (changes["what"] == "level_bytes")].to_dict("records")
    assert row["first"] == BEGIN + pd.Timedelta(days=3)
    assert row["change"] == pytest.approx(40 * MIB, abs=0.2 * MIB)
    assert (row["before"], row["after"]) == pytest.approx((100 * MIB, 140 * MIB), abs=0.2 * MIB)
    assert changes.loc[changes["what"] == "slope_bytes_per_s", "verdict"].tolist() == ["same", "same"]


def test_all_runs_of_a_release_count_and_those_without_one_are_left_out() -> None:
    changes = compare(
        make_run("a", 100, day=1),
        make_run("a", 100, day=2),
        make_run(None, 400, day=3),
        make_run("b", 100, day=4),
    )

    assert list_levels(changes, "release_before", "release", "runs_before", "runs_after", "verdict") == [
        ("a", "b", 2, 1, "same")
    ]


def test_services_that_share_the_names_of_releases_are_compared_apart() -> None:
    """One rises by 30 MiB, one falls by 60; deployed at one moment they come by name, and later ones come first."""
    changes = compare(
        make_run("1", 50, day=1, service="shop"), make_run("2", 80, day=2, service="shop"),
        make_run("1", 150, day=1, service="jobs"), make_run("2", 90, day=2, service="jobs"),
        make_run("1", 70, day=1, service="alone"),
        make_run("1", 70, day=1, service="late"), make_run("2", 70, day=9, service="late"),
    )  # fmt: skip

    assert list_levels(changes, "service", "verdict") == [("late", "same"), ("jobs", "less"), ("shop", "more")]


def test_of_many_releases_the_latest_are_compared() -> None:
    """Of 15 releases there are 14 pairs; the two oldest are left out."""
    changes = compare(*(make_run(f"r{day}", 100, day=day, n=20) for day in range(15)))

    assert list_levels(changes, "release_before", "release") == [
        (f"r{day - 1}", f"r{day}") for day in range(14, 14 - MAX_CHANGES, -1)
    ]


def test_what_cannot_be_compared_gives_no_row() -> None:
    """Nothing at all, one release alone, and a release with too few samples to have a level."""
    assert compare(make_run("1", 100, day=1)[:0]).empty
    assert compare(make_run("1", 100, day=1), make_run("1", 200, day=2)).empty
    assert compare(make_run("1", 100, day=1), make_run("2", 200, day=2, n=1)).empty


def make_changes(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Changes by service, both releases and verdict; what else they have is of no matter here."""
    frame = pd.DataFrame(list(rows), columns=["service", "release_before", "release", "verdict"])
    return frame.reindex(columns=list(CHANGE_COLUMNS))


def test_worse_is_more_or_new_and_each_release_is_listed_once() -> None:
    changes = make_changes(
        ("api", "1", "2", "same"), ("api", "1", "2", "more"), ("api", "1", "2", "more"), ("jobs", "1", "2", "less"),
        ("shop", "1", "2", "new"), ("api", "2", "3", "gone"),
    )  # fmt: skip
    worse = list_worse(changes)

    assert worse.values.tolist() == [["api", "1", "2"], ["shop", "1", "2"]]
    assert list_worse(changes[:0]).empty


def make_sites(release: str, lines: dict[int, float], *, service: str = "api", n: int = 6) -> pd.DataFrame:
    """Snapshots of a run of a release: what each line holds in each of them, in MiB."""
    rows = [
        {
            "service": service, "run_id": f"{service}-{release}", "timestamp": BEGIN + pd.Timedelta(minutes=number),
            "file": "app/a.py", "line": line, "function": f"keep_{line}", "size_bytes": round(mib * MIB),
            "release": release,
        }
        for number in range(n) for line, mib in lines.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def add_lines(changes: pd.DataFrame, *sites: pd.DataFrame) -> pd.DataFrame:
    rows = pd.concat(sites, ignore_index=True)
    contrasts = contrast_lines(list_worse(changes), rows.drop(columns="release"), rows["release"])
    found = add_worse_lines(changes, contrasts)
    assert tuple(found.columns) == (*CHANGE_COLUMNS, *LINE_COLUMNS)
    assert found[list(LINE_COLUMNS)].dtypes.astype(str).to_dict() == LINE_DTYPES
    return found


def test_the_line_that_rose_most_is_named_and_not_the_one_that_holds_most() -> None:
    """Line 1 holds 50 MiB throughout, line 2 rises by 3, line 3 by 9 and line 4 falls by 20."""
    found = add_lines(
        make_changes(("api", "1", "2", "more"), ("api", "1", "2", "same")),
        make_sites("1", {1: 50, 2: 1, 3: 0.5, 4: 30}),
        make_sites("2", {1: 50, 2: 4, 3: 9.5, 4: 10}),
    )

    assert found[list(LINE_COLUMNS)].values.tolist() == [["app/a.py", 3, "keep_3", 9 * MIB]] * 2


def test_a_line_belongs_to_the_release_and_the_service_that_it_rose_in() -> None:
    """``api`` rises at line 1 with release 2 and at line 2 with release 3, ``jobs`` at line 3, and ``shop`` at none."""
    found = add_lines(
        make_changes(
            *(
                (service, before, after, "more")
                for service, before, after in (
                    ("shop", "1", "2"),
                    ("api", "2", "3"),
                    ("jobs", "1", "2"),
                    ("api", "1", "2"),
                )
            )
        ),
        make_sites("1", {1: 1, 2: 1}),
        make_sites("2", {1: 6, 2: 1}),
        make_sites("3", {1: 6, 2: 9}),
        make_sites("1", {3: 1}, service="jobs"),
        make_sites("2", {3: 5}, service="jobs"),
    )

    assert found["line"].isna().tolist() == [True, False, False, False]
    assert found.loc[1:, ["service", "release", "line", "line_change_bytes"]].values.tolist() == [
        ["api", "3", 2, 8 * MIB],
        ["jobs", "2", 3, 4 * MIB],
        ["api", "2", 1, 5 * MIB],
    ]


def test_one_snapshot_of_each_release_is_enough_because_the_service_is_known_to_be_worse() -> None:
    sites = (make_sites("1", {1: 1, 2: 2}, n=1), make_sites("2", {1: 3, 2: 2}, n=1))
    found = add_lines(make_changes(("api", "1", "2", "more")), *sites)

    assert found[["line", "line_change_bytes"]].values.tolist() == [[1, 2 * MIB]]


def test_a_line_that_was_not_there_before_is_named() -> None:
    found = add_lines(make_changes(("api", "1", "2", "more")), make_sites("1", {1: 1}), make_sites("2", {1: 1, 7: 2}))

    assert found[["line", "line_change_bytes"]].values.tolist() == [[7, 2 * MIB]]


def test_no_line_is_named_where_none_rose_and_where_nothing_became_worse() -> None:
    """Its lines are steady, those of the release before or of both are not known, or the release is better."""
    steady = [make_sites(release, {1: 5}) for release in ("1", "2")]
    rising = [make_sites(release, {1: 5 * int(release)}) for release in ("1", "2")]
    worse, better = (make_changes(("api", "1", "2", verdict)) for verdict in ("more", "less"))

    unknown = [rising[0][:0]]

    for changes, sites in (
        (worse, steady), (worse, rising[1:]), (worse, unknown), (better, rising), (better[:0], rising)
    ):  # fmt: skip
        found = add_lines(changes, *sites)
        assert len(found) == len(changes)
        assert found[list(LINE_COLUMNS)].isna().all(axis=None)
