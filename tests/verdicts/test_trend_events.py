"""A mark is listed where its service set it first in these weeks, and a death with its cause, the latest first."""

from pathlib import Path
from typing import Any

import pandas as pd
from ledger_rows import NEW_YEAR, run_row

from memanalysis import open_ledger
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.verdicts.run_ends import Cause, RunEnd
from memanalysis.verdicts.trend_events import DEATH_COLUMNS, MARK_COLUMNS, list_deaths, read_marks


def moment(second: float) -> pd.Timestamp:
    return pd.Timestamp(NEW_YEAR + second, unit="s", tz="UTC")


def write_events(path: Path, events: dict[str, list[tuple[float | None, str, str | None]]]) -> Ledger:
    """Write a run of each service with its events: second, kind and message."""
    for number, (service, rows) in enumerate(events.items()):
        writer = LedgerWriter(path, run=run_row(service, f"run-{number}"), flush="manual")
        writer.append(
            "events",
            [
                {"timestamp": None if at is None else NEW_YEAR + at, "kind": kind, "message": message}
                for at, kind, message in rows
            ],
        )
        writer.close(ended=NEW_YEAR + 100)
    return open_ledger(path)


def list_marks(ledger: Ledger, *, since: float = 0, services: tuple[str, ...] = ("api",)) -> list[tuple[Any, ...]]:
    marks = read_marks(ledger, since=moment(since), services=services)
    assert tuple(marks.columns) == MARK_COLUMNS
    return list(marks.itertuples(index=False, name=None))


def test_a_mark_that_is_set_again_counts_once_and_marks_come_in_the_order_of_time(tmp_path: Path) -> None:
    """Both services set one mark of the same name; the rows of each are written out of order."""
    ledger = write_events(
        tmp_path,
        {
            "api": [(30, "mark", "flag on"), (40, "mark", "deploy 2"), (10, "mark", "flag on")],
            "jobs": [(20, "mark", "flag on"), (5, "mark", "deploy 2")],
        },
    )

    assert list_marks(ledger, services=("api", "jobs")) == [
        ("jobs", moment(5), "deploy 2"),
        ("api", moment(10), "flag on"),
        ("jobs", moment(20), "flag on"),
        ("api", moment(40), "deploy 2"),
    ]


def test_other_events_and_marks_without_words_or_time_are_left_out(tmp_path: Path) -> None:
    ledger = write_events(
        tmp_path,
        {"api": [(1, "start", "recording"), (2, "mark", None), (None, "mark", "lost"), (3, "mark", "loaded")]},
    )

    assert list_marks(ledger) == [("api", moment(3), "loaded")]


def test_marks_of_other_services_and_of_before_are_left_out(tmp_path: Path) -> None:
    """A mark of before these weeks does not hide that it was set again in them; one at their first moment is in."""
    ledger = write_events(
        tmp_path,
        {
            "api": [(19, "mark", "flag on"), (20, "mark", "deploy"), (21, "mark", "flag on")],
            "jobs": [(30, "mark", "x")],
        },
    )

    assert list_marks(ledger, since=20) == [("api", moment(20), "deploy"), ("api", moment(21), "flag on")]


def test_without_a_mark_the_frame_is_empty_with_its_columns(tmp_path: Path) -> None:
    ledger = write_events(tmp_path, {"api": [(1, "start", "recording")], "quiet": []})

    assert list_marks(ledger, services=("api", "quiet")) == []
    assert list_marks(ledger, services=()) == []


def make_runs(*rows: tuple[str, str, float, bool]) -> pd.DataFrame:
    """Runs by service, run, second of the last sample, and whether it died; with a column that no page shows."""
    frame = pd.DataFrame(list(rows), columns=["service", "run_id", "last", "is_death"])
    return frame.assign(last=[moment(at) for at in frame["last"]], release="1.0", first=moment(0))


def make_end(cause: Cause) -> RunEnd:
    return RunEnd(run={}, ending={}, cause=cause)


def test_deaths_come_with_their_own_cause_the_latest_first_and_ties_in_their_order() -> None:
    runs = make_runs(
        ("api", "r1", 10, True), ("api", "r2", 30, True), ("api", "r3", 40, False), ("jobs", "r1", 30, True)
    )
    ends = {
        ("api", "r1"): make_end(Cause.KILLED),
        ("api", "r2"): make_end(Cause.CRASH),
        ("jobs", "r1"): make_end(Cause.OUT_OF_MEMORY),
    }
    deaths = list_deaths(runs, ends)

    assert deaths.index.tolist() == [0, 1, 2]
    assert list(deaths.itertuples(index=False, name=None)) == [
        ("api", "r2", moment(30), "1.0", "crash"),
        ("jobs", "r1", moment(30), "1.0", "out_of_memory"),
        ("api", "r1", moment(10), "1.0", "killed"),
    ]
    assert {type(cause) for cause in deaths["cause"]} == {str}


def test_where_no_run_died_the_frame_is_empty_with_its_columns() -> None:
    for runs in (make_runs(("api", "r1", 10, False)), make_runs(("api", "r1", 10, False)).iloc[:0]):
        deaths = list_deaths(runs, {})

        assert deaths.empty
        assert tuple(deaths.columns) == DEATH_COLUMNS
