"""The last rows of a run that was killed, without pyarrow."""

from pathlib import Path

import pytest

from memanalysis.ledger.reading.live_tail import list_live_runs, read_last_rows
from memanalysis.ledger.writing.ledger_writer import LedgerWriter


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two runs of two services, the second one with a hundred events, both without an end."""
    for service, run_id in (("a", "20250101T000000Z-1-aa"), ("b", "20250102T000000Z-2-bb")):
        writer = LedgerWriter(tmp_path, run={"run_id": run_id, "service": service, "pid": 7, "started": 1.5})
        for number in range(100):
            writer.append("events", [{"kind": "cell", "timestamp": number + 0.25, "data": {"number": number}}])
        writer._forget_in_child()
    return tmp_path


@pytest.mark.slow
def test_runs_are_listed_in_the_order_of_their_starts_of_one_service_or_all(root: Path) -> None:
    assert list_live_runs(root) == ["20250101T000000Z-1-aa", "20250102T000000Z-2-bb"]
    assert list_live_runs(root, service="b") == ["20250102T000000Z-2-bb"]
    assert list_live_runs(root / "none") == []


def test_the_tail_has_the_last_rows_with_times_in_seconds(root: Path) -> None:
    rows = read_last_rows(root, "events", "20250102T000000Z-2-bb", tail_bytes=1000)

    assert 1 < len(rows) < 100
    assert rows[-1]["timestamp"] == 99.25
    assert rows[-1]["data"] == {"number": 99}
    assert read_last_rows(root, "runs", "20250102T000000Z-2-bb")[-1]["started"] == 1.5
    assert read_last_rows(root, "samples", "20250102T000000Z-2-bb") == []


def test_a_torn_last_line_is_passed_over(root: Path) -> None:
    (path,) = root.glob("live/events/*/20250102*")
    with path.open("ab") as stream:
        stream.write(b'{"run_id":"20250102T000000Z-2-bb","kind":"ce')

    assert read_last_rows(root, "events", "20250102T000000Z-2-bb")[-1]["data"] == {"number": 99}
