"""How long the explorer takes for a change by hand, in a ledger of a million samples: of 20 services, and of one.

Seconds are of processor time. Pickers are moved back and forth, so each change is a new one; the median counts.
"""

import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from benchmarks.measure import Demand, print_demands
from memanalysis.units import MIB
from memanalysis.widgets.explorer import Explorer

__all__ = ["main"]

SAMPLES = 1_000_000
REPEATS = 12
MADE = "made"
MAX_S = 0.1


def main() -> int:
    """Print one row a kind of change; return how many are slower than demanded."""
    columns = [measure_changes(n_services) for n_services in (20, 1)]
    changes = [
        (f"{name}, {size}", column[name])
        for size, column in zip(("20 services", "one service"), columns, strict=True)
        for name in column
        if name != MADE
    ]
    made = " and ".join(f"{1e3 * column[MADE]:.0f}" for column in columns)
    print(f"The explorer itself was made in {made} ms.\n")
    return print_demands(
        "Explorer, a million samples",
        [
            Demand(name, f"{seconds * 1e3:.0f} ms", f"at most {MAX_S * 1e3:.0f} ms", seconds <= MAX_S)
            for name, seconds in changes
        ],
    )


def measure_changes(n_services: int) -> dict[str, float]:
    """Return the seconds of processor time of each kind of change."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.parquet"
        make_samples(n_services).to_parquet(path, index=False)
        began = time.process_time()
        explorer = Explorer(path)
        seconds = {MADE: time.process_time() - began}
        length_s = explorer.selection.end_s if explorer.selection is not None else 0.0
        changes: dict[str, tuple[Callable[[object], None], list[object]]] = {
            "service": (lambda name: setattr(explorer.service, "value", name), list(_list_values(explorer.service))),
            "metric": (lambda name: setattr(explorer.metric, "value", name), list(_list_values(explorer.metric))),
            "range": (
                lambda ends: setattr(explorer.first.slider, "value", ends),
                [(share * length_s, length_s) for share in (0.1, 0.2, 0.3)],
            ),
            "threshold": (lambda size: setattr(explorer.thresholds.budget.number, "value", size), [100, 200, 300]),
        }
        for name, (change, values) in changes.items():
            if len(values) > 1:
                seconds[name] = _median_of(change, values)
        explorer.close()
    return seconds


def make_samples(n_services: int, *, seed: int = 7) -> pd.DataFrame:
    """Return one run a service, a sample each ten seconds; all grow by 2 kB a second under noise."""
    size = SAMPLES // n_services
    elapsed_s = np.tile(np.arange(size) * 10.0, n_services)
    names = np.repeat([f"{number:04d}" for number in range(n_services)], size)
    rng = np.random.default_rng(seed)
    rss_bytes = 200 * MIB + 2_000 * elapsed_s + rng.normal(0, MIB / 4, SAMPLES)
    return pd.DataFrame(
        {
            "service": pd.Series(names, dtype="str").radd("service-"),
            "run_id": pd.Series(names, dtype="str").radd("run-"),
            "timestamp": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(elapsed_s, unit="s"),
            "elapsed_s": elapsed_s,
            "rss_bytes": rss_bytes.astype(np.int64),
            "traced_bytes": (rss_bytes * 0.6).astype(np.int64),
            "limit_bytes": 2**34,
            "thread_count": 12,
            "descriptor_count": rng.integers(30, 34, SAMPLES),
        }
    )


def _list_values(picker: object) -> list[object]:
    return [value for _, value in picker.options]  # type: ignore[attr-defined]  # ipywidgets is not typed


def _median_of(change: Callable[[object], None], values: list[object]) -> float:
    """The picker stands at the first value, so the second is the first change."""
    moved = cycle([*values[1:], values[0]])
    measured = []
    for _ in range(REPEATS):
        began = time.process_time()
        change(next(moved))
        measured.append(time.process_time() - began)
    return median(measured)
