"""How long the explorer takes for a change by hand, in a ledger of a million samples: of 20 services, and of one.

Seconds are of processor time. Pickers are moved back and forth, so each change is a new one; the median counts.
"""

import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from statistics import median

from benchmarks.fleet_engine import write_samples
from benchmarks.measure import print_table
from memanalysis.widgets.explorer import Explorer

__all__ = ["main"]

SAMPLES = 1_000_000
REPEATS = 12


def main() -> None:
    """Print one row a kind of change."""
    columns = [measure_changes(n_services) for n_services in (20, 1)]
    rows = [
        [name, *(f"{1000 * column[name]:.0f} ms" if name in column else "" for column in columns)]
        for name in columns[0]
    ]
    print_table("Explorer, a million samples", ["change", "20 services", "one service"], rows)


def measure_changes(n_services: int) -> dict[str, float]:
    """Return the seconds of processor time of each kind of change."""
    with tempfile.TemporaryDirectory() as folder:
        write_samples(Path(folder), SAMPLES, n_services)
        began = time.process_time()
        explorer = Explorer(folder)
        seconds = {"made": time.process_time() - began}
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
