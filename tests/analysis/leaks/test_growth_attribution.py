"""Growth is shared out among lines, types and holders, and each site and type is judged as a run is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.analysis.leaks.growth_attribution import (
    ATTRIBUTION_COLUMNS,
    OBJECT_VERDICT_COLUMNS,
    SITE_VERDICT_COLUMNS,
    assess_objects,
    assess_sites,
    attribute_growth,
)
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.errors import MissingColumnError
from memanalysis.units import KIB, MIB

START = pd.Timestamp("2026-01-01", tz="UTC")


def site_rows(sizes: dict[str, list[float | None]], *, run_id: str = "run-1") -> pd.DataFrame:
    """Sizes of lines in snapshots a minute apart; None: not listed."""
    return pd.DataFrame(
        [
            {
                "service": "shop",
                "run_id": run_id,
                "timestamp": START + pd.Timedelta(minutes=i),
                "site_id": f"id-{file}",
                "file": file,
                "line": 7,
                "function": "f",
                "size_bytes": size,
                "live_allocations": 10,
            }
            for file, series in sizes.items()
            for i, size in enumerate(series)
            if size is not None
        ]
    )


def type_rows(sizes: dict[str, list[float | None]]) -> pd.DataFrame:
    return (
        site_rows(sizes).rename(columns={"file": "type", "live_allocations": "count"}).drop(columns=["line", "site_id"])
    )


def holders(*chains: tuple[str, float]) -> pd.DataFrame:
    """One event as the recorder writes it."""
    data = [{"chain": chain, "share": share} for chain, share in chains]
    return pd.DataFrame(
        {"service": ["shop"], "run_id": ["run-1"], "timestamp": [START], "kind": ["holders"], "data": [data]}
    )


RAMP = [100 * KIB * i for i in range(30)]


@pytest.mark.slow
def test_shares_of_lines_add_up_with_a_row_for_the_rest():
    """Six parts, three, two and one of twelve; the fifth keeps still and has no row."""
    parts = {"a.py": 6, "b.py": 3, "c.py": 2, "d.py": 1, "still.py": 0}
    found = attribute_growth(sites=site_rows({f: [p * x + KIB for x in RAMP] for f, p in parts.items()}), most=2)

    assert found.columns.tolist() == list(ATTRIBUTION_COLUMNS)
    assert found["name"].tolist() == ["a.py:7", "b.py:7", "the rest"]
    assert found["share"].tolist() == pytest.approx([6 / 12, 3 / 12, 3 / 12])
    assert found["is_rest"].tolist() == [False, False, True]
    assert found["growth_bytes"].iloc[2] == pytest.approx(found["growth_bytes"].iloc[1])
    assert found["line"].tolist() == [7, 7, pd.NA]


def test_types_and_holders_are_shared_out_beside_the_lines():
    chains = holders(("app.cache -> dict -> app.Session", 0.75), ("... -> app.Session", 0.2))
    found = attribute_growth(
        sites=site_rows({"a.py": RAMP}),
        objects=type_rows({"app.Session": RAMP, "dict": [2 * x for x in RAMP]}),
        events=chains,
    )

    assert found.groupby("kind")["share"].sum().to_dict() == pytest.approx({"site": 1, "type": 1, "holder": 1})
    assert found.loc[found["kind"] == "type", "name"].tolist() == ["dict", "app.Session", "the rest"]
    of_holders = found[found["kind"] == "holder"]
    assert of_holders["share"].tolist() == pytest.approx([0.75, 0.2, 0.05])
    assert of_holders["growth_bytes"].isna().all()


@pytest.mark.slow
@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=30), st.integers(1, 12))
def test_shares_add_up_to_one_whatever_grew(slopes, most):
    """Of four snapshots the last three are judged: two steps."""
    found = attribute_growth(
        sites=site_rows({f"{i}.py": [slope * x for x in range(4)] for i, slope in enumerate(slopes)}), most=most
    )

    assert found.empty == (max(slopes) == 0)
    if not found.empty:
        assert found["share"].sum() == pytest.approx(1)
        assert len(found) <= most + 1
        assert found["growth_bytes"].sum() == pytest.approx(2 * sum(slopes))


@pytest.mark.parametrize("data", [None, "text", {}, [1], [{"chain": "a"}], [{"chain": "a", "share": "much"}]])
def test_an_event_that_is_laid_out_otherwise_tells_of_no_holders(data):
    events = holders().assign(data=pd.Series([data], dtype=object))
    assert attribute_growth(events=events).empty


def test_nothing_given_or_nothing_grown_gives_no_rows():
    assert attribute_growth().columns.tolist() == list(ATTRIBUTION_COLUMNS)
    assert attribute_growth(sites=site_rows({"a.py": [5.0, 5.0]}), objects=type_rows({"dict": [9.0]})).empty


def test_a_site_is_judged_as_its_series_is():
    """The engine's verdict on one series, asked apart, is that of the row; a cache that filled is none."""
    filled = [float(min(x, 400 * KIB)) for x in RAMP]
    verdicts = assess_sites(site_rows({"leak.py": RAMP, "cache.py": filled})).set_index("file")
    alone = assess_series(60.0 * np.arange(30), RAMP)

    assert verdicts.reset_index()[list(SITE_VERDICT_COLUMNS)].columns.tolist() == list(SITE_VERDICT_COLUMNS)
    assert verdicts.loc["leak.py", "shape"] == alone.shape == "growing"
    assert verdicts.loc["leak.py", "slope_bytes_per_s"] == pytest.approx(alone.slope_bytes_per_s)
    assert verdicts.loc["leak.py", "n_snapshots"] == 30
    assert verdicts["is_leak"].to_dict() == {"leak.py": True, "cache.py": False}


