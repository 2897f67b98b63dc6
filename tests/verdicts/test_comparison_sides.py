"""A cut puts each sample on the side that its moment or its release gives, each service and run by its own."""

import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis import open_ledger
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import WHOLE, LedgerPart
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.verdicts.comparison_sides import (
    Cut,
    MarkCut,
    Side,
    TwoLedgers,
    cut_at_mark,
    cut_by_release,
    cut_since_release,
    find_releases,
)
from memanalysis.verdicts.run_ends import read_runs

START = 1_767_225_600.0
"""2026-01-01 00:00 UTC."""

Marks = list[tuple[float, str]]


def write_run(path: Path, service: str, run: str, seconds: range, *, marks: Marks | None = None, **row: Any) -> None:
    """Write a run with a sample and a snapshot of one line at each of these seconds of the ledger."""
    begin = START + seconds[0]
    writer = LedgerWriter(path, run={"run_id": run, "service": service, "started": begin, **row}, flush="manual")
    ticks = [{"seq": at, "timestamp": START + at} for at in seconds]
    writer.append(
        "samples",
        [tick | {"elapsed_s": at - seconds[0], "rss_bytes": at} for tick, at in zip(ticks, seconds, strict=True)],
    )
    writer.append("sites", [tick | {"site_id": "a", "file": "a.py", "line": 1, "size_bytes": 5} for tick in ticks])
    writer.append("events", [{"timestamp": START + at, "kind": "mark", "message": text} for at, text in marks or []])
    writer.append("events", [{"timestamp": START + seconds[0], "kind": "start", "message": "deploy 2"}])
    writer.close(ended=START + seconds[-1], seal=False)


def list_seconds(rows: pd.DataFrame) -> dict[str, list[int]]:
    """The seconds of each run, from its timestamps."""
    at = (rows["timestamp"] - pd.Timestamp(START, unit="s", tz="UTC")).dt.total_seconds().astype(int)
    return {str(run): sorted(own) for run, own in at.groupby(rows["run_id"].astype(str)).agg(list).items()}


def read_sides(cut: Cut, part: LedgerPart = WHOLE) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """The seconds of each run on both sides, the same for samples and sites."""
    sides = cut.read(part)
    for side in sides:
        assert list_seconds(side.samples) == list_seconds(side.sites)
    before, after = (list_seconds(side.samples) for side in sides)
    return before, after


def test_two_ledgers_are_a_side_each(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "api", "r1", range(3))
    write_run(tmp_path / "b", "api", "r1", range(5, 9))
    write_run(tmp_path / "b", "jobs", "r2", range(2))
    before, after = open_ledger(tmp_path / "a"), open_ledger(tmp_path / "b")
    cut = TwoLedgers(before, after)

    assert cut.ledgers == (before, after)
    assert read_sides(cut) == ({"r1": [0, 1, 2]}, {"r1": [5, 6, 7, 8], "r2": [0, 1]})
    assert read_sides(cut, LedgerPart(partitions=("service_key=jobs",))) == ({}, {"r2": [0, 1]})


def test_the_sample_at_the_mark_is_after_it_and_services_without_it_are_left_out(tmp_path: Path) -> None:
    write_run(tmp_path, "api", "r1", range(20), marks=[(10, "deploy 2")])
    write_run(tmp_path, "jobs", "r2", range(20), marks=[(10, "deploy 3")])
    cut = cut_at_mark(open_ledger(tmp_path), "deploy 2")

    assert read_sides(cut) == ({"r1": [*range(10)]}, {"r1": [*range(10, 20)]})
    assert read_sides(cut, LedgerPart(partitions=("service_key=jobs",))) == ({}, {})


def test_each_service_is_cut_at_its_own_first_mark_which_a_restart_does_not_move(tmp_path: Path) -> None:
    write_run(tmp_path, "api", "r1", range(20), marks=[(8, "flag on"), (15, "flag on")])
    write_run(tmp_path, "api", "r2", range(20, 40), marks=[(35, "flag on")])
    write_run(tmp_path, "jobs", "r3", range(20), marks=[(12, "flag on")])

    assert read_sides(cut_at_mark(open_ledger(tmp_path), "flag on")) == (
        {"r1": [*range(8)], "r3": [*range(12)]},
        {"r1": [*range(8, 20)], "r2": [*range(20, 40)], "r3": [*range(12, 20)]},
    )


def test_a_run_that_began_before_is_cut_at_its_own_mark_or_else_at_that_of_its_service(tmp_path: Path) -> None:
    write_run(tmp_path, "api", "early", range(30), marks=[(10, "deploy 2")])
    write_run(tmp_path, "api", "late", range(30), marks=[(20, "deploy 2")])
    write_run(tmp_path, "api", "none", range(30))

    assert read_sides(cut_at_mark(open_ledger(tmp_path), "deploy 2")) == (
        {"early": [*range(10)], "late": [*range(20)], "none": [*range(10)]},
        {"early": [*range(10, 30)], "late": [*range(20, 30)], "none": [*range(10, 30)]},
    )


