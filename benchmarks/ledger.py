"""The ledger's figures: speed and size of writing, speed of reading, and what kills and crowds do to it.

Every ratio is of two ways in one run, taken in turns: the machine's load is the same for both.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.dataset as ds

from benchmarks.measure import print_table
from benchmarks.specification import make_entries, save_as_a_whole
from benchmarks.torture import kill_writers
from memanalysis.ledger.arrow import conform_table, table_from_rows
from memanalysis.ledger.maintenance.seal import SealedWriter
from memanalysis.ledger.marker import write_marker
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

ENTRIES = 10_000
READ_ROWS = 5_000_000
READ_RUNS = 50
READ_COLUMNS = ["timestamp", "rss_bytes"]
SITES = 2_000
SNAPSHOTS = 30
SMALL_RUNS = 5_000
PROCESSES = 8
PROCESS_ROWS = 10_000
KILLS = 500

Row = tuple[str, str, str, str]

_WRITE = """
import sys
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
root, run_id, count = sys.argv[1:]
writer = LedgerWriter(root, run={"run_id": run_id, "service": "api", "started": 0.0})
for seq in range(int(count)):
    writer.append("samples", [{"seq": seq, "timestamp": float(seq), "rss_bytes": seq}])
writer.close(ended=1.0)
"""

_GROW = f"""
import importlib, json, tracemalloc
from memanalysis.capture import snapshot_sites
tracemalloc.start(25)
for name in (
    "argparse asyncio cgi cProfile "
    "concurrent.futures.process configparser csv ctypes dataclasses decimal difflib doctest "
    "email.mime.multipart fractions ftplib http.client http.cookiejar http.server imaplib inspect lib2to3.pytree "
    "logging.config logging.handlers mailbox multiprocessing.pool optparse pdb pickletools platform plistlib poplib "
    "pydoc shelve smtplib socketserver sqlite3 ssl statistics tarfile tempfile typing unittest.mock "
    "urllib.request uuid venv wsgiref.simple_server xml.dom.minidom xml.etree.ElementTree xml.sax.expatreader "
    "xmlrpc.server zipapp zipfile zoneinfo"
).split():
    try:
        importlib.import_module(name)
    except ImportError:
        pass
held, snapshots = [], []
for seq in range({SNAPSHOTS}):
    held.append({{str(number): [number] * 5 for number in range(200)}})
    held.extend(line.split() for line in open(json.__file__))
    stamp = {{"seq": seq, "timestamp": 1.735e9 + 60.0 * seq + seq * 1.234e-3}}
    snapshots.append([row | stamp for row in snapshot_sites(top={SITES})])
tracemalloc.stop()
for rows in snapshots:
    print(json.dumps(rows))