def test_a_site_that_a_whole_table_does_not_list_held_nothing():
    """The middle snapshots list fewer sites than the last, so they were not cut: the site was gone."""
    here_and_there = [None, 50.0 * KIB] * 15
    others = {f"{i}.py": [float(KIB)] * 30 for i in range(5)} | {"late.py": [None] * 29 + [float(KIB)]}
    verdict = assess_sites(site_rows({"a.py": here_and_there} | others)).set_index("file").loc["a.py"]

    assert verdict["n_snapshots"] == 30
    assert not verdict["is_leak"]


def test_a_site_that_was_cut_from_the_table_is_not_taken_for_empty():
    """Three sites a snapshot are kept; the small one shows up when it is large enough, and is judged from there on."""
    late = [None] * 15 + [300.0 * KIB + x for x in RAMP[:15]]
    early = [250.0 * KIB] * 15 + [None] * 15
    rows = site_rows({"x.py": [float(MIB)] * 30, "y.py": [float(2 * MIB)] * 30, "late.py": late, "early.py": early})
    verdicts = assess_sites(rows).set_index("file")

    assert verdicts.loc["late.py", ["n_snapshots", "shape"]].tolist() == [15, "growing"]
    assert verdicts.loc["early.py", "latest_bytes"] == 250 * KIB


def test_a_large_site_that_is_missing_from_a_cut_table_has_shrunk():
    """It held 3 MiB, and is not among three sites whose second holds 1 MiB: it holds no more than that."""
    gone = [3.0 * MIB] * 15 + [None] * 15
    small = [None] * 15 + [1.0 * KIB] * 15
    rows = site_rows({"x.py": [float(MIB)] * 30, "y.py": [2.0 * MIB] * 30, "gone.py": gone, "small.py": small})
    verdict = assess_sites(rows).set_index("file").loc["gone.py"]

    assert verdict["latest_bytes"] == MIB
    assert verdict["n_snapshots"] >= 15


def test_types_are_judged_by_their_bytes():
    verdicts = assess_objects(type_rows({"app.Session": RAMP, "dict": [float(MIB)] * 30}))

    assert verdicts.columns.tolist() == list(OBJECT_VERDICT_COLUMNS)
    assert verdicts[["type", "shape"]].values.tolist() == [["app.Session", "growing"], ["dict", "stable"]]


def test_runs_are_judged_apart():
    two = pd.concat([site_rows({"a.py": RAMP}), site_rows({"a.py": RAMP[::-1]}, run_id="run-2")])
    assert assess_sites(two).set_index("run_id")["is_leak"].to_dict() == {"run-1": True, "run-2": False}


def test_one_snapshot_is_inconclusive():
    verdict = assess_sites(site_rows({"a.py": [9.0]})).iloc[0]

    assert (verdict["shape"], verdict["n_snapshots"]) == ("inconclusive", 1)
    assert np.isnan(verdict["slope_bytes_per_s"])


def test_rows_that_are_there_twice_or_unknown_change_nothing():
    rows = site_rows({"a.py": RAMP, "b.py": RAMP})
    unknown = rows.iloc[:3].assign(size_bytes=np.nan)
    more = pd.concat([rows, rows.iloc[::2], unknown], ignore_index=True)

    pd.testing.assert_frame_equal(assess_sites(more), assess_sites(rows))
    pd.testing.assert_frame_equal(attribute_growth(sites=more), attribute_growth(sites=rows))


@pytest.mark.parametrize(
    ("call", "column"),
    [
        (lambda: assess_sites(site_rows({"a.py": RAMP}).drop(columns="size_bytes")), "size_bytes"),
        (lambda: assess_objects(type_rows({"a": RAMP}).drop(columns="type")), "type"),
        (lambda: attribute_growth(objects=type_rows({"a": RAMP}).drop(columns="timestamp")), "timestamp"),
        (lambda: attribute_growth(events=holders(("a", 1.0)).drop(columns="data")), "data"),
    ],
)
def test_a_missing_column_is_named(call, column):
    with pytest.raises(MissingColumnError, match=rf"needs the columns \['{column}'\]"):
        call()


def test_empty_tables_have_no_verdicts():
    assert assess_sites(site_rows({"a.py": RAMP}).iloc[:0]).columns.tolist() == list(SITE_VERDICT_COLUMNS)
    assert assess_objects(type_rows({"a": RAMP}).iloc[:0]).columns.tolist() == list(OBJECT_VERDICT_COLUMNS)
