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