"""


def main() -> None:
    """Measure and print."""
    print(f"load {', '.join(f'{value:.2f}' for value in psutil.getloadavg())} at the start of the ledger's figures")
    rows: list[Row] = [
        *measure_one_more_entry(),
        *measure_appends(),
        *measure_sizes(),
        *measure_snapshots(),
        *measure_reading(),
        *measure_small_files(),
        measure_crowd(),
        measure_kills(),
    ]
    print(f"load {', '.join(f'{value:.2f}' for value in psutil.getloadavg())} at their end\n")
    print_table("The ledger", ["what", "must reach", "here", ""], [list(row) for row in rows])


def measure_one_more_entry() -> Iterator[Row]:
    """One more entry into a ledger of 10,000, beside saving all of it."""
    entries = make_entries(ENTRIES)
    with ledger_folder() as folder:
        array = folder / "array.json"
        writer = open_writer(folder / "ledger")
        for entry in entries:
            writer.append("samples", [class_row(entry)])
        one_more = class_row(entries[-1])
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(9):
            theirs.append(seconds(lambda: save_as_a_whole(array, entries)))
            ours.extend(seconds(lambda: writer.append("samples", [one_more])) for _ in range(20))
        writer.close(seal=False)
    ratio = median(theirs) / median(ours)
    yield "one more entry into a ledger of 10,000", "100 x", f"{ratio:,.0f} x", reached(ratio >= 100)
    yield "  saving it whole in the same run", "-", f"{median(theirs) * 1e3:.1f} ms", ""
    yield "  an append call of one row", "-", f"{median(ours) * 1e6:.1f} µs", ""


def measure_appends() -> Iterator[Row]:
    """Sample rows with every column, to the operating system."""
    rows = [sample(seq) for seq in range(20_000)]
    with ledger_folder() as folder:
        for size in (1, 10, 100):
            taken = []
            for attempt in range(7):
                writer = open_writer(folder / f"{size}-{attempt}")
                part = rows[:2000]
                batches = [part[begin : begin + size] for begin in range(0, len(part), size)]
                started = time.perf_counter()
                for batch in batches:
                    writer.append("samples", batch)
                taken.append((time.perf_counter() - started) / len(part))
                writer.close(seal=False)
            micros = median(taken) * 1e6
            what = f"append of a sample row, {size} a call (best {min(taken) * 1e6:.1f})"
            yield what, "20 µs", f"{micros:.1f} µs", reached(micros <= 20)
        plain = [json.dumps(row).encode() + b"\n" for row in rows[:2000]]
        descriptor = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        bare = seconds(lambda: [os.write(descriptor, line) for line in plain]) / len(plain)
        encode = seconds(lambda: [json.dumps(row) for row in rows[:2000]]) / 2000
        os.close(descriptor)
    yield "  json.dumps and os.write of the same row", "-", f"{(bare + encode) * 1e6:.1f} µs", ""


def measure_sizes() -> Iterator[Row]:
    """Bytes of 1,000 sealed rows, of 10,000 in a file."""
    snapshots = [class_row(entry) for entry in make_entries(ENTRIES)]
    for what, rows, goal in (
        ("sealed, 1,000 entries of the seven fields of the class interface", snapshots, 12_000),
        ("sealed, 1,000 full sample rows", [sample(seq) for seq in range(ENTRIES)], 40_000),
    ):
        with ledger_folder() as folder:
            writer = open_writer(folder)
            for begin in range(0, len(rows), 100):
                writer.append("samples", rows[begin : begin + 100])
            writer.close()
            size = sum(path.stat().st_size for path in folder.glob("samples/*/*.parquet")) * 1000 / len(rows)
        yield what, f"{goal // 1000} KB", f"{size / 1000:.1f} KB", reached(size <= goal)


def measure_snapshots() -> Iterator[Row]:
    """Bytes of a snapshot of 2,000 sites of this process, one of thirty of a run, and alone."""
    snapshots = take_snapshots()
    for count, goal in ((SNAPSHOTS, "10 KB"), (1, "-")):
        with ledger_folder() as folder:
            writer = open_writer(folder, segment_bytes=1 << 40)
            for rows in snapshots[:count]:
                writer.append("sites", rows)
            writer.close()
            size = sum(path.stat().st_size for path in folder.glob("sites/*/*.parquet")) / count
        frames = sum(len(row["traceback"]) for row in snapshots[0]) / len(snapshots[0])
        which = f"of {count} in a run" if count > 1 else "alone"
        yield (
            f"sealed, a snapshot of {len(snapshots[0]):,} sites, {frames:.0f} frames each, {which}",
            goal,
            f"{size / 1000:.1f} KB",
            reached(size <= 10_000) if goal != "-" else "",
        )


def measure_reading() -> Iterator[Row]:
    """Two columns of five million rows, beside pyarrow.dataset."""
    with ledger_folder() as folder:
        make_large(folder)

        def bare() -> Any:
            return ds.dataset(folder / "samples", format="parquet", partitioning="hive").to_table(columns=READ_COLUMNS)

        ways: dict[str, Callable[[], Any]] = {
            "bare": bare,
            "frame": lambda: bare().to_pandas(),
            "ours": lambda: open_ledger(folder).read("samples", columns=READ_COLUMNS),
            "arrow": lambda: open_ledger(folder).read_arrow("samples", columns=READ_COLUMNS),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(15):
            for name, way in ways.items():
                taken[name].append(seconds(way))
        assert len(ways["ours"]()) == READ_ROWS
    middle = {name: median(values) for name, values in taken.items()}
    frames, tables = middle["ours"] / middle["frame"], middle["arrow"] / middle["bare"]
    yield (
        "open and read two columns of 5,000,000 rows as a frame",
        "1.3 x",
        f"{frames:.2f} x",
        reached(frames <= 1.3),
    )
    yield "  pyarrow.dataset to pandas in the same run", "-", f"{middle['frame'] * 1e3:.0f} ms", ""
    yield "  the same as Arrow tables on both sides", "1.3 x", f"{tables:.2f} x", reached(tables <= 1.3)


def measure_small_files() -> Iterator[Row]:
    """A verdict on 5,000 runs of a second, four files each, before and after they are merged."""
    with ledger_folder() as folder:
        make_many(folder / "ledger")
        taken, peak_mb = run_command("assess", folder / "ledger")
        yield "assess 20,000 files with a row each", "8 s", f"{taken:.1f} s", reached(taken <= 8)
        yield "  its peak of memory", "600 MB", f"{peak_mb:.0f} MB", reached(peak_mb <= 600)
        merging, merging_mb = run_command("compact", folder / "ledger")
        yield (
            f"  compact merges them (peak {merging_mb:.0f} MB)",
            "32 s",
            f"{merging:.1f} s",
            reached(merging <= 32),
        )
        after, _ = run_command("assess", folder / "ledger")
        yield f"  assess after that, {taken / after:.1f} times as fast", "-", f"{after:.1f} s", ""


def run_command(*arguments: str | Path) -> tuple[float, float]:
    """Seconds and peak of memory in MB of a command."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "memanalysis", *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - started, usage.ru_maxrss / 1000


