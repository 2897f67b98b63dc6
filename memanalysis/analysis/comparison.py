"""The change from one ledger to another: levels and growth by service, and sizes by allocation site, with intervals.

Noise is no regression. Where a service ran several times before or after, the difference between those runs is the
noise; where it ran once, it is the noise within the run, and the answer says that it rests on one run a side.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.budgets.budget_metric import primary_metric
from memanalysis.analysis.input_frames import known_floats, require_columns, with_elapsed
from memanalysis.analysis.leaks.user_lines import use_user_lines
from memanalysis.analysis.quantiles import student_t_quantile
from memanalysis.analysis.series.prepare import prepare_batch
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, ComparisonThresholds, Thresholds
from memanalysis.analysis.trend.shape_readings import classify_shapes

__all__ = ["COMPARISON_COLUMNS", "compare_samples", "compare_sites"]

COMPARISON_COLUMNS = (
    "service",
    "what",
    "before",
    "after",
    "change",
    "low",
    "high",
    "verdict",
    "runs_before",
    "runs_after",
    "file",
    "line",
    "function",
)
"""Columns of what is given back; ``what`` is ``level_bytes``, ``slope_bytes_per_s`` or ``site_bytes``."""

MANY = 1000.0
"""Degrees of freedom from which Student's t is normal."""

Change = Literal["more", "less", "same", "new", "gone"]


@dataclass(frozen=True, slots=True)
class _Side:
    """One quantity on one side: a value a run, and the standard error within each run."""

    values: FloatArray
    errors: FloatArray

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def variance_of_mean(self) -> float:
        """Of several runs what they differ by, of one run what it varies by within; never less than the latter."""
        within = float(np.mean(self.errors**2)) / self.values.size
        between = float(self.values.var(ddof=1)) / self.values.size if self.values.size > 1 else 0.0
        return max(within, between)


def compare_samples(
    before: pd.DataFrame, after: pd.DataFrame, *, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> pd.DataFrame:
    """Compare levels and growth of the services that both sides have.

    Parameters
    ----------
    before, after : DataFrame
        Rows of the table ``samples``.
    thresholds : Thresholds, optional
        The numbers to judge by.

    Returns
    -------
    DataFrame
        ``COMPARISON_COLUMNS``, two rows a service: the level after warm-up, and the slope. ``verdict`` is ``more`` or
        ``less`` where the 95 % interval of the change lies on one side of zero and the change matters, else ``same``.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.

    Notes
    -----
    Welch's interval for the difference of two means, from the runs where there are several a side.
    """
    rule, rows = thresholds.comparison, []
    for service in _services_of_both(before, after):
        sides = [_measure_runs(frame[frame["service"] == service], thresholds) for frame in (before, after)]
        if any(level.values.size == 0 for level, _, _ in sides):
            continue
        (level_before, slope_before, judged_s), (level_after, slope_after, _) = sides
        least = max(rule.min_change_bytes, rule.min_change_share * level_before.mean)
        rows.append({"service": service, "what": "level_bytes", **_contrast(level_before, level_after, least, rule)})
        min_slope = least / max(judged_s, 1.0)
        rows.append(
            {"service": service, "what": "slope_bytes_per_s", **_contrast(slope_before, slope_after, min_slope, rule)}
        )
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def compare_sites(
    before: pd.DataFrame, after: pd.DataFrame, *, thresholds: ComparisonThresholds = DEFAULT_THRESHOLDS.comparison
) -> pd.DataFrame:
    """Compare what the allocation sites of each service hold on average, the largest rise first.

    Sites are matched by file and function, because lines move from release to release; where no function is known, by
    line. ``verdict`` is also ``new`` or ``gone`` for a site that one side does not have.

    Parameters
    ----------
    before, after : DataFrame
        Rows of the table ``sites``.
    thresholds : ComparisonThresholds, optional
        The numbers to judge by.
    """
    sides = [_measure_sites(frame) for frame in (before, after)]
    rows = []
    for service in _services_of_both(before, after):
        known = [side.get(service, {}) for side in sides]
        runs = [max((held.values.size for held, _ in side.values()), default=0) for side in known]
        for key in known[0].keys() | known[1].keys():
            nothing = [_Side(np.zeros(max(count, 1)), np.zeros(max(count, 1))) for count in runs]
            (held_before, _), (held_after, line) = (
                side.get(key, (nothing[place], None)) for place, side in enumerate(known)
            )
            contrast = _contrast(held_before, held_after, thresholds.min_site_bytes, thresholds)
            if contrast["verdict"] in {"more", "less"}:
                contrast["verdict"] = (
                    "new" if key not in known[0] else "gone" if key not in known[1] else contrast["verdict"]
                )
            file, function = key
            line = line if line is not None else known[0][key][1]
            rows.append(
                {"service": service, "what": "site_bytes", **contrast, "file": file, "line": line, "function": function}
            )
    frame = pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))
    return frame.sort_values(["service", "change"], ascending=[True, False], ignore_index=True)


