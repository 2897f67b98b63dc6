"""Runs that may be one family are in one group, and what has nothing in common is apart."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from memanalysis.analysis.leaks.family_members import find_families
from memanalysis.analysis.leaks.kindred_runs import Groups, find_kindred


def process(pid: int | None, parent: int | None = None, program: int | None = None, **known: Any) -> dict[str, Any]:
    run = {"run_id": f"run-{pid}", "service": "web", "host": "h", "pid": pid}
    return run | {"parent_pid": parent, "program_pid": program} | known


def group(*runs: dict[str, Any]) -> list[int]:
    table = pd.DataFrame(runs).astype({"pid": "Int64", "parent_pid": "Int64", "program_pid": "Int64"})
    return find_kindred(table).tolist()


@given(size=st.integers(1, 12), data=st.data())
def test_a_group_is_what_is_connected_and_its_name_the_lowest_number(size: int, data: st.DataObject) -> None:
    """The connected components of scipy are the same groups."""
    pairs = data.draw(st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=12))
    groups = Groups(size)
    for first, second in pairs:
        groups.join(first, second)
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    _, labels = connected_components(coo_array((np.ones(len(pairs)), (ends[0], ends[1])), shape=(size, size)))

    lowest = [int(np.flatnonzero(labels == label)[0]) for label in labels]
    assert [groups.find(number) for number in range(size)] == lowest


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (process(1), process(2, 1)),
        (process(2, 1), process(1)),
        (process(1), process(2, 50, 1)),
        (process(2, 50, 1), process(1)),
        (process(2, 50, 9), process(3, 51, 9, service="job")),
        (process(2, 50), process(3, 50)),
        (process(1, run_id="a"), process(1, run_id="b", service="job")),
    ],
    ids=["parent", "child first", "program", "program last", "one program", "siblings", "one pid"],
)
def test_what_names_the_other_or_the_same_is_together(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert group(first, second) == [0, 0]
    assert group(first, second | {"host": "other"}) == [0, 1]


@pytest.mark.parametrize(
    "second",
    [process(3, 49, service="job"), process(3), process(3, 2, host="other"), process(None), process(50, 51)],
    ids=["another service", "no parent", "another host", "nothing known", "another parent"],
)
def test_what_has_nothing_in_common_is_apart(second: dict[str, Any]) -> None:
    assert group(process(2, 49), second) == [0, 1]


def test_unknown_parents_and_programs_are_not_one_and_the_same() -> None:
    assert group(process(1), process(2), process(None), process(None)) == [0, 1, 2, 3]
    mixed = pd.DataFrame([process(1), process(2), process(3)], dtype=object)
    mixed["parent_pid"] = pd.Series([None, np.nan, pd.NA], dtype=object)
    assert find_kindred(mixed).tolist() == [0, 1, 2]


def test_a_chain_joins_its_ends() -> None:
    """4 and 1 have nothing in common but 2, which is the child of one and the parent of the other."""
    assert group(process(4, 2), process(9), process(1), process(2, 1)) == [0, 1, 0, 0]


def test_no_runs_have_no_groups() -> None:
    empty = pd.DataFrame([process(1)]).iloc[:0]

    assert find_kindred(empty).shape == (0,)


NUMBERS = st.none() | st.integers(1, 6)
RUNS = st.lists(
    st.builds(
        process,
        NUMBERS,
        NUMBERS,
        NUMBERS,
        host=st.sampled_from(["h", "g"]),
        service=st.sampled_from(["web", "job"]),
        born=st.integers(0, 20),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=20)
@given(runs=RUNS)
def test_no_family_has_members_in_two_groups(runs: list[dict[str, Any]]) -> None:
    table = pd.DataFrame([run | {"run_id": f"r{i}"} for i, run in enumerate(runs)])
    table["started"] = pd.Timestamp("2025-06-15", tz="UTC") + pd.to_timedelta(table["born"], unit="s")
    places = {key: i for i, key in enumerate(zip(table["service"], table["run_id"], strict=True))}
    groups = find_kindred(table)

    for family in find_families(table, places, np.full(len(table), 30.0)):
        assert len({int(groups[member.place]) for member in family.members}) == 1


@settings(max_examples=20)
@given(runs=RUNS, data=st.data())
def test_the_order_of_the_rows_does_not_matter(runs: list[dict[str, Any]], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(runs))))
    groups, moved = group(*runs), group(*(runs[i] for i in order))

    assert [[groups[i] == groups[j] for j in order] for i in order] == [[a == b for b in moved] for a in moved]
