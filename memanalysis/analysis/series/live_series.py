"""A series that is given sample by sample, kept in a bounded number of points, and judged at any moment.

A long series is folded by threes, repeatedly: three neighbours become their mean time and the middle one of their
values, which a spike does not move. `folding` folds recorded series in the same way, so that live and recorded verdicts
are equal. Loads no numpy before it is asked for a verdict: it lives in watched processes.
"""

import math
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memanalysis.analysis.series.fold_limits import FOLD_SIZE, MAX_POINTS_KEPT
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.errors import InvalidArgumentError

if TYPE_CHECKING:
    from memanalysis.analysis.series.prepare import SeriesBatch
    from memanalysis.analysis.thresholds import Thresholds
    from memanalysis.analysis.verdict import Verdict

__all__ = ["LiveSeries"]

Point = tuple[float, float]


class LiveSeries:
    """A series that is given sample after sample and may be judged at any moment; it keeps at most 2,049 points.

    Parameters
    ----------
    thresholds : Thresholds, optional
        The numbers to fold and to judge by.

    See Also
    --------
    memanalysis.assess_series : The verdict on a series that is there as a whole.

    Examples
    --------
    >>> from memanalysis.analysis.series.live_series import LiveSeries
    >>> live = LiveSeries()
    >>> for second in range(100):
    ...     live.add(float(second), 2e8 + 1e6 * second)
    >>> live.judge().shape
    'growing'
    """

    def __init__(self, *, thresholds: "Thresholds | None" = None) -> None:
        self._thresholds = thresholds
        self._fold = thresholds.series.fold_size if thresholds else FOLD_SIZE
        self._max_points = thresholds.series.max_points_kept if thresholds else MAX_POINTS_KEPT
        self._times, self._values = array("d"), array("d")
        self._waiting: list[list[Point]] = []  # fewer than three of each lesser fold, the greatest first
        self._newest: Point | None = None  # held back: a later value of the same moment takes its place
        self._n_samples = 0

    @property
    def n_samples(self) -> int:
        """Number of known samples that were given, one a moment."""
        return self._n_samples + (self._newest is not None)

    @property
    def times(self) -> list[float]:
        """Seconds of ``values``."""
        return self._points()[0]

    @property
    def values(self) -> list[float]:
        """The values that are kept, in the order of time; several samples are one where the series is long."""
        return self._points()[1]

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
                self._append(self._newest)
                self._n_samples += 1
        self._newest = (elapsed_s, value)

    def judge(self, *, limit_bytes: float | None = None, rules: SeverityRules | None = None) -> "Verdict":
        """Judge what was given so far, as `assess_series` would."""
        from memanalysis.analysis.series_verdict import judge_one_run
        from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS

        thresholds = self._thresholds or DEFAULT_THRESHOLDS
        return judge_one_run({"series": self.prepare()}, limit_bytes=limit_bytes, rules=rules, thresholds=thresholds)

    def prepare(self) -> "SeriesBatch":
        """Return what was given so far as a batch of one series, to be judged beside others of the same run."""
        from memanalysis.analysis.series.prepare import prepare_folded
        from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS

        times, values, counts = self._points()
        return prepare_folded(times, values, counts, thresholds=(self._thresholds or DEFAULT_THRESHOLDS).series)

    def _points(self) -> tuple[list[float], list[float], list[int]]:
        """Return seconds, values and how many samples each stands for."""
        times, values = self._times.tolist(), self._values.tolist()
        counts = [self._fold ** len(self._waiting)] * len(times)
        waiting = [*self._waiting, [] if self._newest is None else [self._newest]]
        for place, points in enumerate(waiting):
            for time_s, value in points:
                times.append(time_s)
                values.append(value)
                counts.append(self._fold ** max(0, len(self._waiting) - 1 - place))
        return times, values, counts

    def _append(self, point: Point) -> None:
        for waiting in reversed(self._waiting):
            waiting.append(point)
            if len(waiting) < self._fold:
                return
            point = _fold_points(waiting)
            waiting.clear()
        self._times.append(point[0])
        self._values.append(point[1])
        if len(self._times) == self._max_points:
            self._fold_all()

    def _fold_all(self) -> None:
        points = list(zip(self._times, self._values, strict=True))
        folded = [_fold_points(points[place : place + self._fold]) for place in range(0, len(points), self._fold)]
        self._times = array("d", [time_s for time_s, _ in folded])
        self._values = array("d", [value for _, value in folded])
        self._waiting.insert(0, [])


def _fold_points(points: Sequence[Point]) -> Point:
    """Return their mean time and their middle value."""
    total = 0.0
    for time_s, _ in points:  # not sum(): from Python 3.12 on it rounds otherwise than the arrays of `folding`
        total += time_s
    return total / len(points), sorted(value for _, value in points)[len(points) // 2]
