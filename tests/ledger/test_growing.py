"""A shard that grows is sealed by a process beside; the writer never loads pyarrow, and readers see each row once."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_rows import NEW_YEAR, RUN_ID, run_row, sample_row
from processes import running

from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

pytestmark = pytest.mark.slow

GROW = """
import sys
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
writer = LedgerWriter(sys.argv[1], run={"run_id": "r", "service": "api", "started": 0.0}, segment_bytes=20_000)
for seq in range(1500):
    writer.append("samples", [{"seq": seq, "timestamp": float(seq), "rss_bytes": seq}])
writer.append("sites", [{"seq": 0, "timestamp": 0.0, "site_id": "a", "traceback": [["a.py", 1]]}])
writer.close(ended=1500.0)
print(sorted({"numpy", "pandas", "pyarrow", "fsspec"} & set(sys.modules)))
"""


def names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def site(seq: int, site_id: str = "a", **more: object) -> dict[str, object]:
    described = {"file": "a.py", "line": 3, "function": "f", "traceback": [["m.py", 1], ["a.py", 3]]}
    return {"seq": seq, "timestamp": NEW_YEAR + seq, "site_id": site_id, "size_bytes": 100 + seq, **described, **more}


def test_a_shard_that_grows_is_sealed_in_pieces_and_the_writer_loads_nothing_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-c", GROW, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)

    assert done.stdout == "[]\n"
    files = names(tmp_path)
    assert not [name for name in files if name.endswith((".jsonl", ".tmp"))]
    assert len([name for name in files if name.startswith("samples/")]) >= 4
    ledger = open_ledger(tmp_path)
    assert ledger.samples["seq"].tolist() == list(range(1500))
    assert ledger.damage == []


def test_a_piece_is_sealed_while_the_run_goes_on(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row(), segment_bytes=5_000)
    deadline = time.monotonic() + 60
    n_rows = 0
    while not list((tmp_path / "samples").rglob("*.parquet")) and time.monotonic() < deadline:
        writer.append("samples", [sample_row(n_rows)])
        n_rows += 1
        assert len(open_ledger(tmp_path).samples) == n_rows

    assert list((tmp_path / "samples").rglob("*.parquet"))
    assert open_ledger(tmp_path).samples["seq"].tolist() == list(range(n_rows))
    writer.close(ended=NEW_YEAR)
    assert open_ledger(tmp_path).samples["seq"].tolist() == list(range(n_rows))


def test_a_shard_that_spans_a_day_is_sealed_however_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = LedgerWriter(tmp_path, run=run_row(), segment_s=3600.0)
    writer.append("samples", [sample_row(0)])
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3601.0)
    writer.append("samples", [sample_row(1)])
    writer.append("samples", [sample_row(2)])
    monkeypatch.undo()
    writer.close(ended=NEW_YEAR)

    sealed = sorted((tmp_path / "samples").rglob("*.parquet"))
    assert [pq.read_metadata(path).num_rows for path in sealed] == [1, 2]
    assert open_ledger(tmp_path).samples["seq"].tolist() == [0, 1, 2]


def test_where_no_process_can_be_started_the_lines_stay_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python-that-is-not-there"))
    writer = LedgerWriter(tmp_path / "ledger", run=run_row(), segment_bytes=1_000)
    for seq in range(50):
        writer.append("samples", [sample_row(seq)])

    assert caplog.text.count("memanalysis cannot seal while it runs, and does so at the end") == 1
    assert open_ledger(tmp_path / "ledger").samples["seq"].tolist() == list(range(50))
    writer.close(ended=NEW_YEAR)
    assert not list((tmp_path / "ledger").rglob("*.jsonl"))
    assert open_ledger(tmp_path / "ledger").samples["seq"].tolist() == list(range(50))


def test_a_site_is_described_once_in_a_live_shard_and_read_whole_from_every_line(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row())
    moved = site(2, line=4, traceback=[["m.py", 1], ["a.py", 4]])
    unknown = {"seq": 3, "timestamp": NEW_YEAR + 3, "site_id": "a", "size_bytes": 7}
    rows = [site(0), site(1), moved, unknown, unknown, site(4)]
    writer.append("sites", rows[:1])
    writer.append("sites", rows[1:4])
    writer.append("sites", rows[4:])

    (shard,) = (tmp_path / "live" / "sites").rglob("*.jsonl")
    lines = [json.loads(line) for line in shard.read_bytes().splitlines()]
    assert ["traceback" in line for line in lines] == [True, False, True, True, False, True]
    for seal in (False, True):
        if seal:
            writer.close(ended=NEW_YEAR)
        sites = open_ledger(tmp_path).sites.sort_values("seq", kind="stable")
        assert sites["traceback"].tolist() == [row.get("traceback") for row in rows]
        assert sites["line"].fillna(-1).tolist() == [row.get("line", -1) for row in rows]
        assert sites["function"].fillna("").tolist() == [row.get("function", "") for row in rows]


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"size_bytes": st.integers(0, 3)},
            optional={
                "site_id": st.sampled_from(["", "a", "\u00e4", None]),
                "file": st.sampled_from(["", "a.py", "\u00e4.py", None]),
                "line": st.sampled_from([0, 7]),
                "traceback": st.sampled_from([[], [["a.py", 7]], None]),
            },
        ),
        max_size=8,
    )
)
def test_a_site_of_a_live_shard_takes_nothing_of_another_row(rows: list[dict[str, Any]]) -> None:
    """Whatever the rows before it describe: null stays null, and is neither the empty text nor a neighbour's."""
    with tempfile.TemporaryDirectory() as folder:
        writer = LedgerWriter(folder, run=run_row())
        for seq, row in enumerate(rows):
            writer.append("sites", [{"seq": seq, **row}])

        sites = open_ledger(folder).sites

        for name in ("site_id", "file", "line", "traceback"):
            found = [None if value is pd.NA else value for value in sites[name]]
            assert found == [row.get(name) for row in rows]
        writer.close(ended=NEW_YEAR, seal=False)


