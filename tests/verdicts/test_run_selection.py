"""Runs are asked about by service, by time, and as the latest of each service with what ran beside it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.run_selection import RunSelection, find_latest, parse_since, select_runs

START = 1_750_000_000.0
DAY_S = 86_400.0
RUNS = {
    ("api", "old"): (0.0, 60.0),
    ("api", "master"): (7 * DAY_S, 7 * DAY_S + 60),
    ("api", "worker"): (7 * DAY_S + 10, 7 * DAY_S + 30),
    ("jobs", "only"): (0.0, 20.0),
}
"""First and last second of each run."""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service that was started twice, the second time with a worker, and one that ran once."""
    path = tmp_path_factory.mktemp("selected") / "ledger"
    for (service, run_id), (first, last) in RUNS.items():
        row = {"run_id": run_id, "service": service, "started": START + first}
        writer = LedgerWriter(path, run=row, flush="manual")
        moments = [first + at for at in range(int(last - first) + 1)]
        writer.append(
            "samples",
            [
                {"seq": seq, "timestamp": START + at, "elapsed_s": at - first, "rss_bytes": 10**7}
                for seq, at in enumerate(moments)
            ],
        )
        writer.close(ended=START + last)
    return path


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (RunSelection(), {"old", "master", "worker", "only"}),
        (RunSelection(only_latest=True), {"master", "worker", "only"}),
        (RunSelection(services=["api"]), {"old", "master", "worker"}),
        (RunSelection(since=START + DAY_S), {"master", "worker"}),
        (RunSelection(since=START + 20, only_latest=True), {"master", "worker", "only"}),
        (RunSelection(since=START + 20.5), {"old", "master", "worker"}),
    ],
)
def test_runs_are_selected_by_service_time_and_latest_start(
    ledger: Path, selection: RunSelection, expected: set[str]
) -> None:
    assert set(select_runs(open_ledger(ledger), selection)["run_id"]) == expected
    verdicts = assess(ledger, services=selection.services, since=selection.since, only_latest=selection.only_latest)
    assert set(verdicts["run_id"]) == expected


def test_a_service_that_is_not_there_is_named_beside_those_that_are(ledger: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"has no service 'apo'\. It has 'api', 'jobs'\."):
        assess(ledger, services=["apo"])


def test_runs_of_a_frame_are_not_selected(ledger: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="assess selects runs of a ledger, but got a DataFrame"):
        assess(open_ledger(ledger).samples, only_latest=True)


def test_runs_that_overlap_one_after_the_other_are_one_start() -> None:
    """A rolling restart: each worker began before the one before it ended."""
    moment = pd.Timestamp("2026-11-01", tz="UTC")
    hours = [(0, 1), (5, 7), (6, 9), (8, 10)]
    spans = pd.DataFrame(
        {
            "service": "api",
            "run_id": ["0", "1", "2", "3"],
            "first": [moment + pd.Timedelta(hours=first) for first, _ in hours],
            "last": [moment + pd.Timedelta(hours=last) for _, last in hours],
        }
    )
    assert sorted(find_latest(spans)["run_id"]) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "ago"), [("7d", timedelta(days=7)), ("12h", timedelta(hours=12)), ("30m", timedelta(minutes=30))]
)
def test_a_length_of_time_is_counted_back_from_now(text: str, ago: timedelta) -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    assert datetime.fromisoformat(parse_since(text, now)) == now - ago


def test_other_text_is_a_moment_as_it_is() -> None:
    assert parse_since("2026-11-01", datetime.now(UTC)) == "2026-11-01"
