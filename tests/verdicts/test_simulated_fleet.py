"""A simulated fleet is judged as it was planned, and its labels are named: short `benchmarks.fleet`."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from benchmarks.fleet.pivot_run import pivot_fleet
from benchmarks.fleet.plan import FleetPlan, PlannedRun, plan_services
from benchmarks.fleet.simulate import write_fleet
from benchmarks.fleet.truth import hold_against_truth
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.verdicts.assess import assess

pytestmark = pytest.mark.slow

PLAN = FleetPlan(seed=3, rows=24_000, services=8, hosts=4, interval_s=300.0, leaking=0.25)

SEEDS = range(1, 4)
"""Of fleets; `python -m benchmarks pivot` takes a hundred."""


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "ledger"
    write_fleet(PLAN, plan_services(PLAN), path)
    return path


@pytest.fixture(scope="module")
def verdicts(simulated: Path) -> pd.DataFrame:
    return assess(simulated)


def test_the_ledger_has_the_planned_runs_and_number_of_samples(simulated: Path):
    planned = [run for runs in plan_services(PLAN) for run in runs]
    runs = open_ledger(simulated).runs

    assert set(runs["run_id"]) == {run.run_id for run in planned}
    assert abs(len(open_ledger(simulated).samples) - PLAN.rows) <= len(planned)
    assert open_ledger(simulated).damage == []


def test_the_same_seed_is_the_same_fleet_and_another_seed_another():
    def list_runs(plan: FleetPlan) -> list[PlannedRun]:
        return [run for runs in plan_services(plan) for run in runs]

    assert list_runs(PLAN) == list_runs(PLAN)
    assert list_runs(PLAN) != list_runs(replace(PLAN, seed=4))


def test_the_planted_leaks_are_found_with_their_lines_and_no_other_in_a_run_of_a_day(verdicts: pd.DataFrame):
    found = hold_against_truth(verdicts, plan_services(PLAN))

    assert (found.planted, found.found, found.named, found.alarms) == (2, 2, 2, 0)


def test_the_latest_runs_have_the_verdicts_that_they_have_among_all(simulated: Path, verdicts: pd.DataFrame):
    latest = assess(simulated, only_latest=True)
    among_all = verdicts[verdicts["run_id"].isin(latest["run_id"])].reset_index(drop=True)

    assert 0 < len(latest) < len(verdicts)
    assert_frame_equal(latest, among_all)


def test_the_label_that_explains_planted_leaks_is_named_first_and_no_other():
    """Of twenty labels; where the leaks of a fleet are too few to show which, none is named."""
    judged = [pivot_fleet(seed, is_explained=True) for seed in SEEDS]

    assert min(one.labels for one in judged) >= 20
    assert [one for one in judged if one.first and not one.is_right] == []
    assert sum(one.is_right for one in judged) >= len(judged) - 1


def test_leaks_that_no_label_explains_name_none():
    judged = [pivot_fleet(seed, is_explained=False) for seed in SEEDS]

    assert [one.first for one in judged] == [()] * len(judged)