@pytest.mark.parametrize(("second", "n_before"), [(4, 0), (5, 5)])
def test_a_mark_in_the_first_tenth_of_a_run_counts_from_its_first_sample(
    tmp_path: Path, second: int, n_before: int
) -> None:
    """A run of 40 seconds starts in no more than 4 of them."""
    write_run(tmp_path, "api", "old", range(-10, 0))
    write_run(tmp_path, "api", "new", range(41), marks=[(second, "deploy 2")])
    before, after = read_sides(cut_at_mark(open_ledger(tmp_path), "deploy 2"))

    assert before.pop("old") == [*range(-10, 0)]
    assert before == ({"new": [*range(n_before)]} if n_before else {})
    assert after == {"new": [*range(n_before, 41)]}


def test_the_sides_end_at_the_neighbouring_marks_of_the_same_kind(tmp_path: Path) -> None:
    """Marks of other words end nothing; of the release before, its first mark counts, also where it was set again."""
    marks = [
        (10, "deploy 1.2"), (20, "deploy 1.3"), (25, "flag 7 on"), (30, "deploy 1.3"), (40, "deploy 1.4"),
        (45, "flag 8 on"), (50, "deploy 1.5"), (60, "deploy 1.6"),
    ]  # fmt: skip
    write_run(tmp_path, "api", "r1", range(70), marks=marks)
    ledger = open_ledger(tmp_path)

    assert read_sides(cut_at_mark(ledger, "deploy 1.4")) == ({"r1": [*range(20, 40)]}, {"r1": [*range(40, 50)]})
    assert read_sides(cut_at_mark(ledger, "deploy 1.2")) == ({"r1": [*range(10)]}, {"r1": [*range(10, 20)]})
    assert read_sides(cut_at_mark(ledger, "deploy 1.6")) == ({"r1": [*range(50, 60)]}, {"r1": [*range(60, 70)]})
    assert read_sides(cut_at_mark(ledger, "flag 8 on")) == ({"r1": [*range(25, 45)]}, {"r1": [*range(45, 70)]})


def test_marks_of_another_service_end_nothing(tmp_path: Path) -> None:
    write_run(tmp_path, "api", "r1", range(40), marks=[(20, "deploy 2")])
    write_run(tmp_path, "jobs", "r2", range(40), marks=[(10, "deploy 1"), (20, "deploy 2"), (30, "deploy 3")])

    assert read_sides(cut_at_mark(open_ledger(tmp_path), "deploy 2")) == (
        {"r1": [*range(20)], "r2": [*range(10, 20)]},
        {"r1": [*range(20, 40)], "r2": [*range(20, 30)]},
    )


@settings(max_examples=8)
@given(seconds=st.lists(st.integers(0, 29), min_size=1, max_size=3), late=st.integers(0, 29))
def test_without_a_neighbour_each_sample_is_on_one_side(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[int], late: int
) -> None:
    path = tmp_path_factory.mktemp("marks")
    write_run(path, "api", "r1", range(30), marks=[(at, "flag on") for at in seconds])
    write_run(path, "api", "r2", range(5, 25), marks=[(late, "flag on")])
    before, after = read_sides(cut_at_mark(open_ledger(path), "flag on"))

    for run, whole in (("r1", range(30)), ("r2", range(5, 25))):
        assert [*before.get(run, []), *after.get(run, [])] == [*whole]


def test_a_mark_that_no_service_has_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    """The word of an event that is no mark does not count."""
    write_run(tmp_path, "api", "r1", range(3))
    ledger = open_ledger(tmp_path)
    with pytest.raises(InvalidArgumentError) as caught:
        cut_at_mark(ledger, "deploy 2")

    assert str(caught.value) == (
        f"compare needs a mark called 'deploy 2' in {ledger.path}, but it has none. Set one with recorder.mark(text)."
    )


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """``api`` in three releases, the second twice, ``jobs`` in two at other times, and a run of no known release.

    The release of ``other`` is called as two commits begin.
    """
    path = tmp_path_factory.mktemp("releases")
    commits = ("abc1" + "0" * 36, "ABC2" + "0" * 36, "2.0f" + "0" * 36)
    for run, second, release, commit in (
        ("a1", 0, "2.1", commits[0]), ("a2", 100, "2.0", commits[1]), ("a3", 200, "2.0", commits[1]),
        ("a4", 300, "1.9", commits[2]), ("a5", 150, None, None),
    ):  # fmt: skip
        write_run(path, "api", run, range(second, second + 2), release=release, git_commit=commit)
    write_run(path, "jobs", "j1", range(120, 122), git_commit=commits[0])
    write_run(path, "jobs", "j2", range(130, 132), release="2.0", git_commit=commits[1])
    write_run(path, "other", "o1", range(2), release="abc1")
    return open_ledger(path)


