"""The third step: the line that is responsible for each leak, from the sites of its run."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.leaks.responsible_line import find_responsible
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, RetainerThresholds, Thresholds
from memanalysis.analysis.verdict import Reason


def frame_of(*runs: tuple[object, bool]) -> dict[str, Any]:
    reasons = np.empty(len(runs), dtype=object)
    reasons[:] = [(Reason.RISES_IN_EACH_WINDOW,)] * len(runs)
    return {
        "service": np.array(["shop"] * len(runs), dtype=object),
        "run_id": np.array([run for run, _ in runs], dtype=object),
        "is_leak": np.array([is_leak for _, is_leak in runs]),
        "reasons": reasons,
    }


def sites_of(run: object) -> pd.DataFrame:
    """In 20 minutes 1,900 objects of 100 bytes, and a list that holds them: 8 bytes for each."""
    minutes = pd.date_range("2026-01-01", periods=20, freq="min", tz="UTC")
    allocated = pd.DataFrame(
        {
            "timestamp": minutes,
            "site_id": "m",
            "file": "x/maker.py",
            "line": 10,
            "size_bytes": 10_000 * (1 + np.arange(20)),
            "live_allocations": 100 * (1 + np.arange(20)),
        }
    )
    retained = allocated.assign(
        site_id="k", file="x/registry.py", line=5, size_bytes=allocated["live_allocations"] * 8, live_allocations=1
    )
    return pd.concat([allocated, retained]).assign(service="shop", run_id=run, function=None)


@pytest.mark.slow
def test_the_line_that_retains_is_named_and_the_one_that_allocates_beside_it():
    found = find_responsible(frame_of(("r1", True)), DEFAULT_THRESHOLDS, sites=sites_of("r1"))

    assert (found["responsible_file"][0], found["responsible_line"][0]) == ("x/registry.py", 5)
    assert (found["allocated_file"][0], found["allocated_line"][0]) == ("x/maker.py", 10)
    assert found["allocated_share"][0] == pytest.approx(10_000 / 10_800)
    assert found["responsible_function"][0] is None
    assert found["reasons"][0][1:] == (Reason.RETAINED_BY_LINE,)


def test_the_thresholds_of_a_retainer_are_handed_in():
    demanding = Thresholds(retainer=RetainerThresholds(min_objects=10_000))
    found = find_responsible(frame_of(("r1", True)), demanding, sites=sites_of("r1"))

    assert (found["responsible_file"][0], found["allocated_file"][0]) == ("x/maker.py", None)
    assert found["reasons"][0][1:] == (Reason.ALLOCATED_BY_LINE,)


def test_only_leaks_with_sites_of_their_run_have_a_line():
    found = find_responsible(
        frame_of(("r1", False), ("r2", True), (None, True)),
        DEFAULT_THRESHOLDS,
        sites=pd.concat([sites_of("r1"), sites_of(None)]),
    )

    assert found["responsible_file"].tolist() == [None, None, "x/registry.py"]
    assert [len(reasons) for reasons in found["reasons"]] == [1, 1, 2]


@pytest.mark.parametrize("sites", [None, sites_of("r1").iloc[:0]], ids=["none", "empty"])
def test_without_sites_no_line_is_known(sites):
    found = find_responsible(frame_of(("r1", True)), DEFAULT_THRESHOLDS, sites=sites)
    assert found["responsible_file"].tolist() == [None]


def in_a_library(sites: pd.DataFrame, *, user_file: str) -> pd.DataFrame:
    """What the maker allocates is allocated by json, which a line of the user's calls."""
    is_maker = sites["file"] == "x/maker.py"
    user = pd.DataFrame({"user_file": user_file, "user_line": 12, "user_function": "load"}, index=sites.index)
    library = sites.assign(file=sites["file"].mask(is_maker, "/usr/lib/python3.12/json/decoder.py"))
    return pd.concat([library, user.where(is_maker)], axis=1)


def test_the_line_of_the_user_is_named_for_what_a_library_allocates():
    sites = in_a_library(sites_of("r1"), user_file="x/registry.py")
    found = find_responsible(frame_of(("r1", True)), DEFAULT_THRESHOLDS, sites=sites)

    place = [found[f"responsible_{name}"][0] for name in ("file", "line", "function")]
    assert place == ["x/registry.py", 12, "load"]
    assert (found["allocated_file"][0], found["allocated_line"][0]) == ("/usr/lib/python3.12/json/decoder.py", 10)
    assert found["reasons"][0][1:] == (Reason.ALLOCATED_FOR_LINE,)


