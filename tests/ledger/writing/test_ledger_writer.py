"""What a process appends is in the ledger at once, in files of its own, and sealed when it ends."""

import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ledger_rows import RUN_ID, run_row, sample_row

from memanalysis.errors import InvalidArgumentError, LedgerError, LedgerFormatError, LedgerVersionError
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing import segment_rotation as shards
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

SAMPLES = f"samples/service_key=api/{RUN_ID}"


def files_in(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


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


def test_a_disk_that_refuses_loses_no_row_and_leaves_no_half_line(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk; the write that meets it is cut within a line."""
    program = f"""
import resource
from memanalysis.errors import LedgerError
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
w = LedgerWriter({str(tmp_path)!r}, run={run_row()!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
refused = 0
for seq in range(100):
    try:
        w.append("samples", [{{"seq": seq}}])
    except LedgerError as exc:
        refused += 1
        text = str(exc)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
w.flush()
print(refused, w.dropped_rows, text)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    refused, dropped, text = result.stdout.split(" ", 2)
    assert int(refused) > 50
    assert dropped == "0"
    assert "but the system refused: File too large. The rows stay in memory; free some space" in text
    ledger = open_ledger(tmp_path)
    assert ledger.samples["seq"].tolist() == list(range(100))
    assert ledger.damage == []


@pytest.mark.parametrize("flush", ["line", "manual"])
def test_what_a_refusing_disk_leaves_in_memory_is_bounded_and_counted(tmp_path: Path, flush: str) -> None:
    program = f"""
import resource
from contextlib import suppress
from memanalysis.errors import LedgerError
from memanalysis.ledger.writing import segment_rotation as shards
from memanalysis.ledger.writing import ledger_writer as writer
shards.MAX_PENDING_BYTES = 1000
w = writer.LedgerWriter({str(tmp_path)!r}, run={run_row()!r}, flush={flush!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
for seq in range(100):
    with suppress(LedgerError):
        w.append("samples", [{{"seq": seq}}])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
w.flush()
print(w.dropped_rows)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    kept = open_ledger(tmp_path).samples["seq"].tolist()
    assert kept == list(range(int(result.stdout), 100))
    assert 5 < len(kept) < 20


def test_manual_flush_holds_no_more_than_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it rows go out by themselves: they are never dropped while the disk takes them."""
    monkeypatch.setattr(shards, "MAX_PENDING_BYTES", 1000)
    writer = LedgerWriter(tmp_path, run=run_row(), flush="manual")
    for seq in range(100):
        writer.append("samples", [{"seq": seq}])
    assert 80 < len(open_ledger(tmp_path).samples) < 100

    writer.flush()

    assert open_ledger(tmp_path).samples["seq"].tolist() == list(range(100))
    assert writer.dropped_rows == 0


def test_a_shard_with_corrupt_lines_is_not_sealed_and_nothing_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    writer.append("samples", [sample_row(0)])
    with (tmp_path / f"live/{SAMPLES}.jsonl").open("ab") as stream:
        stream.write(b"corrupt by somebody else\n")
    writer.append("samples", [sample_row(1)])

    with caplog.at_level(logging.WARNING, logger="memanalysis"):
        writer.close(ended=1735689700.0)

    assert "has 1 corrupt ones (not JSON). It is left as it is." in caplog.text
    assert files_in(tmp_path / "live" / "samples") == {f"service_key=api/{RUN_ID}.jsonl"}
    assert open_ledger(tmp_path).samples["seq"].tolist() == [0, 1]


def test_a_ledger_of_a_newer_version_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text('{"format": "memanalysis-ledger", "schema_version": 99}', encoding="utf-8")

    with pytest.raises(LedgerVersionError) as caught:
        LedgerWriter(tmp_path, run=run_row())

    assert str(caught.value) == (
        f"{tmp_path / 'ledger.json'} needs a memanalysis that reads ledger version 99, "
        "but this one reads up to 1. Upgrade memanalysis."
    )


def test_a_file_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")

    for path in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(LedgerFormatError) as caught:
            LedgerWriter(path, run=run_row())
        assert str(caught.value) == (
            f"LedgerWriter needs a folder, but {path} is or lies under a file. Give another path."
        )


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a file system that refuses everybody")  # noqa: PTH112
def test_a_folder_that_nobody_may_write_is_reported() -> None:
    with pytest.raises(LedgerError, match="needs a folder that can be written, but /proc/ledger cannot: "):
        LedgerWriter("/proc/ledger", run=run_row())


def test_a_link_that_leads_out_of_the_ledger_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    writer = LedgerWriter(tmp_path / "ledger", run=run_row())
    (tmp_path / "ledger" / "live" / "samples").symlink_to(outside)

    with pytest.raises(LedgerError, match="is a link that leads out of it"):
        writer.append("samples", [sample_row(0)])

    assert not list(outside.iterdir())


def test_nothing_is_sealed_through_a_link_that_leads_out_of_the_ledger(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    writer = LedgerWriter(tmp_path / "ledger", run=run_row())
    (tmp_path / "ledger" / "samples").symlink_to(outside)
    writer.append("samples", [sample_row(0)])
    writer.close()

    assert not list(outside.iterdir())
    assert f"live/{SAMPLES}.jsonl" in files_in(tmp_path / "ledger")


def test_a_ledger_whose_runs_have_all_ended_has_no_folder_of_live_files(tmp_path: Path) -> None:
    first, second = (LedgerWriter(tmp_path, run=run_row(service)) for service in ("api", "web"))
    for writer in (first, second):
        writer.append("samples", [sample_row(0)])
    first.close()

    assert {path.name for path in tmp_path.glob("live/*/*")} == {"service_key=web"}
    second.close()

    assert {path.name for path in tmp_path.iterdir()} == {"ledger.json", "runs", "samples"}


@pytest.mark.parametrize(
    "run", [{"service": "api"}, {"run_id": "../x", "service": "api"}, {"run_id": "a", "service": ""}]
)
def test_a_run_without_a_fit_name_is_refused_before_anything_is_made(tmp_path: Path, run: dict[str, str]) -> None:
    with pytest.raises(InvalidArgumentError):
        LedgerWriter(tmp_path / "ledger", run=run)

    assert not (tmp_path / "ledger").exists()
