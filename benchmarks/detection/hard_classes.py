"""Kinds of growth that are hard to judge, 200 series a cell: leaks to be found, and benign growth to be silent about.

A leak is scored at its end. What is benign is judged after each tenth of its record, and one alarm is one too many.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.detector import Judge, judge_by_engine
from benchmarks.detection.simulated import LEVEL, SEED, Series, ar_noise
from memanalysis.analysis.arrays import FloatArray
from memanalysis.units import MIB

__all__ = ["HARD_BENIGN", "HARD_LEAKS", "LENGTHS", "Cell", "Maker", "make_series", "score_hard_classes"]

LENGTHS = (60, 200, 1000)
TENTHS = 10
Maker = Callable[[np.random.Generator, int], Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """How many series of one kind and length were called leaks.

    Parameters
    ----------
    name : str
        The kind.
    is_leak : bool
        Whether its series leak.
    length, found, count : int
        Samples a series, series called leaks, and series.
    """

    name: str
    is_leak: bool
    length: int
    found: int
    count: int


def _noise(rng: np.random.Generator, n: int, size: float) -> FloatArray:
    return ar_noise(rng, n, rng.uniform(0, 0.5)) * size


def _series(n: int, megabytes: FloatArray, step_s: float = 1.0) -> Series:
    return np.arange(float(n)) * step_s, np.maximum(0.0, LEVEL + megabytes * MIB)


def _late(onset: float) -> Maker:
    def make(rng: np.random.Generator, n: int) -> Series:
        growth = rng.uniform(20, 150)
        rise = np.maximum(0.0, np.arange(n) / n - onset) / (1 - onset) * growth
        return _series(n, rise + _noise(rng, n, growth * rng.uniform(0.005, 0.03)))

    return make


def _one_jump(rng: np.random.Generator, n: int) -> Series:
    growth = rng.uniform(20, 150)
    jump = (np.arange(n) / n >= rng.uniform(0.3, 0.8)) * growth * rng.uniform(0.2, 1.5)
    return _series(n, growth * np.arange(n) / n + jump + _noise(rng, n, growth * rng.uniform(0.003, 0.02)))


def _restart(rng: np.random.Generator, n: int) -> Series:
    at, fall = rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.45)
    share = np.arange(n) / n
    growth = rng.uniform(150, 400)
    level = LEVEL / MIB + growth * share
    level = np.where(share >= at, level - fall * (LEVEL / MIB + growth * at), level)
    return _series(n, level - LEVEL / MIB + _noise(rng, n, growth * rng.uniform(0.003, 0.01)))


def _releases(rng: np.random.Generator, n: int) -> Series:
    growth, count = rng.uniform(50, 200), int(rng.integers(4, 9))
    places = np.sort(rng.random(count))
    given = sum((np.arange(n) / n >= place) * growth / count * rng.uniform(0.2, 0.6) for place in places)
    return _series(n, growth * np.arange(n) / n - given + _noise(rng, n, growth * rng.uniform(0.002, 0.01)))


def _jumps(count: int) -> Maker:
    def make(rng: np.random.Generator, n: int) -> Series:
        places = (np.arange(count) + rng.uniform(0.2, 0.8, count)) / count
        level = sum((np.arange(n) / n >= place) * rng.uniform(0.7, 1.3) * 60 / count for place in places)
        return _series(n, level + _noise(rng, n, rng.uniform(0.1, 0.8)))

    return make


def _slowing(curve: Callable[[FloatArray], FloatArray]) -> Maker:
    def make(rng: np.random.Generator, n: int) -> Series:
        growth = rng.uniform(20, 150)
        rise = curve(np.arange(1, n + 1) / n)
        return _series(n, growth * rise / np.ptp(rise) + _noise(rng, n, growth * rng.uniform(0.003, 0.02)))

    return make


def _correlated(rng: np.random.Generator, n: int) -> Series:
    sigma = rng.uniform(0.5, 4)
    return _series(n, 12 * sigma * np.arange(n) / n + ar_noise(rng, n, 0.8) * sigma)


def _under_days(rng: np.random.Generator, n: int) -> Series:
    days, swing = rng.uniform(3, 7), rng.uniform(5, 20)
    growth = swing * rng.uniform(4, 10)
    phase = 2 * np.pi * (np.arange(n) / n * days + rng.random())
    level = growth * np.arange(n) / n + swing * np.sin(phase) + _noise(rng, n, swing * rng.uniform(0.02, 0.1))
    return _series(n, level, days * 86400 / n)


def _rate_of_day(rng: np.random.Generator, n: int) -> Series:
    days, growth = rng.uniform(3, 7), rng.uniform(40, 150)
    rate = 1 + rng.uniform(0.5, 1.0) * np.sin(2 * np.pi * (np.arange(n) / n * days + rng.random()))
    return _series(
        n, growth * np.cumsum(rate) / n + _noise(rng, n, growth * rng.uniform(0.003, 0.01)), days * 86400 / n
    )


def _after_start(rng: np.random.Generator, n: int) -> Series:
    """A program that loads what it needs in the first seconds, and then leaks steadily."""
    at = np.arange(float(n))
    start_up = rng.uniform(5, 60) * (1 - np.exp(-at / rng.uniform(1, 6)))
    rate = rng.uniform(0.05, 0.6)
    return _series(n, start_up + rate * at + _noise(rng, n, rate * rng.uniform(0.1, 1)))


def _beyond_release(rng: np.random.Generator, n: int) -> Series:
    """A steady leak that gives back a part once, and grows beyond where it was."""
    share, growth, at = np.arange(n) / n, rng.uniform(50, 200), rng.uniform(0.15, 0.45)
    given = (share >= at) * growth * at * rng.uniform(0.4, 0.9)
    return _series(n, growth * share - given + _noise(rng, n, growth * rng.uniform(0.002, 0.01)))


def _below_start(rng: np.random.Generator, n: int) -> Series:
    """A program that loads data, falls far, and leaks below the height of its start."""
    growth, end = rng.uniform(20, 120), rng.uniform(0.01, 0.06)
    height = growth * rng.uniform(1, 3)
    level = np.interp(np.arange(n) / n, [0, end / 2, end, end + 0.02, 1], [0, height, height, 0, growth])
    return _series(n, level + _noise(rng, n, growth * rng.uniform(0.003, 0.02)))


def _started_over(rng: np.random.Generator, n: int) -> Series:
    """A leak that a restart takes back, by more than half, and that has not come as far since."""
    share, at, growth = np.arange(n) / n, rng.uniform(0.2, 0.5), rng.uniform(150, 500)
    level = LEVEL / MIB + growth * share
    level -= (share >= at) * rng.uniform(0.55, 0.75) * (LEVEL / MIB + growth * at)
    return _series(n, level - LEVEL / MIB + _noise(rng, n, growth * rng.uniform(0.003, 0.01)))


HARD_LEAKS: dict[str, Maker] = {
    **{f"starts at {onset:.0%} of the record": _late(onset) for onset in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)},
    "one sudden jump on a steady leak": _one_jump,
    "a restart with a fall under half": _restart,
    "partial releases": _releases,
    **{f"in {count} jumps": _jumps(count) for count in (3, 10, 20)},
    "slows as x^0.7": _slowing(lambda share: share**0.7),
    "slows as the square root": _slowing(np.sqrt),
    "slows as the logarithm": _slowing(lambda share: np.log1p(share * 20)),
    "twelve deviations of AR(1) 0.8": _correlated,
    "under a day cycle": _under_days,
    "at a rate of the day": _rate_of_day,
    "steady after a start-up of seconds": _after_start,
    "beyond a level that was given back": _beyond_release,
    "below the height of its start": _below_start,
    "after a restart, below its end": _started_over,
}


def _growing_teeth(rng: np.random.Generator, n: int) -> Series:
    period, first, last = rng.uniform(6, n / 4), rng.uniform(5, 30), rng.uniform(2, 6)
    tooth = ((np.arange(n) + rng.uniform(0, period)) % period) / period
    swing = first * (1 + (last - 1) * np.arange(n) / n)
    return _series(n, tooth * swing + _noise(rng, n, rng.uniform(0, 0.5)))


def _filling_cache(rng: np.random.Generator, n: int) -> Series:
    size, keys = rng.uniform(20, 200), rng.uniform(0.1, 0.6)
    return _series(n, size * (1 - np.exp(-np.arange(n) / n / keys)) + _noise(rng, n, size * rng.uniform(0.001, 0.01)))


def _warming(rng: np.random.Generator, n: int) -> Series:
    size, constant = rng.uniform(20, 200), rng.uniform(0.02, 0.15)
    return _series(
        n, size * (1 - np.exp(-np.arange(n) / n / constant)) + _noise(rng, n, size * rng.uniform(0.001, 0.02))
    )


def _slow_swings(rng: np.random.Generator, n: int) -> Series:
    days = rng.uniform(1, 7)
    phase = 2 * np.pi * (np.arange(n) / n * days + rng.random())
    swing = rng.uniform(10, 80)
    return _series(n, swing * np.sin(phase) + _noise(rng, n, swing * rng.uniform(0.02, 0.1)), days * 86400 / n)


def _regain(rng: np.random.Generator, n: int) -> Series:
    """A level that is reached at once or in a while, is held, falls, and comes back to what it was, more or less."""
    height, began = rng.uniform(20, 150), rng.uniform(-0.05, 0.05)
    held = max(0.0, began) + rng.uniform(0.12, 0.35)
    low = held + rng.uniform(0, 0.1)
    back = low + rng.uniform(0, 0.2)
    full = rng.uniform(back + 0.25, 1.0)
    level = np.interp(np.arange(n) / n, [held, low, back, full], [1, 0, 0, rng.uniform(0.8, 1.04)])
    loads = np.interp(np.arange(n) / n, [began - 1e-6, began], [-rng.uniform(0.2, 1.3), 0])
    return _series(n, height * (level + loads + _noise(rng, n, rng.uniform(0.003, 0.02))))


def _refill(rng: np.random.Generator, n: int) -> Series:
    """A full cache that is emptied, and fills again ever more slowly, or as fast as there are keys."""
    share, size, at = np.arange(n) / n, rng.uniform(20, 150), rng.uniform(0.12, 0.4)
    since = np.maximum(0.0, share - at) / (1 - at)
    keys, left = rng.uniform(0.2, 2), rng.uniform(0, 0.5)
    filled = (1 - np.exp(-since / keys)) / (1 - np.exp(-1 / keys))
    level = np.where(share < at, 1.0, left + (rng.uniform(0.7, 1.0) - left) * filled)
    return _series(n, size * (level + _noise(rng, n, rng.uniform(0.002, 0.01))))


def _swing_from_height(rng: np.random.Generator, n: int) -> Series:
    """A day, more or less, that begins where the load is highest."""
    days, swing = rng.uniform(0.7, 1.6), rng.uniform(10, 80)
    level = swing * np.cos(2 * np.pi * (np.arange(n) / n * days + rng.uniform(-0.03, 0.06)))
    return _series(n, level + _noise(rng, n, swing * rng.uniform(0.02, 0.1)), days * 86400 / n)


def _nightly_batch(rng: np.random.Generator, n: int) -> Series:
    """A record that begins in the batch of one night, and ends in that of the next."""
    size, ends, begins = rng.uniform(20, 150), rng.uniform(0.12, 0.25), rng.uniform(0.4, 0.6)
    full = begins + rng.uniform(0.1, 0.3)
    level = np.interp(np.arange(n) / n, [ends, ends + 0.01, begins, full], [1, 0, 0, rng.uniform(0.85, 1.03)])
    return _series(n, size * (level + _noise(rng, n, rng.uniform(0.003, 0.02))), 86400 / n)


HARD_BENIGN: dict[str, Maker] = {
    "saw-teeth whose swing grows": _growing_teeth,
    "filling caches": _filling_cache,
    "warm-ups": _warming,
    "day cycles": _slow_swings,
    "a level that is lost and regained": _regain,
    "emptied caches that fill again": _refill,
    "swings that begin at their height": _swing_from_height,
    "nightly batches": _nightly_batch,
}


def score_hard_classes(
    count: int = 200, lengths: tuple[int, ...] = LENGTHS, *, judge: Judge = judge_by_engine
) -> Iterator[Cell]:
    """Yield a cell for each kind and length."""
    for is_leak, makers in ((True, HARD_LEAKS), (False, HARD_BENIGN)):
        for name, make in makers.items():
            for length in lengths:
                series = make_series(make, count, length)
                found = judge(series) if is_leak else _alarm_at_any_tenth(series, length, judge)
                yield Cell(name=name, is_leak=is_leak, length=length, found=int(found.sum()), count=count)


def make_series(make: Maker, count: int, length: int) -> list[Series]:
    """Return series of one kind, the same ones each time."""
    rng = np.random.default_rng(SEED)
    return [make(rng, length) for _ in range(count)]


def _alarm_at_any_tenth(series: list[Series], length: int, judge: Judge) -> NDArray[np.bool_]:
    moments = (tenth * length // TENTHS for tenth in range(1, TENTHS + 1))
    return np.any([judge([(times[:end], values[:end]) for times, values in series]) for end in moments], axis=0)