def make_many(folder: Path) -> None:
    """Write what programs that fork leave: 5,000 runs with a file of one row in each of four tables."""
    folder.mkdir()
    write_marker(folder)
    for number in range(SMALL_RUNS):
        run_id, moment = f"20250101T000000Z-{number}-{number:08x}", 1_735_689_600_000_000 + number * 1_000_000
        own = {"run_id": run_id, "service": "messaging"}
        rows: dict[str, dict[str, Any]] = {
            "runs": {"pid": number, "started": moment, "ended": moment + 1_000_000, "schema_version": 1},
            "samples": sample(number) | {"seq": 0, "timestamp": moment, "elapsed_s": 0.0},
            "sites": {"seq": 0, "timestamp": moment, "site_id": "a", "file": "a.py", "line": 3, "size_bytes": 1000},
            "events": {"timestamp": moment, "kind": "start", "message": "Watching messaging."},
        }
        for table, row in rows.items():
            path = folder / table / "service_key=messaging" / f"{run_id}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                writer = SealedWriter(stream, table)
                writer.write(table_from_rows(table, [own | row]))
                writer.close()


def measure_crowd() -> Row:
    """Eight processes that write 10,000 rows each at once."""
    with ledger_folder() as folder:
        writers = [
            subprocess.Popen([sys.executable, "-c", _WRITE, str(folder), f"run-{number}", str(PROCESS_ROWS)])
            for number in range(PROCESSES)
        ]
        for writer in writers:
            writer.wait()
        samples = open_ledger(folder).read("samples", columns=["run_id", "seq"])
        n_once = len(samples.drop_duplicates())
    text = f"{len(samples):,}, {len(samples) - n_once} doubled"
    return (
        "8 processes write 10,000 rows each at once",
        "80,000",
        text,
        reached(len(samples) == n_once == 80_000),
    )