def _services_of_both(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    for frame in (before, after):
        require_columns("compare", frame, ["service", "run_id"])
    return sorted(set(before["service"].dropna()) & set(after["service"].dropna()))


def _measure_runs(samples: pd.DataFrame, thresholds: Thresholds) -> tuple[_Side, _Side, float]:
    """Level after warm-up and slope of each run with enough samples, and the mean seconds they were judged on."""
    codes, runs = pd.factorize(samples["run_id"], use_na_sentinel=False)
    values = known_floats(samples, primary_metric(samples))
    batch = prepare_batch(
        codes.astype(np.int64), with_elapsed(samples), values, n_series=len(runs), thresholds=thresholds.series
    )
    fits = classify_shapes(batch, thresholds=thresholds)
    known = np.isfinite(fits.slope)
    middle_s = batch.last_s - fits.judged_s / 2
    levels = (fits.intercept + fits.slope * middle_s)[known]
    level_errors = (fits.noise / np.sqrt(np.maximum(1.0, fits.n_effective)))[known]
    slope_errors = ((fits.high - fits.low) / 4)[known]
    judged_s = float(fits.judged_s[known].mean()) if known.any() else 0.0
    return _Side(levels, level_errors), _Side(fits.slope[known], slope_errors), judged_s


def _measure_sites(sites: pd.DataFrame) -> dict[str, dict[tuple[str, object], tuple[_Side, int]]]:
    """By service and by (file, function): mean size a run with its standard error over the snapshots, and the line."""
    sites = use_user_lines(sites)
    if sites.empty:
        return {}
    place = sites["function"].where(sites["function"].notna(), sites["line"].map("line {}".format))
    frame = sites.assign(place=place)
    measured: dict[str, dict[tuple[str, object], tuple[_Side, int]]] = {}
    for service, of_service in frame.groupby("service", observed=True):
        snapshots = of_service.groupby("run_id", observed=True)["timestamp"].nunique().to_dict()
        for (file, name), of_site in of_service.groupby(["file", "place"], observed=True):
            sizes = [_sizes(of_site[of_site["run_id"] == run_id], int(count)) for run_id, count in snapshots.items()]
            errors = [float(held.std(ddof=1)) / np.sqrt(held.size) if held.size > 1 else 0.0 for held in sizes]
            side = _Side(np.array([held.mean() for held in sizes]), np.array(errors))
            line = int(of_site["line"].mode().iloc[0])
            measured.setdefault(str(service), {})[str(file), name] = (side, line)
    return measured


def _sizes(of_run: pd.DataFrame, snapshots: int) -> FloatArray:
    """Bytes of a site in each snapshot of a run; a snapshot that does not list it found nothing of it."""
    held = of_run.groupby("timestamp")["size_bytes"].sum().to_numpy(dtype=np.float64)
    return np.concatenate([held, np.zeros(snapshots - held.size)])


def _contrast(before: _Side, after: _Side, least: float, rule: ComparisonThresholds) -> dict[str, object]:
    """The change with its interval, and whether it is one."""
    change = after.mean - before.mean
    error = float(np.sqrt(before.variance_of_mean + after.variance_of_mean))
    half_width = float(student_t_quantile(0.5 + rule.confidence / 2, np.array([_freedom(before, after)]))[0]) * error
    matters = abs(change) >= least and abs(change) > half_width
    verdict: Change = "same" if not matters else "more" if change > 0 else "less"
    return {
        "before": before.mean,
        "after": after.mean,
        "change": change,
        "low": change - half_width,
        "high": change + half_width,
        "verdict": verdict,
        "runs_before": before.values.size,
        "runs_after": after.values.size,
    }


def _freedom(before: _Side, after: _Side) -> float:
    """Degrees of freedom of Welch and Satterthwaite; many where both sides are one run, whose error is known."""
    parts = [(side.variance_of_mean, side.values.size - 1) for side in (before, after) if side.values.size > 1]
    whole = before.variance_of_mean + after.variance_of_mean
    if not parts or whole == 0:
        return MANY
    return max(2.0, whole**2 / max(sum(part**2 / degrees for part, degrees in parts), whole**2 / MANY))
