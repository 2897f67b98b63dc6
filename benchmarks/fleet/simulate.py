"""Write the ledger of a fleet as its recorders leave it: a file a table, run and day, sealed, in a folder or a bucket.

A service is drawn, written and forgotten before the next one, so that a ledger of any size takes the same memory.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.fleet.plan import FleetPlan, PlannedRun
from benchmarks.fleet.series import RunSeries, draw_series
from memanalysis.ledger.arrow import arrow_schema, table_from_rows
from memanalysis.ledger.files import Files, LocalFiles, files_at
from memanalysis.ledger.maintenance.seal import SealedWriter
from memanalysis.ledger.marker import write_marker
from memanalysis.ledger.paths import MARKER_NAME, PARQUET_SUFFIX, PARTITION_PREFIX, slug_of_service
from memanalysis.schema import SCHEMA_VERSION, TABLES

__all__ = ["Written", "write_fleet"]

INTERVAL_BYTES = 128 * 1024
LINES = (("app/main.py", 31, "serve"), ("app/routes.py", 77, "dispatch"), ("app/models.py", 140, "load"),
         ("json/decoder.py", 355, "raw_decode"), ("ssl.py", 1042, "create"), ("app/cache.py", 58, "put"),
         ("logging/__init__.py", 301, "__init__"), ("email/parser.py", 56, "parse"))  # fmt: skip


@dataclass(slots=True)
class Written:
    """Rows, files and bytes of a table."""

    rows: int = 0
    files: int = 0
    size_bytes: int = 0


def write_fleet(
    plan: FleetPlan, services: Iterable[Sequence[PlannedRun]], target: str | PathLike[str], *, only_runs: bool = False
) -> dict[str, Written]:
    """Write the runs of the services, and return what was written by table.

    Parameters
    ----------
    plan : FleetPlan
        How often is sampled.
    services : iterable of sequence of PlannedRun
        As `plan_services` gives them.
    target : path or URL
        A folder that is not there yet, or a place in a bucket that is.
    only_runs : bool
        Whether the table ``runs`` alone is written.
    """
    files = files_at(target)
    done = {table: Written() for table in ("runs", "samples", "sites")}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(files.root) if isinstance(files, LocalFiles) else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        write_marker(folder)
        _hand_over(files, folder, MARKER_NAME)
        for runs in services:
            for run in runs:
                for table, number, rows in _make_tables(plan, run, only_runs=only_runs):
                    stem = run.run_id if number == 1 else f"{run.run_id}.{number}"
                    path = f"{table}/{PARTITION_PREFIX}{slug_of_service(run.service)}/{stem}{PARQUET_SUFFIX}"
                    done[table].rows += rows.num_rows
                    done[table].files += 1
                    done[table].size_bytes += _write_sealed(folder / path, table, rows)
                    _hand_over(files, folder, path)
    return done


def _make_tables(plan: FleetPlan, run: PlannedRun, *, only_runs: bool) -> Iterator[tuple[str, int, pa.Table]]:
    """Yield table, number of the file, and rows, of each file of a run."""
    yield "runs", 1, table_from_rows("runs", [_make_run_row(run)])
    if only_runs:
        return
    series = draw_series(plan, run)
    edges = [0, *(np.flatnonzero(np.diff((run.started + series.elapsed_s) // plan.file_s)) + 1), series.elapsed_s.size]
    for number, (begin, end) in enumerate(pairwise(edges), start=1):
        yield "samples", number, _make_samples(run, series, int(begin), int(end))
        if plan.lines and (sites := _make_sites(plan, run, series, int(begin), int(end))).num_rows:
            yield "sites", number, sites


def _make_run_row(run: PlannedRun) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "service": run.service,
        "host": run.host,
        "pid": run.pid,
        "started": run.started,
        "ended": run.recorded_until if run.has_ended else None,
        "python": run.python,
        "platform": run.platform,
        "argv": ["serve.py"],
        "git_commit": run.commit,
        "release": run.release,
        "labels": run.labels,
        "packages": run.packages,
        "trace": "sampled",
        "sampling_interval_bytes": INTERVAL_BYTES,
        "ending": {"how": "stopped"} if run.has_ended else None,
        "schema_version": SCHEMA_VERSION,
    }


def _make_samples(run: PlannedRun, series: RunSeries, begin: int, end: int) -> pa.Table:
    rng = np.random.default_rng([*run.seed, begin])
    size = end - begin
    elapsed_s = series.elapsed_s[begin:end]
    collections = (series.elapsed_s[begin:end] / 7).astype(np.int64)
    return _conform(
        "samples",
        size,
        {
            "run_id": pa.array([run.run_id] * size),
            "service": pa.array([run.service] * size),
            "seq": np.arange(begin, end),
            "timestamp": _timestamps(run, elapsed_s),
            "elapsed_s": elapsed_s,
            "rss_bytes": (series.rss_bytes[begin:end] // 4096).astype(np.int64) * 4096,
            "limit_bytes": np.full(size, run.traits.limit_bytes),
            "sampled_bytes": series.sampled_bytes[begin:end].astype(np.int64),
            "gc_collections": collections,
            "gc_collected": collections * 40,
            "thread_count": np.full(size, 12),
            "descriptor_count": rng.integers(30, 60, size),
            "capture_s": rng.gamma(4.0, 0.00005, size),
        },
    )


def _make_sites(plan: FleetPlan, run: PlannedRun, series: RunSeries, begin: int, end: int) -> pa.Table:
    """Return tables of lines: the leaking one, where there is one, and those that hold the rest."""
    step = max(1, round(plan.table_interval_s / plan.interval_s))
    places = np.arange(-(-begin // step) * step, end, step)
    held = (series.sampled_bytes - series.leaked_bytes)[places]
    shares = np.random.default_rng(run.seed).dirichlet(np.ones(len(LINES)))
    lines = [(line, held * share) for line, share in zip(LINES, shares.tolist(), strict=True)]
    if run.leak is not None:
        lines.insert(0, ((run.leak.file, run.leak.line, run.leak.function), series.leaked_bytes[places]))
    lines = lines[: plan.lines]
    size = len(places) * len(lines)
    sizes = np.stack([values for _, values in lines], axis=1).ravel().astype(np.int64)

    def repeat(values: Sequence[object]) -> pa.Array:
        return pa.array(list(values) * len(places))

    return _conform(
        "sites",
        size,
        {
            "run_id": pa.array([run.run_id] * size),
            "service": pa.array([run.service] * size),
            "seq": np.repeat(places, len(lines)),
            "timestamp": _timestamps(run, np.repeat(series.elapsed_s[places], len(lines))),
            "site_id": repeat([f"{file}:{line}" for (file, line, _), _ in lines]),
            "file": repeat([file for (file, _, _), _ in lines]),
            "line": repeat([line for (_, line, _), _ in lines]),
            "function": repeat([function for (_, _, function), _ in lines]),
            "traceback": repeat([json.dumps([*_CALLERS, [file, line]]) for (file, line, _), _ in lines]),
            "size_bytes": sizes,
            "live_allocations": sizes // 512 + 1,
            "size_stderr_bytes": np.sqrt(np.maximum(0, sizes) * INTERVAL_BYTES).astype(np.int64),
        },
    )


_CALLERS = [["app/main.py", number] for number in (12, 20, 31)] + [["app/routes.py", number] for number in (40, 77)]


def _timestamps(run: PlannedRun, elapsed_s: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> pa.Array:
    return pa.array(((run.started + elapsed_s) * 1e6).astype(np.int64), pa.timestamp("us", tz="UTC"))


def _conform(table: str, size: int, columns: dict[str, object]) -> pa.Table:
    schema = arrow_schema(table, list(TABLES[table]))
    arrays = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(size, field.type)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def _write_sealed(path: Path, table: str, rows: pa.Table) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        writer = SealedWriter(stream, table)
        writer.write(rows)
        writer.close()
    return path.stat().st_size


def _hand_over(files: Files, folder: Path, path: str) -> None:
    """Upload a file that was made for a bucket; one of a folder is where it should be."""
    if not isinstance(files, LocalFiles):
        files.put(folder / path, path)
        (folder / path).unlink()
