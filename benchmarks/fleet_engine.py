"""Time and peak memory of judging ledgers of 2, 5 and 20 million samples, in one process and by Dask."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import print_table
from memanalysis.ledger.arrow import arrow_schema
from memanalysis.schema import TABLES

__all__ = ["main", "write_samples"]

SIZES = ((2_000_000, 200), (5_000_000, 500), (20_000_000, 1000))
"""Samples and services."""

LEAKY_EACH = 50
"""Of this number of services one leaks."""

FIRST_US = 1_750_000_000_000_000

JUDGE = """
import resource, sys, time
import memanalysis
from memanalysis.verdicts.dask_engine import DaskEngine
path, work = sys.argv[1:]
started, used = time.perf_counter(), time.process_time()
if work == "report":
    memanalysis.report(path).to_html()
else:
    engine = "pandas" if work == "assess" else DaskEngine(show=lambda text: None, n_workers=int(work[-1]))
    memanalysis.assess(path, engine=engine)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{time.perf_counter() - started:.1f} s|{time.process_time() - used:.1f} s|{peak:.0f} MiB")
"""


def write_samples(root: Path, n_samples: int, n_services: int, *, seed: int = 7) -> None:
    """Write one run a service; some leak 2 kB a second."""
    rng = np.random.default_rng(seed)
    schema = arrow_schema("samples", list(TABLES["samples"]))
    size = n_samples // n_services
    elapsed_s = np.arange(size) * 10.0
    for number in range(n_services):
        service, run_id = f"service-{number:04d}", f"run-{number:04d}"
        rss_bytes = 200 * 2**20 + rng.normal(0, 2**18, size)
        if number % LEAKY_EACH == 0:
            rss_bytes += 2_000 * elapsed_s
        columns = {
            "run_id": pa.array([run_id] * size),
            "service": pa.array([service] * size),
            "seq": np.arange(size),
            "timestamp": pa.array(FIRST_US + (elapsed_s * 1e6).astype(np.int64), pa.timestamp("us", tz="UTC")),
            "elapsed_s": elapsed_s,
            "rss_bytes": rss_bytes.astype(np.int64),
            "traced_bytes": (rss_bytes * 0.6).astype(np.int64),
            "limit_bytes": np.full(size, 2**30),
            "thread_count": np.full(size, 12),
            "descriptor_count": rng.integers(30, 34, size),
            "capture_s": rng.random(size) / 1000,
        }
        arrays = [
            pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(size, field.type)
            for field in schema
        ]
        folder = root / "samples" / f"service_key={service}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table(arrays, schema=schema), folder / f"{run_id}.parquet", compression="zstd")


def main() -> None:
    """Measure each in a process of its own; the memory is that of this process, without the workers."""
    rows = []
    for n_samples, n_services in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            write_samples(Path(folder), n_samples, n_services)
            for work in ("assess", "report", "dask, workers: 1", "dask, workers: 2"):
                command = [sys.executable, "-c", JUDGE, folder, work]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                rows.append([f"{n_samples:,} {work}", *done.stdout.strip().split("|")])
    print_table("Judging a fleet", ["samples", "wall", "processor", "peak memory"], rows)


if __name__ == "__main__":
    main()