def list_runs(cut: Cut) -> tuple[list[str], list[str]]:
    before, after = read_sides(cut)
    return sorted(before), sorted(after)


def test_a_run_is_called_by_its_release_or_else_by_twelve_digits_of_its_commit(releases: Ledger) -> None:
    names = find_releases(read_runs(releases)).set_index("run_id")["name"]

    assert names["a1"] == "2.1"
    assert names["j1"] == "abc100000000"
    assert pd.isna(names["a5"])


@pytest.mark.parametrize(
    ("before", "after", "runs"),
    [
        ("2.1", "2.0", (["a1"], ["a2", "a3", "j2"])),
        ("ABC10", "abc2", (["a1", "j1"], ["a2", "a3", "j2"])),
        ("1.9", "abc1", (["a4"], ["o1"])),
        ("abc10", "2.0f", (["a1", "j1"], ["a4"])),
    ],
)
def test_a_release_is_its_exact_name_or_else_the_first_digits_of_a_commit(
    releases: Ledger, before: str, after: str, runs: tuple[list[str], list[str]]
) -> None:
    assert list_runs(cut_by_release(releases, before, after)) == runs


@pytest.mark.parametrize("name", ["abc", "2", "bc20"])
def test_fewer_than_four_digits_and_others_than_the_first_are_no_commit(releases: Ledger, name: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        cut_by_release(releases, "2.1", name)

    text = str(caught.value)
    assert text.startswith(f"compare needs runs of the release {name!r} in {releases.path}, but it has ")
    assert text.endswith(". Name one of these, or cut the ledger with mark=.")
    known = text.partition("but it has ")[2].partition(". Name")[0].split(", ")
    assert sorted(known) == ["'1.9'", "'2.0'", "'2.1'", "'abc1'", "'abc100000000'"]


def test_a_release_and_the_commit_of_its_runs_are_not_two(releases: Ledger) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        cut_by_release(releases, "2.0", "abc2")

    assert str(caught.value) == (
        "compare needs two releases, but '2.0' and 'abc2' have runs in common. Write more of their names."
    )


def test_since_a_release_each_service_is_cut_where_its_first_run_of_it_started(releases: Ledger) -> None:
    """``api`` from second 100 on, whatever its runs are called, and ``jobs`` from 130 on; ``other`` never had it."""
    assert list_runs(cut_since_release(releases, "2.0")) == (["a1", "j1"], ["a2", "a3", "a4", "a5", "j2"])
    assert list_runs(cut_since_release(releases, "1.9")) == (["a1", "a2", "a3", "a5"], ["a4"])
    with pytest.raises(InvalidArgumentError) as caught:
        cut_since_release(releases, "2.1")

    assert str(caught.value) == (
        f"compare needs runs from before the release '2.1' in {releases.path}, but has none. Name a later one."
    )


def test_runs_of_one_name_in_two_services_are_not_mixed(tmp_path: Path) -> None:
    write_run(tmp_path, "api", "r1", range(2), release="1")
    write_run(tmp_path, "api", "r2", range(2, 4), release="2")
    write_run(tmp_path, "jobs", "r1", range(4, 6), release="2")
    before, after = cut_by_release(open_ledger(tmp_path), "1", "2").read(WHOLE)

    assert before.samples[["service", "run_id"]].drop_duplicates().values.tolist() == [["api", "r1"]]
    assert sorted(after.samples[["service", "run_id"]].drop_duplicates().values.tolist()) == [
        ["api", "r2"], ["jobs", "r1"]
    ]  # fmt: skip


def test_a_cut_that_is_sent_to_another_process_reads_the_same(releases: Ledger, tmp_path: Path) -> None:
    write_run(tmp_path, "marked", "m1", range(20), marks=[(10, "flag on")])
    marked = open_ledger(tmp_path)
    for cut in (
        TwoLedgers(releases, marked),
        MarkCut(marked, "flag on"),
        cut_by_release(releases, "2.1", "2.0"),
    ):
        received: Cut = pickle.loads(pickle.dumps(cut))  # noqa: S301
        for side, own in zip(received.read(WHOLE), cut.read(WHOLE), strict=True):
            assert isinstance(side, Side)
            pd.testing.assert_frame_equal(side.samples, own.samples)
            pd.testing.assert_frame_equal(side.sites, own.sites)
            assert len(own.samples)