def test_a_foreign_line_without_a_file_has_none(tmp_path: Path) -> None:
    lines = [{"site_id": "a", "file": "a.py", "line": 3}, {"site_id": "a"}, {"site_id": "a", "file": ""}]
    path = tmp_path / "live" / "sites" / "service_key=api" / "x.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps({"service": "api", **line}) + "\n" for line in lines), encoding="utf-8")

    sites = open_ledger(tmp_path).sites

    assert sites["file"].fillna("unknown").tolist() == ["a.py", "unknown", ""]
    assert sites["line"].fillna(-1).tolist() == [3, -1, -1]


def test_where_the_line_that_describes_a_site_is_corrupt_the_site_is_unknown(tmp_path: Path) -> None:
    """The lines after it do not go back to what the site was before."""
    writer = LedgerWriter(tmp_path, run=run_row())
    for row in (site(0), site(1, line=4), site(2, line=4), site(3, line=4)):
        writer.append("sites", [row])
    writer.close(ended=NEW_YEAR, seal=False)
    (shard,) = (tmp_path / "live" / "sites").rglob("*.jsonl")
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join([lines[0], b"\0" * 20 + b"\n", *lines[2:]]))

    assert open_ledger(tmp_path).sites["line"].fillna(-1).tolist() == [3, -1, -1]


def test_each_piece_of_sites_describes_its_own(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, run=run_row(), segment_bytes=400)
    for seq in range(20):
        writer.append("sites", [site(seq), site(seq, "b")])
    writer.close(ended=NEW_YEAR)

    assert len(list((tmp_path / "sites").rglob("*.parquet"))) > 2
    assert set(map(json.dumps, open_ledger(tmp_path).sites["traceback"])) == {'[["m.py", 1], ["a.py", 3]]'}


