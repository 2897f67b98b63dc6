"""Processes are killed, lines torn and seals cut short, and each row is there exactly once."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ledger_rows import RUN_ID, run_row, sample_row

from memanalysis.ledger.paths import sealed_path
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

pytestmark = pytest.mark.slow

KILLS = 12

WRITE_FOR_EVER = """
import itertools, sys
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
path, run_id, service = sys.argv[1:]
w = LedgerWriter(path, run={"run_id": run_id, "service": service, "started": 0.0})
for seq in itertools.count():
    w.append("samples", [{"seq": seq, "timestamp": float(seq), "label": "x" * (seq % 700)}])
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
"""

WRITE_AND_CLOSE = """
import sys
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
path, run_id, count = sys.argv[1:]
w = LedgerWriter(path, run={"run_id": run_id, "service": "api", "started": 0.0})
for seq in range(int(count)):
    w.append("samples", [{"seq": seq, "timestamp": float(seq)}])
w.close(ended=1.0)
"""

SEAL_UNTIL_CUT = """
import os, sys
from pathlib import Path
from memanalysis.ledger.maintenance import seal
shard, step = Path(sys.argv[1]), int(sys.argv[2])
steps = 0
def cut_before(real):
    def run(*args, **kwargs):
        global steps
        steps += 1
        if steps == step:
            os._exit(9)
        return real(*args, **kwargs)
    return run
os.fsync, Path.replace, Path.unlink = cut_before(os.fsync), cut_before(Path.replace), cut_before(Path.unlink)
seal.seal_shard(shard, "samples")
"""


def start(program: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_every_row_flushed_before_a_sigkill_is_there_once(tmp_path: Path) -> None:
    """One ledger, one writer after another, each killed while it writes, some rows into it."""
    moments = random.Random(0)  # noqa: S311 - no secret
    reported: dict[str, int] = {}
    for number in range(KILLS):
        run_id = f"run-{number}"
        enough = moments.randrange(1, 400)
        with start(WRITE_FOR_EVER, tmp_path, run_id, "api") as process:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line) >= enough:
                    break
            process.send_signal(signal.SIGKILL)
            rest = [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
            reported[run_id] = int(rest[-1]) if rest else enough

    samples = open_ledger(tmp_path).samples
    for run_id, last in reported.items():
        found = samples.loc[samples["run_id"] == run_id, "seq"].tolist()
        assert found == list(range(len(found)))
        assert len(found) > last
    assert open_ledger(tmp_path).runs["ended"].isna().all()


def test_a_tail_torn_at_any_byte_is_cut_and_counted(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row("a\u00fc"))
    for seq in range(3):
        writer.append("samples", [sample_row(seq, label='quote " brace } \\ \u00fc \U0001f600')])
    (shard,) = (tmp_path / "live" / "samples").rglob("*.jsonl")
    whole = shard.read_bytes()
    name = shard.relative_to(tmp_path).as_posix()
    last_line = whole.rindex(b"\n", 0, -1) + 1

    for length in range(last_line, len(whole) + 1):
        shard.write_bytes(whole[:length])
        ledger = open_ledger(tmp_path)
        is_whole = length >= len(whole) - 1  # only the newline is missing: the row is there
        assert ledger.samples["seq"].tolist() == ([0, 1, 2] if is_whole else [0, 1]), length
        torn = not is_whole and length > last_line
        assert ledger.damage == ([SkippedRows(name, 1, "torn last line")] if torn else []), length


def test_two_processes_write_one_ledger_while_it_is_read(tmp_path: Path) -> None:
    """Every reading is consistent: a run's rows are there from the first on, without a gap; in the end all of them."""
    count = 3000
    LedgerWriter(tmp_path, run=run_row("first"))
    deadline = time.monotonic() + 60
    with start(WRITE_AND_CLOSE, tmp_path, "one", count) as one, start(WRITE_AND_CLOSE, tmp_path, "two", count) as two:
        seen = {"one": 0, "two": 0}
        while (one.poll() is None or two.poll() is None) and time.monotonic() < deadline:
            samples = open_ledger(tmp_path).read("samples", columns=["run_id", "seq"])
            for run_id in seen:
                found = samples.loc[samples["run_id"] == run_id, "seq"].tolist()
                assert found == list(range(len(found)))
                assert len(found) >= seen[run_id]
                seen[run_id] = len(found)
        assert (one.wait(60), two.wait(60)) == (0, 0)

    ledger = open_ledger(tmp_path)
    assert (
        ledger.samples.groupby("run_id")["seq"].agg(["count", "nunique", "max"]).to_numpy().tolist()
        == [[count, count, count - 1]] * 2
    )
    assert sorted(ledger.runs["run_id"]) == sorted([RUN_ID, "one", "two"])
    assert not list((tmp_path / "live" / "samples").rglob("*.jsonl"))
    assert ledger.damage == []


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
def test_a_seal_cut_at_any_step_leaves_each_row_once(tmp_path: Path, step: int) -> None:
    """Before the fsync of the file, of the two parents of the new folder, the rename, the fsync of it, the removal."""
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(seq) for seq in range(10)])
    shard = tmp_path / f"live/samples/service_key=api/{RUN_ID}.jsonl"
    before = open_ledger(tmp_path).samples

    with start(SEAL_UNTIL_CUT, shard, step) as process:
        assert process.wait(60) == 9

    assert shard.exists()
    assert sealed_path(shard).exists() == (step > 4)
    assert open_ledger(tmp_path).samples.equals(before)


def test_a_seal_that_is_not_cut_takes_just_these_steps(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    shard = tmp_path / f"live/samples/service_key=api/{RUN_ID}.jsonl"

    with start(SEAL_UNTIL_CUT, shard, 7) as process:
        assert process.wait(60) == 0

    assert [path.name for path in sealed_path(shard).parent.iterdir()] == [f"{RUN_ID}.parquet"]
    assert not shard.parent.exists()


def test_a_shard_sealed_between_the_listing_and_the_reading_is_found_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    ledger = open_ledger(tmp_path)
    files = ledger._source._files  # type: ignore[attr-defined]
    real_open = files.open

    def seal_first(path: str) -> object:
        monkeypatch.setattr(files, "open", real_open)
        writer.close(ended=1735689700.0)
        return real_open(path)

    monkeypatch.setattr(files, "open", seal_first)

    assert ledger.samples["seq"].tolist() == [0]
    assert ledger.damage == []
