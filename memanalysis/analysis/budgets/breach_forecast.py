"""When a service is over its budget next: a growing one by its line, one that comes and goes by its past episodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.typing import NaTType

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.analysis.budgets.budget_metric import read_budget_series
from memanalysis.analysis.budgets.recurrence import UNKNOWN, Recurrence, find_episode_starts, forecast_recurrence
from memanalysis.analysis.input_frames import known_floats, require_columns, with_elapsed
from memanalysis.analysis.leaks.exhaustion import forecast_exhaustion
from memanalysis.analysis.series.prepare import prepare_batch
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.trend.shape_readings import classify_shapes
from memanalysis.analysis.trend.trend_shape import GROWING
from memanalysis.schema import BUDGET_METRICS, BYTE_METRICS

__all__ = ["FORECAST_COLUMNS", "LATEST", "LEVELS", "METHODS", "forecast_breaches"]

FORECAST_COLUMNS = (
    "service",
    "run_id",
    "metric",
    "level",
    "limit_bytes",
    "method",
    "in_s",
    "in_low_s",
    "in_high_s",
    "next",
    "next_low",
    "next_high",
    "episodes",
)
"""Columns of the frame that ``forecast_breaches`` gives."""

LEVELS = {"warning": "warning_bytes", "critical": "critical_bytes", "budget": "max_bytes"}
"""Levels of a budget, and the fields that hold them."""

METHODS = ("growth", "recurrence", "unknown")
"""What a forecast extends: the line of a leak, or the gaps between rises; of ``unknown`` there is none."""

LATEST = pd.Timestamp("2200-01-01", tz="UTC")
"""A moment after this is not given as a date."""


def forecast_breaches(
    samples: pd.DataFrame, budgets: Mapping[str, Budget], *, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> pd.DataFrame:
    """Forecast when each run next reaches its warning level, its critical level and its budget.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples``.
    budgets : mapping
        From service to its budget; a service without one has no rows.
    thresholds : Thresholds, optional
        The numbers to judge and to forecast by.

    Returns
    -------
    DataFrame
        ``FORECAST_COLUMNS``, three rows a run. ``in_s`` counts from the run's last sample, ``in_low_s`` and
        ``in_high_s`` are the ends of its 90 % interval (infinite: perhaps never), ``next`` and its ends the same as
        moments. ``method`` is ``growth`` for a leak, whose line is extended (`forecast_exhaustion`; 0 seconds where it
        is there); ``recurrence`` where the series rose to the level at least three times (`forecast_recurrence`); else
        ``unknown``, and then the times are NaN and NaT: a level that was never reached may be reached tomorrow.
        ``episodes`` is how often the series rose to the level.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    """
    require_columns("forecast_breaches", samples, ("service", "run_id", "timestamp"))
    budgeted = samples[samples["service"].isin(list(budgets))]
    series = _arrange(budgeted, budgets)
    growth = _forecast_growth(series, [budgets[str(service)] for service in series.runs["service"]], thresholds)
    rows = []
    for i, (service, run_id, metric, last) in enumerate(series.runs.itertuples(index=False, name=None)):
        times, values = series.take(i)
        for level, field in LEVELS.items():
            limit = float(getattr(budgets[str(service)], field))
            starts = find_episode_starts(times, values, limit, thresholds=thresholds.forecast)
            method, expected = "growth", growth[level][i]
            if expected is None:
                expected = _forecast_return(times, starts, thresholds)
                method = "unknown" if np.isnan(expected.time_s) else "recurrence"
            seconds = (expected.time_s, expected.low_s, expected.high_s)
            moments = (_moment(last, in_s) for in_s in seconds)
            rows.append((service, run_id, metric, level, limit, method, *seconds, *moments, starts.size))
    forecast = pd.DataFrame(rows, columns=list(FORECAST_COLUMNS))
    for name in ("limit_bytes", "in_s", "in_low_s", "in_high_s"):
        forecast[name] = forecast[name].astype("float64")
    for name in ("next", "next_low", "next_high"):
        forecast[name] = pd.to_datetime(forecast[name], utc=True).astype("datetime64[us, UTC]")
    return forecast.astype({"episodes": "int64"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunSeries:
    """The known values of ``m`` runs, one after the other, each in the order of time with one value a moment.

    ``runs`` has a row a run: service, run_id, metric, and the moment of its last sample.
    """

    runs: pd.DataFrame
    numbers: IntArray
    elapsed_s: FloatArray
    values: FloatArray

    def take(self, i: int) -> tuple[FloatArray, FloatArray]:
        """Seconds and values of one run."""
        first, stop = np.searchsorted(self.numbers, [i, i + 1])
        return self.elapsed_s[first:stop], self.values[first:stop]


def _arrange(samples: pd.DataFrame, budgets: Mapping[str, Budget]) -> _RunSeries:
    """Each run on the metric of its budget, as `find_breaches` takes it."""
    groups = samples.groupby(["service", "run_id"], sort=True, dropna=False, observed=True)
    numbers = groups.ngroup().to_numpy(dtype=np.int64)
    stamps = pd.to_datetime(samples["timestamp"], utc=True)
    runs = (
        samples.assign(last=stamps).groupby(["service", "run_id"], sort=True, dropna=False, observed=True)["last"].max()
    )
    values = known_floats(samples, BYTE_METRICS[-1])
    metrics = np.full(groups.ngroups, BYTE_METRICS[-1], dtype=object)
    for metric in reversed(BYTE_METRICS[:-1]):
        preferred = known_floats(samples, metric)
        has = np.bincount(numbers[np.isfinite(preferred)], minlength=groups.ngroups) > 0
        values, metrics = np.where(has[numbers], preferred, values), np.where(has, metric, metrics)
    for number in _find_other_metrics(samples, numbers, budgets):
        places = np.flatnonzero(numbers == number)
        budget = budgets[str(samples["service"].iloc[places[0]])]
        own, columns = read_budget_series(samples.iloc[places], budget.metric)
        values[places] = own
        known = np.flatnonzero(np.isfinite(own))
        metrics[number] = columns[known[-1]] if known.size else columns[-1]
    elapsed_s = with_elapsed(samples) if len(samples) else np.zeros(0)
    order = np.lexsort((elapsed_s, numbers))
    order = order[np.isfinite(values[order]) & np.isfinite(elapsed_s[order])]
    numbers, elapsed_s, values = numbers[order], elapsed_s[order], values[order]
    is_last = np.append((np.diff(elapsed_s) > 0) | (np.diff(numbers) > 0), np.ones(min(1, numbers.size), dtype=bool))
    return _RunSeries(
        runs=runs.reset_index().assign(metric=metrics)[["service", "run_id", "metric", "last"]],
        numbers=numbers[is_last],
        elapsed_s=elapsed_s[is_last],
        values=values[is_last],
    )


def _find_other_metrics(samples: pd.DataFrame, numbers: NDArray[Any], budgets: Mapping[str, Budget]) -> list[int]:
    """Return the runs whose budget may be held against another metric than that of `primary_metric`."""
    others = [service for service, budget in budgets.items() if budget.metric not in ("auto", "rss")]
    is_other = samples["service"].isin(others).to_numpy(copy=True)
    automatic = [service for service, budget in budgets.items() if budget.metric == "auto"]
    for column in set(BUDGET_METRICS["auto"]).difference(BYTE_METRICS).intersection(samples.columns):
        is_other |= samples["service"].isin(automatic).to_numpy() & np.isfinite(known_floats(samples, column))
    return [int(number) for number in np.unique(numbers[is_other])]


def _forecast_growth(
    series: _RunSeries, budgets: Sequence[Budget], thresholds: Thresholds
) -> dict[str, list[Recurrence | None]]:
    """Return by level the times of each run; None where it is no leak."""
    batch = prepare_batch(
        series.numbers, series.elapsed_s, series.values, n_series=len(series.runs), thresholds=thresholds.series
    )
    fits = classify_shapes(batch, thresholds=thresholds)
    by_level = {}
    for level, field in LEVELS.items():
        limits = np.array([float(getattr(budget, field)) for budget in budgets])
        left = forecast_exhaustion(fits, batch, limits=limits, thresholds=thresholds)
        ends = zip(fits.shape == GROWING, left.time_s, left.low_s, left.high_s, strict=True)
        by_level[level] = [
            Recurrence(time_s=float(time_s), low_s=float(low_s), high_s=float(high_s)) if is_leak else None
            for is_leak, time_s, low_s, high_s in ends
        ]
    return by_level


def _forecast_return(times: FloatArray, starts: FloatArray, thresholds: Thresholds) -> Recurrence:
    if not starts.size:
        return UNKNOWN
    step_s = float(np.median(np.diff(times)))
    return forecast_recurrence(starts, now_s=float(times[-1]), step_s=step_s, thresholds=thresholds.forecast)


def _moment(last: pd.Timestamp | NaTType, in_s: float) -> pd.Timestamp | NaTType:
    """Return the moment this many seconds after the last sample; NaT where unknown, never, or beyond any calendar."""
    if isinstance(last, NaTType) or not np.isfinite(in_s) or in_s > (LATEST - last).total_seconds():
        return pd.NaT
    return (last + pd.Timedelta(seconds=in_s)).round("us")