def test_a_forked_child_does_not_keep_its_dead_parents_shards_from_being_sealed(tmp_path: Path) -> None:
    program = f"""
import os, sys, time
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
w = LedgerWriter({str(tmp_path)!r}, run={run_row()!r})
w.append("samples", [{{"seq": 1}}])
if not os.fork():
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)
os.wait4(-1, os.WNOHANG)
sys.stdin.close()
os.kill(os.getpid(), 9)
"""
    with running(
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        assert parent.wait(60) == -9
        done = compact_ledger(tmp_path)
        assert (done.sealed, done.live) == (2, 0)
        assert parent.stdin is not None
        parent.stdin.close()

    assert [path.name for path in (tmp_path / "samples").rglob("*.parquet")] == [f"{RUN_ID}.parquet"]
    assert open_ledger(tmp_path).samples["seq"].tolist() == [1]


def test_interval_flush_takes_rows_along_after_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = LedgerWriter(tmp_path, run=run_row(), flush="interval")
    writer.append("samples", [sample_row(0)])
    assert open_ledger(tmp_path).samples.empty
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1.5)

    writer.append("samples", [sample_row(1)])

    assert open_ledger(tmp_path).samples["seq"].tolist() == [0, 1]
    monkeypatch.undo()
    writer.close(ended=NEW_YEAR)


def test_a_file_of_one_run_in_order_says_so_and_a_disordered_one_does_not(tmp_path: Path) -> None:
    for run_id, order in (("a", [0, 1, 2]), ("b", [2, 0, 1])):
        writer = LedgerWriter(tmp_path, run=run_row(run_id=run_id))
        writer.append("samples", [sample_row(seq) for seq in order])
        writer.close(ended=NEW_YEAR)
    footers = {
        path.stem: json.loads((pq.read_metadata(path).metadata or {}).get(b"memanalysis.order", b"null"))
        for path in (tmp_path / "samples").rglob("*.parquet")
    }

    assert footers["a"] == {
        "service": "api",
        "run_id": "a",
        "first": [0, 1735689600_000000],
        "last": [2, 1735689602_000000],
        "by": "time",
    }
    assert footers["b"] is None
    samples = open_ledger(tmp_path).read("samples", columns=["rss_bytes"])
    assert samples["rss_bytes"].tolist() == [0, 1024, 2048] * 2


def test_row_groups_outside_the_time_asked_for_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of three groups is corrupt on the disk; a read of the others does not meet it."""
    monkeypatch.setattr("memanalysis.ledger.maintenance.seal.ROW_GROUP_ROWS", 1000)
    writer = LedgerWriter(tmp_path, run=run_row())
    for begin in range(0, 3000, 1000):
        writer.append("samples", [sample_row(seq) for seq in range(begin, begin + 1000)])
    writer.close(ended=NEW_YEAR)
    (path,) = (tmp_path / "samples").rglob("*.parquet")
    metadata = pq.read_metadata(path)
    assert metadata.num_row_groups == 3
    offsets = [metadata.row_group(1).column(number).data_page_offset for number in range(metadata.num_columns)]
    content = bytearray(path.read_bytes())
    for offset in offsets:
        content[offset : offset + 16] = b"\xff" * 16
    path.write_bytes(content)
    ledger = open_ledger(tmp_path)

    assert ledger.read("samples", until=NEW_YEAR + 1000)["seq"].tolist() == list(range(1000))
    assert ledger.read("samples", since=NEW_YEAR + 2000)["seq"].tolist() == list(range(2000, 3000))
    assert ledger.samples.empty
    assert len(ledger.damage) == 1


def test_pieces_come_by_their_numbers_where_nothing_else_tells_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "samples" / "service_key=api"
    folder.mkdir(parents=True)
    for number in range(12):
        rows = {"service": ["api"], "run_id": ["r"], "elapsed_s": [float(number)]}
        pq.write_table(pa.table(rows), folder / ("r.parquet" if number == 0 else f"r.{number}.parquet"))

    table = open_ledger(tmp_path).read_unordered("samples", columns=["elapsed_s"])

    assert table["elapsed_s"].to_pylist() == [float(number) for number in range(12)]
