"""What a process appends is in the ledger at once, in files of its own, and sealed when it ends."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ledger_rows import RUN_ID, files_in, run_row, sample_row

from memanalysis.errors import InvalidArgumentError, LedgerError
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

SAMPLES = f"samples/service_key=api/{RUN_ID}"


def test_a_new_ledger_has_a_marker_and_the_runs_first_row(tmp_path: Path) -> None:
    LedgerWriter(tmp_path / "a" / "ledger", run=run_row(argv=["app.py"]))

    root = tmp_path / "a" / "ledger"
    assert json.loads((root / "ledger.json").read_bytes()) == {"format": "memanalysis-ledger", "schema_version": 1}
    assert json.loads((root / f"live/runs/service_key=api/{RUN_ID}.jsonl").read_bytes()) == {
        "run_id": RUN_ID,
        "service": "api",
        "pid": 42,
        "started": "2025-01-01T00:00:00.000000Z",
        "argv": ["app.py"],
        "schema_version": 1,
    }
    assert files_in(root) == {"ledger.json", f"live/runs/service_key=api/{RUN_ID}.jsonl"}


def test_an_appended_row_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())

    writer.append("samples", [sample_row(0), sample_row(1)])

    lines = (tmp_path / f"live/{SAMPLES}.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [0, 1]


def test_run_and_service_are_the_writers_whatever_a_row_says(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())

    writer.append("samples", [sample_row(0, run_id="another", service="other")])

    samples = open_ledger(tmp_path).samples
    assert (samples["run_id"][0], samples["service"][0]) == (RUN_ID, "api")


def test_manual_flush_holds_rows_until_it_is_called(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row(), flush="manual")
    writer.append("samples", [sample_row(0)])
    assert open_ledger(tmp_path).samples.empty

    writer.flush()

    assert len(open_ledger(tmp_path).samples) == 1
    assert len(open_ledger(tmp_path).runs) == 1


def test_fsync_writes_the_same_rows(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row(), flush="fsync")
    writer.append("samples", [sample_row(0)])

    assert len(open_ledger(tmp_path).samples) == 1


def test_closing_seals_every_shard_into_zstd_parquet_and_removes_the_lines(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0), sample_row(1)])
    before = open_ledger(tmp_path).samples

    writer.close(ended=1735689700.0)

    assert files_in(tmp_path) == {"ledger.json", f"{SAMPLES}.parquet", f"runs/service_key=api/{RUN_ID}.parquet"}
    footer = pq.ParquetFile(tmp_path / f"{SAMPLES}.parquet").metadata
    assert footer.metadata[b"memanalysis.schema_version"] == b"1"
    assert {footer.row_group(0).column(i).compression for i in range(footer.num_columns)} == {"ZSTD"}
    assert open_ledger(tmp_path).samples.equals(before)


def test_the_runs_row_of_the_end_takes_the_place_of_the_first(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row(host="h"))
    assert open_ledger(tmp_path).runs["ended"].isna().all()

    writer.close(ended=1735689700.5)

    (run,) = open_ledger(tmp_path).runs.to_dict("records")
    assert run["ended"].isoformat() == "2025-01-01T00:01:40.500000+00:00"
    assert run["host"] == "h"


def test_closing_without_sealing_leaves_readable_lines(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])

    writer.close(ended=1735689700.0, seal=False)

    assert f"live/{SAMPLES}.jsonl" in files_in(tmp_path)
    assert len(open_ledger(tmp_path).samples) == 1
    assert open_ledger(tmp_path).runs["ended"].notna().all()


def test_a_second_close_does_nothing_and_an_append_after_it_is_refused(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.close(ended=1.0)
    writer.close(ended=2.0)

    with pytest.raises(LedgerError) as caught:
        writer.append("samples", [sample_row(0)])

    assert str(caught.value) == (
        f"LedgerWriter.append needs an open writer, but run {RUN_ID!r} is closed. Begin a new run."
    )
    assert open_ledger(tmp_path).runs["ended"][0].timestamp() == 1.0


def test_a_wrong_row_adds_nothing_of_its_call(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())

    with pytest.raises(InvalidArgumentError):
        writer.append("samples", [sample_row(0), {"rss": 1}])
    with pytest.raises(InvalidArgumentError):
        writer.append("snapshots", [{}])

    assert open_ledger(tmp_path).samples.empty


def test_two_writers_with_one_run_id_have_a_file_each_and_lose_nothing(tmp_path: Path) -> None:
    """Also when the first has sealed and gone: its Parquet must not shadow the second's lines."""
    first = LedgerWriter(tmp_path, run=run_row())
    second = LedgerWriter(tmp_path, run=run_row())
    first.append("samples", [sample_row(0)])
    second.append("samples", [sample_row(1)])
    first.close(ended=1735689700.0)
    third = LedgerWriter(tmp_path, run=run_row())
    third.append("samples", [sample_row(2)])
    second.close(ended=1735689700.0)

    assert open_ledger(tmp_path).samples["seq"].tolist() == [0, 1, 2]
    assert files_in(tmp_path / "samples") == {
        f"service_key=api/{RUN_ID}.parquet",
        f"service_key=api/{RUN_ID}.2.parquet",
    }
    assert files_in(tmp_path / "live" / "samples") == {f"service_key=api/{RUN_ID}.3.jsonl"}


