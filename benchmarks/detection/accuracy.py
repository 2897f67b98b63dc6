"""The figures of the accuracy page, from simulated series alone, so that anyone can measure them again.

``python -m benchmarks detection --write`` writes them to ``docs/accuracy.json``, and the documentation shows that file.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection.detector import Judge, judge_by, judge_by_engine
from benchmarks.detection.hard_classes import LENGTHS, make_series, score_hard_classes
from benchmarks.detection.peers import PEERS
from benchmarks.detection.simulated import BENIGN, LEVEL, SEED, Series, ar_noise
from memanalysis.analysis.arrays import FloatArray
from memanalysis.units import MIB

__all__ = ["FILE", "find_smallest_growth", "measure_accuracy", "write_accuracy"]

FILE = Path(__file__).parents[2] / "docs" / "accuracy.json"

COUNT, PEER_COUNT = 200, 40
"""Series of each kind: ours are judged at once, and peers one by one."""

PEER_LENGTH = 200
GROWTHS = tuple(float(size) for size in np.geomspace(1, 256, 25).round(2))
"""Growth over the record in standard deviations of the noise."""

CURVE_RECALL, CURVE_LAG_ONE = 0.9, 0.5


def write_accuracy() -> None:
    """Measure ours and the peers, and write the file."""
    judges: dict[str, Judge] = {"memanalysis": judge_by_engine}
    judges |= {name: judge_by(detector) for name, detector in PEERS.items()}
    figures = {name: measure_accuracy(judge, count=_count(name)) for name, judge in judges.items()}
    ours = [
        {"kind": cell.name, "is_leak": cell.is_leak, "length": cell.length, "share": cell.found / cell.count}
        for cell in score_hard_classes(COUNT)
    ]
    document = {
        "count": COUNT,
        "peer_count": PEER_COUNT,
        "peer_length": PEER_LENGTH,
        "ours": ours,
        "detectors": figures,
    }
    FILE.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def measure_accuracy(judge: Judge, *, count: int) -> dict[str, Any]:
    """Return the shares that a detector calls a leak, and the least growth that it finds by the number of samples.

    Parameters
    ----------
    judge : callable
        What judges a list of series.
    count : int
        Series of each kind.
    """
    cells = list(score_hard_classes(count, (PEER_LENGTH,), judge=judge))
    benign = {}
    for name, make in BENIGN.items():
        rng = np.random.default_rng(SEED)
        benign[name] = float(np.mean(judge([make(rng) for _ in range(count)])))
    return {
        "found": {cell.name: cell.found / cell.count for cell in cells if cell.is_leak},
        "alarms": {cell.name: cell.found / cell.count for cell in cells if not cell.is_leak},
        "benign": benign,
        "smallest_growth": {str(length): find_smallest_growth(judge, length, count=count) for length in LENGTHS},
    }


def find_smallest_growth(judge: Judge, length: int, *, count: int) -> float | None:
    """Return the smallest growth over noise that is found in nine of ten series, None where none is.

    Parameters
    ----------
    judge : callable
        What judges a list of series.
    length, count : int
        Samples a series, and series of each growth.
    """
    low, high = 0, len(GROWTHS)
    while low < high:  # bisection: more growth is found more often
        middle = (low + high) // 2
        found = float(np.mean(judge(make_series(_leak_of(GROWTHS[middle]), count, length))))
        low, high = (low, middle) if found >= CURVE_RECALL else (middle + 1, high)
    return GROWTHS[low] if low < len(GROWTHS) else None


def _leak_of(growth: float) -> Any:
    """Return what makes a leak under AR(1) noise of 2 MiB."""

    def make(rng: np.random.Generator, n: int) -> Series:
        level: FloatArray = growth * np.arange(n) / n + ar_noise(rng, n, CURVE_LAG_ONE)
        return np.arange(float(n)), LEVEL + 2 * MIB * level

    return make


def _count(name: str) -> int:
    return COUNT if name == "memanalysis" else PEER_COUNT
