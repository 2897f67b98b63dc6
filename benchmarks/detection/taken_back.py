"""How often the word leak is taken back: each leaking series is judged after every twentieth of its record.

A verdict on a steady leak should never go back. Where noise is large, or the load of the day falls, it still does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.detection.detector import Judge, judge_by_engine
from benchmarks.detection.hard_classes import HARD_LEAKS, LENGTHS, Maker, make_series
from benchmarks.detection.simulated import LEVEL, Series, ar_noise
from memanalysis.units import MIB

__all__ = ["TakenBack", "score_taken_back"]

COUNT = 40
MOMENTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """How many series of one kind and length were called a leak, and were not at a later moment.

    Parameters
    ----------
    name : str
        The kind.
    length, called, taken_back, count : int
        Samples a series, series that were called a leak at some moment, those of them that were not at a later one, and
        all series.
    """

    name: str
    length: int
    called: int
    taken_back: int
    count: int


def _noisy(rng: np.random.Generator, n: int) -> Series:
    growth = rng.uniform(20, 150)
    noise = growth * rng.uniform(0.01, 0.15) * ar_noise(rng, n, rng.uniform(0, 0.8))
    return np.arange(float(n)), LEVEL + MIB * (growth * np.arange(n) / n + noise)


KINDS: dict[str, Maker] = {"steady, under noise of 1 to 15 % of the growth": _noisy, **HARD_LEAKS}


def score_taken_back(lengths: tuple[int, ...] = LENGTHS, *, judge: Judge = judge_by_engine) -> Iterator[TakenBack]:
    """Yield the counts of each kind and length."""
    for name, make in KINDS.items():
        for length in lengths:
            series = make_series(make, COUNT, length)
            ends = (moment * length // MOMENTS for moment in range(1, MOMENTS + 1))
            leaks = np.array([judge([(times[:end], values[:end]) for times, values in series]) for end in ends])
            back = (leaks[:-1] & ~leaks[1:]).any(axis=0)
            yield TakenBack(
                name=name,
                length=length,
                called=int(leaks.any(axis=0).sum()),
                taken_back=int(back.sum()),
                count=COUNT,
            )
