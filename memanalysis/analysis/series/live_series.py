"""What may be said of a series that still grows? The same as of the whole, from a bounded number of points.

A long series is folded by threes, again and again: three neighbours become their mean time and the middle one of their
values, which a spike does not move. `series` folds recorded series in the same way, so that live and recorded verdicts
are one. Loads no numpy before it is asked for a verdict: it lives in watched processes.
"""

import math
from array import array
from typing import TYPE_CHECKING

from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.errors import InvalidArgumentError

if TYPE_CHECKING:
    from memanalysis.analysis.verdict import Verdict

__all__ = ["FOLD", "MOST_KEPT", "LiveSeries"]

FOLD = 3
"""Points that become one; the middle of three is their median."""

MOST_KEPT = 3 * 683
"""As many points are folded: 32 KB, and 10 or more for each of the 64 that a verdict looks at."""

Point = tuple[float, float]


class LiveSeries:
    """A series that is given sample after sample and may be judged at any moment; it keeps at most 2,049 points.

    Examples
    --------
    >>> live = LiveSeries()
    >>> for second in range(100):
    ...     live.add(float(second), 2e8 + 1e6 * second)
    >>> live.judge().shape
    'growing'
    """

    def __init__(self) -> None:
        self._times, self._values = array("d"), array("d")
        self._waiting: list[list[Point]] = []  # fewer than three of each lesser fold, the greatest first
        self._newest: Point | None = None  # held back: a later value of the same moment takes its place
        self._n_samples = 0

    @property
    def n_samples(self) -> int:
        """Known samples that were given, one a moment."""
        return self._n_samples + (self._newest is not None)

    def add(self, elapsed_s: float, value: float | None) -> None:
        """Take the next sample; an unknown value is passed over.

        Raises
        ------
        InvalidArgumentError
            It lies before the last one, or its value is negative.
        """
        if value is None or not math.isfinite(value) or not math.isfinite(elapsed_s):
            return
        if value < 0:
            raise InvalidArgumentError(f"LiveSeries.add needs sizes of 0 bytes or more, but got {value!r}.")
        if self._newest is not None:
            if elapsed_s < self._newest[0]:
                raise InvalidArgumentError(
                    f"LiveSeries.add needs samples in the order of time, but got {elapsed_s!r} s after "
                    f"{self._newest[0]!r} s. Pass seconds of a monotonic clock, or judge all at once by assess_series."
                )
            if elapsed_s > self._newest[0]:
                self._keep(self._newest)
                self._n_samples += 1
        self._newest = (elapsed_s, value)

    def judge(self, *, limit_bytes: float | None = None, rules: SeverityRules | None = None) -> "Verdict":
        """Judge what was given so far, as `assess_series` would."""
        from memanalysis.analysis.series.prepare import prepare_folded
        from memanalysis.analysis.series_verdict import judge_batch_of_one

        times, values, counts = self._points()
        return judge_batch_of_one(prepare_folded(times, values, counts), limit_bytes=limit_bytes, rules=rules)

    def _points(self) -> tuple[list[float], list[float], list[int]]:
        """Seconds, values and how many samples each stands for."""
        times, values = self._times.tolist(), self._values.tolist()
        counts = [FOLD ** len(self._waiting)] * len(times)
        waiting = [*self._waiting, [] if self._newest is None else [self._newest]]
        for place, points in enumerate(waiting):
            for time_s, value in points:
                times.append(time_s)
                values.append(value)
                counts.append(FOLD ** max(0, len(self._waiting) - 1 - place))
        return times, values, counts

    def _keep(self, point: Point) -> None:
        for waiting in reversed(self._waiting):
            waiting.append(point)
            if len(waiting) < FOLD:
                return
            point = _fold(*waiting)
            waiting.clear()
        self._times.append(point[0])
        self._values.append(point[1])
        if len(self._times) == MOST_KEPT:
            self._fold_all()

    def _fold_all(self) -> None:
        points = list(zip(self._times, self._values, strict=True))
        folded = [_fold(*points[place : place + FOLD]) for place in range(0, MOST_KEPT, FOLD)]
        self._times = array("d", [time_s for time_s, _ in folded])
        self._values = array("d", [value for _, value in folded])
        self._waiting.insert(0, [])


def _fold(a: Point, b: Point, c: Point) -> Point:
    return (a[0] + b[0] + c[0]) / FOLD, sorted((a[1], b[1], c[1]))[1]
