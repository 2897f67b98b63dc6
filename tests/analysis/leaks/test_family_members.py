"""Processes that lived beside each other and descend from one program, or have one parent, are a family."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.analysis.leaks.family_members import Family, find_families

START = pd.Timestamp("2025-06-15 12:00:00", tz="UTC")


def process(pid: int, parent: int | None = None, **known: Any) -> dict[str, Any]:
    """A run; ``born`` and ``lives`` are seconds."""
    run = {"run_id": f"run-{pid}", "service": "web", "host": "h", "pid": pid, "parent_pid": parent}
    return run | {"program_pid": None, "born": 0.0, "lives": 60.0} | known


def find(runs: Iterable[dict[str, Any]]) -> list[Family]:
    """The families of runs that are all judged."""
    table = pd.DataFrame(list(runs)).astype({"pid": "Int64", "parent_pid": "Int64", "program_pid": "Int64"})
    table["started"] = START + pd.to_timedelta(table["born"], unit="s")
    places = {key: i for i, key in enumerate(zip(table["service"], table["run_id"], strict=True))}
    return find_families(table, places, table["lives"].to_numpy())


def names(families: list[Family]) -> dict[str, list[str]]:
    return {family.family_id: [member.run_id for member in family.members] for family in families}


def test_parents_are_followed_for_as_long_as_they_were_recorded() -> None:
    """1 started 2, and 2 started 3; the parent of 9 was not recorded, and that of 1 is not known."""
    families = find([process(1), process(2, 1, born=5), process(3, 2, born=9), process(9, 8)])

    assert names(families) == {"run-1": ["run-1", "run-2", "run-3"]}
    assert families[0].master is families[0].members[0] is families[0].first


def test_siblings_of_one_service_have_a_family_without_a_master() -> None:
    """The parent was not recorded: it gives host and pid, and what started first speaks for the family."""
    runs = [process(5, 4, born=2), process(6, 4, born=1), process(7, 4, service="job"), process(8, 4, host="other")]
    (family,) = find(runs)

    assert family.family_id == "h-4"
    assert family.master is None
    assert family.first.run_id == "run-6"
    assert [member.run_id for member in family.members] == ["run-6", "run-5"]


def test_a_program_is_the_master_of_all_that_name_it() -> None:
    """Also where a process between the two was not recorded."""
    families = find([process(1, program_pid=1), process(3, 77, program_pid=1), process(4, 78, program_pid=1)])

    assert names(families) == {"run-1": ["run-1", "run-3", "run-4"]}
    assert families[0].first.pid == 1


def test_a_program_that_was_not_recorded_leaves_its_workers_beside_each_other() -> None:
    (family,) = find([process(3, 77, program_pid=1), process(4, 78, program_pid=1)])

    assert (family.family_id, family.master) == ("h-1", None)


@pytest.mark.parametrize(("late_s", "is_found"), [(0.0, True), (1.0, True), (1.5, False)])
def test_a_parent_may_be_recorded_up_to_a_second_after_its_child(late_s: float, is_found: bool) -> None:
    for program in (None, 1):
        families = find([process(1, born=late_s, program_pid=program), process(2, 1, program_pid=program)])
        assert ("run-1" in names(families)) is is_found


def test_of_two_processes_of_one_pid_the_later_one_is_the_parent() -> None:
    """Pid 1 was used until second 29.5, and again from 29.8 on; the recorders may differ by a second."""
    old, own, later = process(1, lives=29.5), process(1, born=29.8), process(1, born=90.0)
    runs = [old | {"run_id": "old"}, own | {"run_id": "own"}, later | {"run_id": "later"}, process(2, 1, born=30.0)]

    assert names(find(runs)) == {"own": ["own", "run-2"]}


def test_a_process_that_was_dead_is_no_parent() -> None:
    """Pid 1 lived for 10 seconds, in which it started 3, which outlives it; the pid 1 of second 15 is another one."""
    families = find([process(1, lives=10.0), process(3, 1, born=5.0), process(2, 1, born=15.0)])
    assert names(families) == {"run-1": ["run-1", "run-3"]}


@pytest.mark.parametrize(("lives", "is_found"), [(10.0, False), (10.5, True)])
def test_what_followed_one_after_the_other_is_no_family(lives: float, is_found: bool) -> None:
    families = find([process(5, 4, lives=lives), process(6, 4, born=10.0)])
    assert bool(families) is is_found


def test_what_is_not_judged_or_not_known_is_left_out() -> None:
    """Run 2 is not judged; of 4 and 5, which would be siblings, it is not known when they started."""
    runs = pd.DataFrame([process(1), process(2, 1), process(3, 1), process(4, 50), process(5, 50)])
    runs["started"] = pd.Series([START, START, START, pd.NaT, pd.NaT])
    places = {("web", "run-1"): 1, ("web", "run-3"): 0, ("web", "run-4"): 2, ("web", "run-5"): 3}
    (family,) = find_families(runs, places, np.array([7.0, 11.0, 13.0, 13.0]))

    began_s = START.timestamp()
    assert [(one.run_id, one.place) for one in family.members] == [("run-1", 1), ("run-3", 0)]
    assert [(one.started_s, one.ended_s) for one in family.members] == [(began_s, began_s + 11), (began_s, began_s + 7)]


def test_no_runs_and_one_run_have_no_family() -> None:
    one = pd.DataFrame([process(1, 1)]).assign(started=START)

    assert find_families(one, {("web", "run-1"): 0}, np.array([60.0])) == []
    assert find_families(one.iloc[:0], {}, np.zeros(0)) == []


PIDS = st.integers(1, 5)
RUNS = st.lists(
    st.builds(
        process,
        PIDS,
        st.none() | PIDS,
        program_pid=st.none() | PIDS,
        host=st.sampled_from(["h", "g"]),
        lives=st.sampled_from([1.0, 5.0, 50.0]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15)
@given(runs=RUNS, data=st.data())
def test_the_order_of_the_rows_does_not_matter_and_nothing_has_two_families(
    runs: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Runs that start three seconds after each other, with any parents, also those that go round in a circle."""
    named = [run | {"run_id": f"r{i}", "born": 3.0 * i} for i, run in enumerate(runs)]
    families = names(find(named))
    members = [run_id for own in families.values() for run_id in own]

    assert names(find(data.draw(st.permutations(named)))) == families
    assert len(members) == len(set(members))
