"""How fast are verdicts: a fleet of 50,000 series in Parquet, one series of a million points, ten snapshots."""

import resource
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pymannkendall
from scipy import stats

from benchmarks.measure import median_seconds, print_table
from memanalysis import MemoryLeakDetector, MemorySnapshot, assess
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.units import MIB

SERIES, POINTS = 50_000, 100
PEER_SERIES = 200
"""The peers judge series one by one: a number of them is timed, and their time is scaled up."""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.parquet"
        values = write_fleet(path)
        before = peak_rss_bytes()
        started = time.perf_counter()
        verdicts = assess(path)
        ours_s = time.perf_counter() - started
        rss_bytes = peak_rss_bytes()
        bare_s = median_seconds(lambda: bare_slopes(path), repeats=3)
    peers_s = peer_seconds(values) * SERIES / PEER_SERIES
    million = one_million_points()
    detector = ten_snapshots()
    shapes = ", ".join(f"{shape} {count}" for shape, count in verdicts["shape"].value_counts().items())
    rows = [
        ["50,000 series of 100 points, whole verdicts", f"{ours_s:.2f} s", ""],
        ["  series by series, theilslopes and Mann-Kendall", f"{peers_s:.0f} s", f"{peers_s / ours_s:.0f} x ours"],
        ["  DuckDB's bare regr_slope on the same file", f"{bare_s:.2f} s", f"ours takes {ours_s / bare_s:.1f} x"],
        ["  peak memory of this process", f"{rss_bytes / MIB:.0f} MiB", f"{before / MIB:.0f} MiB before"],
        ["one series of 1,000,000 points", f"{million:.2f} s", ""],
        ["the leak detector on 10 snapshots", f"{detector * 1000:.1f} ms", ""],
    ]
    print_table("Speed of verdicts", ["what", "time", ""], rows)
    print(f"verdicts: {shapes}\n")


def write_fleet(path: Path) -> np.ndarray:
    """Write 5 million rows: a tenth leaks, and saw-teeth, caches that fill, steps and noise make up the rest."""
    rng = np.random.default_rng(1)
    t = np.arange(POINTS, dtype=float)
    shapes = np.stack([t / POINTS, 1 - np.exp(-t / 20), (t % 13) / 13, (t >= 60) * 1.0, np.zeros(POINTS)])
    kinds = rng.choice(5, size=SERIES, p=[0.1, 0.2, 0.2, 0.1, 0.4])
    values = (
        200 * MIB + shapes[kinds] * rng.uniform(5, 100, (SERIES, 1)) * MIB + rng.normal(size=(SERIES, POINTS)) * MIB
    )
    values = values.round().astype(np.int64)
    service = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(SERIES, dtype=np.int32), POINTS)),
        pa.array([f"svc-{i:05d}" for i in range(SERIES)]),
    )
    stamps = np.tile((t * 60e6).astype(np.int64), SERIES) + 1_767_225_600_000_000
    columns = {
        "run_id": service.cast(pa.string()),
        "service": service.cast(pa.string()),
        "timestamp": pa.array(stamps, pa.timestamp("us", tz="UTC")),
        "elapsed_s": pa.array(np.tile(t * 60, SERIES)),
        "rss_bytes": pa.array(values.ravel()),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")
    return values


def bare_slopes(path: Path) -> int:
    """Least-squares slopes by DuckDB, nothing else."""
    query = "select service, regr_slope(rss_bytes, elapsed_s) from read_parquet(?) group by service"
    return len(duckdb.execute(query, [str(path)]).fetchall())


def peer_seconds(values: np.ndarray) -> float:
    """Seconds that SciPy and pymannkendall take for some of the series."""
    t = np.arange(POINTS, dtype=float) * 60
    started = time.perf_counter()
    for row in values[:PEER_SERIES]:
        stats.theilslopes(row, t)
        pymannkendall.original_test(row)
    return time.perf_counter() - started


def one_million_points() -> float:
    """Seconds for one long series."""
    rng = np.random.default_rng(2)
    t = np.arange(1e6)
    values = 200 * MIB + 50 * t + rng.normal(size=t.size) * MIB
    return median_seconds(lambda: assess_series(t, values), repeats=3)


def ten_snapshots() -> float:
    """Seconds of the contract's detector."""
    detector = MemoryLeakDetector({})
    for i in range(10):
        detector.add_snapshot(
            MemorySnapshot(timestamp=1e9 + 60 * i, current_mb=100 + 5.0 * i, peak_mb=150.0, object_count=50_000)
        )
    return median_seconds(detector.detect_leak, repeats=50)


def peak_rss_bytes() -> int:
    """Most that this process ever had resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