def measure_kills() -> Row:
    """Kills at random moments under four writers."""
    with ledger_folder() as folder:
        found = kill_writers(folder, kills=KILLS, seed=1)
    text = f"{found.rows:,} rows, {found.lost} lost, {found.doubled} doubled"
    return (
        f"{found.kills} SIGKILLs under 4 writers",
        "none lost",
        text,
        reached(found.lost == found.doubled == 0),
    )


@contextmanager
def ledger_folder() -> Iterator[Path]:
    """Make a folder that goes away again."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def open_writer(folder: Path, **more: Any) -> LedgerWriter:
    """Open a writer of one run."""
    return LedgerWriter(folder, run={"run_id": "20250101T000000Z-42-0badcafe", "service": "messaging"}, **more)


def class_row(entry: Any) -> dict[str, Any]:
    """Give an entry as the row of samples that it is."""
    return {
        "timestamp": entry.timestamp,
        "traced_bytes": round(entry.memory_usage_mb * 2**20),
        "object_count": entry.object_count,
        "allocation_count": entry.allocation_count,
        "deallocation_count": entry.deallocation_count,
        "gc_collections": entry.gc_collections,
    }


def sample(seq: int) -> dict[str, Any]:
    """Give a row with every column that the recorder knows, of a service that grows with noise."""
    rng = random.Random(seq)
    rss = 200_000_000 + 5_000 * seq + 4096 * rng.randrange(500)
    traced = 80_000_000 + 4_000 * seq + rng.randrange(500_000)
    return {
        "seq": seq,
        "timestamp": 1.735e9 + seq + rng.random() * 2e-3,
        "elapsed_s": seq + rng.random() * 2e-3,
        "label": None,
        "rss_bytes": rss,
        "pss_bytes": rss - 4096 * rng.randrange(1000),
        "uss_bytes": rss - 4096 * rng.randrange(1000, 2000),
        "limit_bytes": 2**30,
        "traced_bytes": traced,
        "traced_peak_bytes": 80_500_000 + 4_000 * (seq + 200 - seq % 200),
        "live_allocations": 500_000 + 30 * seq + rng.randrange(2000),
        "object_count": 50_000 + 3 * seq + rng.randrange(1000),
        "gc_collections": seq // 3,
        "gc_collected": 10 * seq + rng.randrange(10),
        "allocator_free_bytes": 16 * rng.randrange(100_000),
        "tracer_bytes": 20_000_000 + 48 * rng.randrange(10_000),
        "capture_s": 0.0008 + rng.random() * 2e-4,
    }


def take_snapshots() -> list[list[dict[str, Any]]]:
    """Snapshots a minute apart of a real program: it loads much of the standard library, and goes on to grow."""
    done = subprocess.run([sys.executable, "-c", _GROW], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def make_large(folder: Path) -> None:
    """Write fifty sealed runs of 100,000 rows, of five services."""
    rng = np.random.default_rng(0)
    n_rows = READ_ROWS // READ_RUNS
    for number in range(READ_RUNS):
        service, run_id = f"service-{number % 5}", f"20250101T0000{number:02}Z-42-0badcafe"
        seq = np.arange(n_rows)
        moments = 1_735_689_600_000_000 + seq * 1_000_000 + rng.integers(0, 2000, n_rows)
        rows = pa.table(
            {
                "run_id": [run_id] * n_rows,
                "service": [service] * n_rows,
                "seq": seq,
                "timestamp": pa.array(moments, pa.timestamp("us", tz="UTC")),
                "elapsed_s": seq + rng.random(n_rows) * 2e-3,
                "rss_bytes": 200_000_000 + 4096 * rng.integers(0, 500, n_rows) + 500 * seq,
                "traced_bytes": 80_000_000 + rng.integers(0, 500_000, n_rows) + 400 * seq,
            }
        )
        path = folder / "samples" / f"service_key={service}" / f"{run_id}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            writer = SealedWriter(stream, "samples")
            writer.write(conform_table(rows, "samples", name=run_id))
            writer.close()


def seconds(call: Callable[[], Any]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def reached(is_reached: bool) -> str:
    """Describe whether a figure is reached."""
    return "reached" if is_reached else "not reached"
