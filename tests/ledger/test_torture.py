"""What many writers do at once, and what kills at random moments do to them: each row is there, once."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.torture import kill_writers
from memanalysis.ledger.reading.ledger import open_ledger

pytestmark = pytest.mark.slow

KILLS = 50
PROCESSES = 8
ROWS = 10_000

WRITE = """
import sys
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
root, run_id, count = sys.argv[1:]
writer = LedgerWriter(root, run={"run_id": run_id, "service": "api", "started": 0.0})
for begin in range(0, int(count), 20):
    rows = [{"seq": seq, "timestamp": float(seq), "rss_bytes": seq} for seq in range(begin, begin + 20)]
    writer.append("samples", rows)
writer.close(ended=1.0)
"""


def test_fifty_kills_under_four_writers_lose_and_double_no_row(tmp_path: Path) -> None:
    result = kill_writers(tmp_path, kills=KILLS, seed=20250101)

    assert (result.kills, result.lost, result.doubled) == (KILLS, 0, 0)
    assert result.rows > KILLS
    assert result.sealed > 0


def test_eight_processes_write_ten_thousand_rows_each_at_once(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path), f"run-{number}", str(ROWS)])
        for number in range(PROCESSES)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * PROCESSES

    ledger = open_ledger(tmp_path)
    samples = ledger.samples
    assert len(samples) == PROCESSES * ROWS
    assert (
        samples.groupby("run_id")["seq"].agg(["min", "max", "nunique"]).to_numpy().tolist()
        == [[0, ROWS - 1, ROWS]] * PROCESSES
    )
    assert ledger.damage == []
    assert ledger.runs["ended"].notna().sum() == PROCESSES