def test_a_container_of_a_library_is_not_named_before_the_line_of_the_user():
    sites = in_a_library(sites_of("r1"), user_file="app/views.py")
    sites["file"] = sites["file"].replace("x/registry.py", "/srv/lib/python3.12/site-packages/fastapi/routing.py")
    found = find_responsible(frame_of(("r1", True)), DEFAULT_THRESHOLDS, sites=sites)

    assert (found["responsible_file"][0], found["responsible_line"][0]) == ("app/views.py", 12)


def test_the_lines_of_a_library_add_up_to_the_line_of_the_user_that_calls_them():
    """Two lines of json grow by less than a line of the user's own, and by more together."""
    own = sites_of("r1").query("file == 'x/maker.py'")
    parts = [
        own.assign(site_id=f"j{line}", file="/usr/lib/python3.12/json/decoder.py", line=line, user_file="app/views.py",
                   user_line=12, user_function="load", size_bytes=own["size_bytes"] * 0.7)
        for line in (353, 354)
    ]  # fmt: skip
    found = find_responsible(frame_of(("r1", True)), DEFAULT_THRESHOLDS, sites=pd.concat([own, *parts]))

    assert (found["responsible_file"][0], found["responsible_line"][0]) == ("app/views.py", 12)
    assert found["responsible_share"][0] == pytest.approx(1.4 / 2.4)


def holders(run: object, chain: str, minute: int) -> dict[str, object]:
    return {
        "service": "shop",
        "run_id": run,
        "kind": "holders",
        "timestamp": pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(minutes=minute),
        "data": [{"chain": chain, "share": 1.0}, {"chain": "app.other", "share": 0.1}],
    }


def test_the_chain_that_was_found_last_says_what_holds_a_leak():
    rows = [holders("r1", "app.registry -> dict -> app.Session", 9), holders("r1", "app.first", 2)]
    events = pd.DataFrame([*rows, holders("r2", "app.else", 3)])
    found = find_responsible(frame_of(("r1", True), ("r2", False)), DEFAULT_THRESHOLDS, events=events)

    assert found["held_by"].tolist() == ["app.registry -> dict -> app.Session", None]
    assert found["reasons"][0][1:] == (Reason.HELD_BY_CHAIN,)


@pytest.mark.parametrize("data", [None, "no JSON", "[]", [], [3], [{"chain": 3}], {"chain": "x"}])
def test_an_event_of_holders_without_a_chain_says_nothing(data):
    events = pd.DataFrame([holders("r1", "x", 1) | {"data": data}])
    found = find_responsible(frame_of(("r1", True)), DEFAULT_THRESHOLDS, events=events)

    assert found["held_by"].tolist() == [None]


@pytest.mark.parametrize(
    ("origin", "slope", "windows", "is_named"),
    [
        ("native", 2_000.0, (np.nan, np.nan), False),  # some 180 bytes a second are traced
        ("native", 1_000.0, (np.nan, np.nan), True),
        ("python", 2_000.0, (np.nan, np.nan), True),
        ("native", 1_000.0, (1e6, 96.0), False),
        ("native", 2_000.0, (1e6, 2e5), True),
    ],
)
def test_a_native_leak_has_a_line_only_where_a_tenth_of_it_is_traced(origin, slope, windows, is_named):
    frame = frame_of(("r1", True)) | {
        "origin": np.array([origin], dtype=object),
        "slope_bytes_per_s": np.array([slope]),
        "window_rss_growth_bytes": np.array(windows[:1]),
        "window_retained_bytes": np.array(windows[1:]),
    }
    found = find_responsible(frame, DEFAULT_THRESHOLDS, sites=sites_of("r1"))

    assert (found["responsible_file"][0] is not None) == is_named


@pytest.mark.parametrize(
    ("held", "growth", "named"),
    [
        ({"a.py": 90}, 70, "a.py"),  # as seen: one table at the end, of what was allocated since the start
        ({"loaded.py": 500, "a.py": 90}, 70, "a.py"),
        ({"loaded.py": 500}, 70, None),
        ({"a.py": 5}, 70, None),
    ],
    ids=["all of it", "beside what was loaded", "only what was loaded", "too little"],
)
def test_one_table_names_the_line_that_holds_about_what_leaked(held, growth, named):
    sites = pd.DataFrame(
        {
            "service": "shop",
            "run_id": "r1",
            "timestamp": pd.Timestamp("2026-01-01", tz="UTC"),
            "site_id": list(held),
            "file": list(held),
            "line": 1,
            "size_bytes": [size * 1_000_000 for size in held.values()],
            "live_allocations": 10,
        }
    )
    frame = frame_of(("r1", True)) | {
        "origin": np.array(["python"], dtype=object),
        "growth_bytes": np.array([growth * 1e6]),
        "window_rss_growth_bytes": np.array([np.nan]),
        "window_retained_bytes": np.array([np.nan]),
    }
    found = find_responsible(frame, DEFAULT_THRESHOLDS, sites=sites)

    assert found["responsible_file"][0] == named
