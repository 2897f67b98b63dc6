"""The change from one ledger to another: levels and growth by service, and sizes by allocation site, with intervals.

Noise is no regression. Where a service ran several times before or after, the difference between those runs is the
noise; where it ran once, it is the noise within the run, and what two runs of one program differ by.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.contrasts import Contrast, Side, adjust_p_values, contrast_sides
from memanalysis.analysis.input_frames import known_floats, require_columns
from memanalysis.analysis.leaks.user_lines import use_user_lines
from memanalysis.analysis.measured_runs import find_moments, measure_runs
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, ComparisonThresholds, Thresholds

__all__ = [
    "COMPARISON_COLUMNS",
    "WORSE",
    "Change",
    "ServiceChange",
    "compare_samples",
    "compare_sites",
    "contrast_samples",
    "contrast_sites",
    "find_changed_at_most",
    "judge_samples",
    "judge_sites",
]

COMPARISON_COLUMNS = (
    "service",
    "what",
    "before",
    "after",
    "change",
    "low",
    "high",
    "p_value",
    "verdict",
    "runs_before",
    "runs_after",
    "file",
    "line",
    "function",
)
"""Columns of what is given back; ``what`` is ``level_bytes``, ``slope_bytes_per_s`` or ``site_bytes``. ``low`` and
``high`` are the ends of the 95 % interval of the change. ``p_value`` is how likely so large a change is where there is
none, adjusted for the number of figures (or of sites) that are compared."""

WORSE = ("more", "new")
"""Verdicts that stand for more memory than before."""

Change = Literal["more", "less", "same", "new", "gone"]

_Key = tuple[str, object]
"""A site as it is matched: file, and function or line."""


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """One figure of a service on both sides, not yet judged: that takes all figures that are compared.

    Parameters
    ----------
    row : dict
        Cells of ``COMPARISON_COLUMNS`` that name the figure.
    contrast : Contrast
        The change, with the p-value of it alone.
    min_change : float
        Less does not matter.
    name : str or None
        What a change is called, where that is known: a site is ``new`` or ``gone``.
    """

    row: dict[str, Any]
    contrast: Contrast
    min_change: float
    name: Change | None = None


def compare_samples(
    before: pd.DataFrame, after: pd.DataFrame, *, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> pd.DataFrame:
    """Compare levels and growth of the services that both sides have.

    Parameters
    ----------
    before, after : DataFrame
        Rows of the table ``samples``. A run that is on both sides was cut in two.
    thresholds : Thresholds, optional
        The numbers to judge by.

    Returns
    -------
    DataFrame
        ``COMPARISON_COLUMNS``, two rows a service: the level after warm-up, and the slope. ``verdict`` is ``more`` or
        ``less`` if the change is large enough to matter and would occur by chance in fewer than 1 % of comparisons.
        Otherwise it is ``same``. A slope changed only if a run of either side grows, as `assess` decides it.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.

    Notes
    -----
    Welch's test for the difference of two means, from the runs where there are several a side, with the p-values of all
    services adjusted by Holm's method.
    """
    return judge_samples(contrast_samples(before, after, thresholds=thresholds), thresholds.comparison)


def contrast_samples(
    before: pd.DataFrame, after: pd.DataFrame, *, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> list[ServiceChange]:
    """Return the changes of `compare_samples` before they are judged: those of some services do for these alone."""
    rule = thresholds.comparison
    changes: list[ServiceChange] = []
    for service in _services_of_both(before, after):
        first, second = (measure_runs(frame[frame["service"] == service], thresholds) for frame in (before, after))
        if not (first.size and second.size):
            continue
        at_before_s, at_after_s = find_moments(first, second)
        level_before = first.levels_at(at_before_s, scatter=rule.level_scatter)
        level_after = second.levels_at(at_after_s, scatter=rule.level_scatter)
        slope_before, slope_after = (side.slopes(scatter=rule.slope_scatter) for side in (first, second))
        min_change = max(rule.min_change_bytes, rule.min_change_share * level_before.mean)
        judged_s = max(float(np.mean(first.last_s - first.first_s)), 1.0)
        is_growth = first.grows.any() or second.grows.any()  # what slows down or steps has changed its level
        level, slope = ({"service": service, "what": what} for what in ("level_bytes", "slope_bytes_per_s"))
        changes += [
            ServiceChange(level, contrast_sides(level_before, level_after, rule), min_change),
            ServiceChange(
                slope, contrast_sides(slope_before, slope_after, rule), min_change / judged_s if is_growth else np.inf
            ),
        ]
    return changes


def judge_samples(
    changes: Iterable[ServiceChange], rule: ComparisonThresholds = DEFAULT_THRESHOLDS.comparison
) -> pd.DataFrame:
    """Return the frame of `compare_samples` from the changes of all services, in whatever order they come."""
    return _judge(sorted(changes, key=lambda change: str(change.row["service"])), rule)


def find_changed_at_most(
    changes: Iterable[ServiceChange], rule: ComparisonThresholds = DEFAULT_THRESHOLDS.comparison
) -> list[str]:
    """Return the services that changed where they alone are compared: among others no more of them did."""
    return sorted(
        {change.row["service"] for change in changes if _name_change(change, change.contrast, rule) != "same"}
    )


def compare_sites(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    changed: Collection[str] = (),
    thresholds: ComparisonThresholds = DEFAULT_THRESHOLDS.comparison,
) -> pd.DataFrame:
    """Compare what the allocation sites of each service hold on average, the largest rise first.

    Sites are matched by file and function, because lines move from release to release; where no function is known, by
    line. ``verdict`` is also ``new`` or ``gone`` for a site that one side does not have.

    Parameters
    ----------
    before, after : DataFrame
        Rows of the table ``sites``.
    changed : collection of str
        Services whose level or growth changed. In these one snapshot is enough to judge a site, because the change is
        shown already and only its place is sought. Elsewhere what one moment holds is no evidence.
    thresholds : ComparisonThresholds, optional
        The numbers to judge by.
    """
    return judge_sites(contrast_sites(before, after, changed=changed, thresholds=thresholds), thresholds)


def contrast_sites(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    changed: Collection[str] = (),
    thresholds: ComparisonThresholds = DEFAULT_THRESHOLDS.comparison,
) -> list[ServiceChange]:
    """Return the changes of `compare_sites` before they are judged: those of some services do for these alone."""
    sides = [_measure_sites(frame, changed, thresholds) for frame in (before, after)]
    changes: list[ServiceChange] = []
    for service in _services_of_both(before, after):
        known = [side.get(service, {}) for side in sides]
        runs = [max((held.values.size for held, _ in side.values()), default=0) for side in known]
        nothing = [Side(np.zeros(max(count, 1)), np.zeros(max(count, 1))) for count in runs]
        for key in sorted(known[0].keys() | known[1].keys(), key=str):
            (held_before, old_line), (held_after, new_line) = (
                side.get(key, (nothing[place], None)) for place, side in enumerate(known)
            )
            line = old_line if new_line is None else new_line
            row = {"service": service, "what": "site_bytes", "file": key[0], "line": line, "function": key[1]}
            contrast = contrast_sides(held_before, held_after, thresholds)
            name: Change | None = "new" if key not in known[0] else "gone" if key not in known[1] else None
            changes.append(ServiceChange(row, contrast, float(thresholds.min_site_bytes), name))
    return changes


def judge_sites(
    changes: Iterable[ServiceChange], rule: ComparisonThresholds = DEFAULT_THRESHOLDS.comparison
) -> pd.DataFrame:
    """Return the frame of `compare_sites` from the changes of all services, in whatever order services come."""
    frame = _judge(sorted(changes, key=lambda change: str(change.row["service"])), rule)
    return frame.sort_values(["service", "change"], ascending=[True, False], kind="stable", ignore_index=True)


def _services_of_both(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    for frame in (before, after):
        require_columns("compare", frame, ["service", "run_id"])
    return sorted(set(before["service"].dropna()) & set(after["service"].dropna()))


def _judge(changes: list[ServiceChange], rule: ComparisonThresholds) -> pd.DataFrame:
    """Return the changes as rows, each with its verdict; what is too small to matter is no test of its own."""
    tested = [
        place
        for place, change in enumerate(changes)
        if max(abs(change.contrast.before), abs(change.contrast.after)) >= change.min_change
    ]
    adjusted = [change.contrast.p_value for change in changes]
    for place, p_value in zip(tested, adjust_p_values([adjusted[place] for place in tested]), strict=True):
        adjusted[place] = p_value
    made = []
    for change, p_value in zip(changes, adjusted, strict=True):
        contrast = replace(change.contrast, p_value=p_value)
        made.append(change.row | asdict(contrast) | {"verdict": _name_change(change, contrast, rule)})
    return pd.DataFrame(made, columns=list(COMPARISON_COLUMNS))


def _name_change(change: ServiceChange, contrast: Contrast, rule: ComparisonThresholds) -> Change:
    if abs(contrast.change) < change.min_change or contrast.p_value > rule.max_p_value:
        return "same"
    return change.name or ("more" if contrast.change > 0 else "less")


def _measure_sites(
    sites: pd.DataFrame, changed: Collection[str], rule: ComparisonThresholds
) -> dict[str, dict[_Key, tuple[Side, int]]]:
    """By service and site: mean size a run with its standard error, and the line."""
    sites = use_user_lines(sites)
    if sites.empty:
        return {}
    place = sites["function"].where(sites["function"].notna(), sites["line"].map("line {}".format))
    frame = sites.assign(
        place=place,
        size=known_floats(sites, "size_bytes"),
        variance=np.nan_to_num(known_floats(sites, "size_stderr_bytes")) ** 2,
    )
    measured: dict[str, dict[_Key, tuple[Side, int]]] = {}
    for service, of_service in frame.groupby("service", observed=True):
        of_service = _leave_warm_up_out(of_service, 1 if service in changed else 2, rule)
        snapshots = of_service.groupby("run_id", observed=True)["timestamp"].nunique().to_dict()
        share = 0.0 if service in changed else rule.single_snapshot_error
        for (file, name), of_site in of_service.groupby(["file", "place"], observed=True):
            side = _measure_site(of_site, snapshots, share, rule)
            line = int(of_site["line"].mode().iloc[0])
            measured.setdefault(str(service), {})[str(file), name] = (side, line)
    return measured


def _leave_warm_up_out(of_service: pd.DataFrame, least: int, rule: ComparisonThresholds) -> pd.DataFrame:
    """Return the snapshots after the warm-up of each run; a run with fewer of them than the least stays whole."""
    by_run = of_service.groupby("run_id", observed=True)["timestamp"]
    first, last = by_run.transform("min"), by_run.transform("max")
    is_late = of_service["timestamp"] >= first + (last - first) * rule.warm_up_share
    late = of_service[is_late].groupby("run_id", observed=True)["timestamp"].nunique()
    is_kept = of_service["run_id"].map(late).to_numpy() >= least
    return of_service[is_late | ~is_kept]


def _measure_site(
    of_site: pd.DataFrame, snapshots: Mapping[Any, int], single_snapshot_error: float, rule: ComparisonThresholds
) -> Side:
    """Mean and standard error of a site in each run; a snapshot that does not list it found nothing of it.

    The error of an estimate by sampling is that of the mean too: the same sampled objects are in the next snapshot.
    """
    held = of_site.groupby(["run_id", "timestamp"], observed=True)[["size", "variance"]].sum().reset_index()
    values, errors = [], []
    for run_id, count in snapshots.items():
        own = held[held["run_id"] == run_id]
        sizes = np.concatenate([np.zeros(count - len(own)), own["size"].to_numpy()])
        mean = float(sizes.mean())
        sampling = float(own["variance"].sum()) / count
        spread = _find_spread(sizes, rule) / np.sqrt(count) if count > 1 else single_snapshot_error * mean
        values.append(mean)
        errors.append(np.sqrt(sampling + spread**2 + (rule.level_scatter * mean) ** 2))
    return Side(np.array(values), np.array(errors))


def _find_spread(sizes: FloatArray, rule: ComparisonThresholds) -> float:
    """Return the standard deviation of sizes in the order of time, about their line where there are enough of them."""
    if sizes.size < rule.min_snapshots_of_a_line:
        return float(sizes.std(ddof=1))
    place = np.arange(sizes.size)
    rest = sizes - np.polyval(np.polyfit(place, sizes, 1), place)
    return float(np.sqrt(np.sum(rest**2) / (sizes.size - 2)))
