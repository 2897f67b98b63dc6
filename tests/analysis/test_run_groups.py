"""Samples are grouped as pandas groups them."""

import pandas as pd
import pytest

from memanalysis.analysis.run_groups import group_runs


def name_run(key: tuple[object, ...]) -> list[str]:
    return ["unknown" if pd.isna(part) else str(part) for part in key]


@pytest.mark.parametrize(
    "run_ids",
    [["b", "b", "a", "a", "a"], ["a", "b", "a", "b", "a"], [2, 2, 1, 1, 1], [None, "a", None, "a", "a"]],
    ids=["lie together", "mixed up", "numbers", "unknown"],
)
def test_runs_and_rows_are_those_of_groupby(run_ids: list[object]) -> None:
    samples = pd.DataFrame({"service": ["s", "s", "s", "t", "t"], "run_id": run_ids, "at": range(5)})

    grouped, runs, counts = group_runs(samples)

    expected = list(samples.groupby(["service", "run_id"], sort=True, dropna=False))
    found = [(row.service, row.run_id) for row in runs.itertuples()]
    assert [name_run(key) for key in found] == [name_run(key) for key, _ in expected]
    assert counts.tolist() == [len(rows) for _, rows in expected]
    assert grouped["at"].tolist() == [at for _, rows in expected for at in rows["at"]]


def test_names_that_cannot_be_compared_stay_in_their_order() -> None:
    samples = pd.DataFrame({"service": "s", "run_id": [2, 2, "x", 1]})

    _, runs, counts = group_runs(samples)

    assert runs["run_id"].tolist() == [2, "x", 1]
    assert counts.tolist() == [2, 1, 1]