@pytest.mark.parametrize("service", ["../../x<script>", "a/b", "..", "a\0b", "\U0001f600" * 300, "NULL", "\udcff"])
def test_an_odd_service_stays_within_the_ledger_and_is_read_back_by_its_name(tmp_path: Path, service: str) -> None:
    root = tmp_path / "ledger"
    writer = LedgerWriter(root, run=run_row(service))
    writer.append("samples", [sample_row(0)])
    name = service.replace("\udcff", "\ufffd")
    assert open_ledger(root).services == [name]

    writer.close(ended=1735689700.0)

    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]
    assert open_ledger(root).services == [name]
    assert open_ledger(root).read("samples", services=[name])["service"].tolist() == [name]


@pytest.mark.slow
def test_a_row_appended_by_a_signal_handler_amid_a_write_goes_out_whole(tmp_path: Path) -> None:
    """The handler runs in the thread that holds the lock: it must neither block nor write into the outer line."""
    program = f"""
import os, signal
from memanalysis.ledger.writing import ledger_writer as writer
from memanalysis.ledger.reading.ledger import open_ledger
w = writer.LedgerWriter({str(tmp_path)!r}, run={run_row()!r})
signal.signal(signal.SIGALRM, lambda *_: w.append("samples", [{{"seq": 2}}]))
real_write = os.write
def short_write(descriptor, data):
    written = real_write(descriptor, data[:10])
    if len(data) > 10 and not done:
        done.append(True)
        signal.raise_signal(signal.SIGALRM)
    return written
done = []
os.write = short_write
w.append("samples", [{{"seq": 1, "label": "longer than ten bytes"}}])
os.write = real_write
print(open_ledger(w.path).samples["seq"].tolist(), open_ledger(w.path).damage)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert result.stdout == "[1, 2] []\n"


def test_rows_of_many_threads_are_whole_and_there_once(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())

    def append_some(thread: int) -> None:
        for number in range(100):
            writer.append("samples", [{"seq": 100 * thread + number, "label": "x" * number}])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append_some, range(4)))

    ledger = open_ledger(tmp_path)
    assert ledger.samples["seq"].tolist() == list(range(400))
    assert ledger.damage == []


def test_a_forked_child_writes_nothing_of_its_parents(tmp_path: Path) -> None:
    program = f"""
import os, sys
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
w = LedgerWriter({str(tmp_path)!r}, run={run_row()!r}, flush="manual")
w.append("samples", [{{"seq": 1}}])
pid = os.fork()
if not pid:
    w.append("samples", [{{"seq": 2}}])
    w.flush()
    w.close(ended=5.0)
    os._exit(0)
os.waitpid(pid, 0)
w.append("samples", [{{"seq": 3}}])
w.flush()
"""
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)

    ledger = open_ledger(tmp_path)
    assert ledger.samples["seq"].tolist() == [1, 3]
    assert ledger.runs["ended"].isna().all()


def test_writing_loads_nothing_heavy(tmp_path: Path) -> None:
    program = f"""
import sys
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
w = LedgerWriter({str(tmp_path)!r}, run={run_row()!r})
w.append("samples", [{{"seq": 1}}])
w.close(seal=False)
print(sorted({{"numpy", "pandas", "pyarrow", "fsspec"}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert result.stdout == "[]\n"
