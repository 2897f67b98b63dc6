"""When a leak is new, lasts, is gone or has returned: runs of a day each, put together by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.leaks.leak_histories import find_leak_histories

DAY_S = 86400.0
BEGIN = pd.Timestamp("2025-06-01", tz="UTC")
NAMED = {"fingerprint": "leak-named", "responsible_file": "app/a.py", "responsible_line": 3}
UNNAMED = {"fingerprint": "leak-unnamed", "responsible_file": None, "responsible_line": pd.NA}
HEALTHY: dict[str, Any] = {"fingerprint": None, "is_leak": False, "shape": "stable", "responsible_file": None}


def follow(*runs: dict[str, Any], recent_day: float = 0.0) -> pd.DataFrame:
    """Return the histories of runs, each at its ``day`` for its ``days``, a leak unless it is given as none."""
    rows, times = [], []
    for number, given in enumerate(runs):
        row = {
            "service": "api", "run_id": f"run-{number}", "role": None, "family_id": None, "shape": "growing",
            "is_leak": True, "severity": "high", "known": "new", "slope_bytes_per_s": 9.0, "low_bytes_per_s": 8.0,
            "high_bytes_per_s": 10.0, "origin": "python", "responsible_function": None, "onset_s": np.nan,
            "sentence": "", "day": float(number), "days": 1.0, "release": f"1.{number}", **NAMED, **given,
        }  # fmt: skip
        row["judged_s"] = row["days"] * DAY_S
        first = BEGIN + pd.Timedelta(days=row.pop("day"))
        last = first + pd.Timedelta(days=row.pop("days"))
        times.append({key: row[key] for key in ("service", "run_id")} | {"first": first, "last": last})
        times[-1]["release"] = row.pop("release")
        rows.append(row)
    recent = BEGIN + pd.Timedelta(days=recent_day)
    return find_leak_histories(pd.DataFrame(rows), pd.DataFrame(times), recent=recent)


@pytest.mark.parametrize(
    ("runs", "recent_day", "status"),
    [
        ([{}], 0.0, "new"),
        ([{}], 0.5, "lasting"),
        ([{"onset_s": 0.7 * DAY_S}], 0.5, "new"),
        ([{}], 1.5, "unseen"),
        ([{}, HEALTHY], 0.5, "gone"),
        ([{}, HEALTHY, {}], 0.5, "returned"),
        ([{}, HEALTHY, {}, HEALTHY], 0.5, "gone"),
    ],
)
def test_the_status_of_a_leak_follows_from_its_runs(runs: list[dict[str, Any]], recent_day: float, status: str) -> None:
    assert follow(*runs, recent_day=recent_day)["status"].tolist() == [status]


@pytest.mark.parametrize(
    "later",
    [
        {**HEALTHY, "days": 0.4},
        {**HEALTHY, "shape": "inconclusive"},
        {**UNNAMED, "is_leak": True},
        {**HEALTHY, "day": 0.2, "days": 0.7},
        {**HEALTHY, "service": "other"},
    ],
    ids=["too short", "not judged", "a leak without its line", "beside the one that leaks", "of another service"],
)
def test_a_run_that_proves_nothing_leaves_a_leak_as_it_is(later: dict[str, Any]) -> None:
    assert follow({}, later)["status"].tolist() == ["new"]


def test_another_leak_proves_that_one_with_a_line_is_gone() -> None:
    histories = follow({}, {"fingerprint": "leak-other", "responsible_file": "app/b.py"}).set_index("fingerprint")

    assert histories["status"].to_dict() == {"leak-other": "new", "leak-named": "gone"}


def test_a_run_without_the_line_counts_with_the_only_leak_that_has_one() -> None:
    row = follow(UNNAMED, {}, recent_day=1.5).iloc[0]

    assert (row["fingerprint"], row["runs"], row["status"]) == ("leak-named", 2, "lasting")
    assert row["first_seen"] == BEGIN
    assert (row["responsible_file"], row["responsible_line"]) == ("app/a.py", 3)


def test_a_leak_without_a_line_stays_its_own_beside_two_that_have_one() -> None:
    histories = follow(UNNAMED, {}, {"fingerprint": "leak-other", "responsible_file": "app/b.py"})

    assert set(histories["fingerprint"]) == {"leak-unnamed", "leak-named", "leak-other"}


def test_days_and_releases_are_those_of_the_first_the_last_and_the_first_run_without_it() -> None:
    row = follow({}, {}, HEALTHY, HEALTHY).iloc[0]

    assert row[["first_release", "last_release", "gone_in_release"]].tolist() == ["1.0", "1.1", "1.2"]
    assert row["first_seen"] == BEGIN
    assert row["last_seen"] == BEGIN + pd.Timedelta(days=2)
    assert row["gone_since"] == BEGIN + pd.Timedelta(days=2)


@pytest.mark.parametrize("family_id", ["run-0", "None-77"], ids=["its master was recorded", "and was not"])
def test_a_leak_of_a_family_has_the_growth_of_the_whole_family(family_id: str) -> None:
    """Two workers grow by 9 bytes a second each, and the family with them by 18; all end at the same moment."""
    worker = {"role": "worker", "family_id": family_id, "day": 0.0}
    family = {**worker, "role": "family", "run_id": f"family {family_id}", "slope_bytes_per_s": 18.0}

    for rows in ([worker, family, worker], [family, worker, worker], [worker, worker, family]):
        histories = follow(*rows)

        assert histories["slope_bytes_per_s"].tolist() == [18.0]
        assert histories["last_seen"].tolist() == [BEGIN + pd.Timedelta(days=1)]


def test_without_a_leak_there_is_no_row_and_every_column() -> None:
    histories = follow(HEALTHY)

    assert histories.empty
    assert "gone_in_release" in histories
