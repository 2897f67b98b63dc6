"""The change from one ledger to another: levels and growth by service, and sizes by allocation site, with intervals.

Noise is no regression. Where a service ran several times before or after, the difference between those runs is the
noise; where it ran once, it is the noise within the run, and what two runs of one program differ by.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.contrasts import Contrast, Side, adjust_p_values, contrast_sides
from memanalysis.analysis.input_frames import known_floats, require_columns
from memanalysis.analysis.leaks.user_lines import use_user_lines
from memanalysis.analysis.measured_runs import find_moments, measure_runs
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, ComparisonThresholds, Thresholds

__all__ = ["COMPARISON_COLUMNS", "WORSE", "Change", "compare_samples", "compare_sites"]

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
        ``less`` where the change matters and chance makes one so large in fewer than 1 % of comparisons, else ``same``.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.

    Notes
    -----
    Welch's test for the difference of two means, from the runs where there are several a side, with the p-values of all
    services adjusted by Holm's method.
    """
    rule = thresholds.comparison
    rows: list[dict[str, Any]] = []
    contrasts: list[Contrast] = []
    least: list[float] = []
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
        rows += [{"service": service, "what": what} for what in ("level_bytes", "slope_bytes_per_s")]
        contrasts += [contrast_sides(level_before, level_after, rule), contrast_sides(slope_before, slope_after, rule)]
        least += [min_change, min_change / judged_s]
    return _make_frame(rows, contrasts, least, rule)


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
        Services whose level or growth changed. Of these a site is judged by a single snapshot too: the question is only
        which of them carries the change. Elsewhere what one moment holds is no evidence.
    thresholds : ComparisonThresholds, optional
        The numbers to judge by.
    """
    sides = [_measure_sites(frame, changed, thresholds) for frame in (before, after)]
    rows: list[dict[str, Any]] = []
    contrasts: list[Contrast] = []
    names: list[Change | None] = []
    for service in _services_of_both(before, after):
        known = [side.get(service, {}) for side in sides]
        runs = [max((held.values.size for held, _ in side.values()), default=0) for side in known]
        nothing = [Side(np.zeros(max(count, 1)), np.zeros(max(count, 1))) for count in runs]
        for key in known[0].keys() | known[1].keys():
            (held_before, old_line), (held_after, new_line) = (
                side.get(key, (nothing[place], None)) for place, side in enumerate(known)
            )
            contrasts.append(contrast_sides(held_before, held_after, thresholds))
            names.append("new" if key not in known[0] else "gone" if key not in known[1] else None)
            line = old_line if new_line is None else new_line
            rows.append({"service": service, "what": "site_bytes", "file": key[0], "line": line, "function": key[1]})
    frame = _make_frame(rows, contrasts, [float(thresholds.min_site_bytes)] * len(rows), thresholds)
    frame["verdict"] = [
        verdict if name is None or verdict == "same" else name
        for verdict, name in zip(frame["verdict"], names, strict=True)
    ]
    return frame.sort_values(["service", "change"], ascending=[True, False], ignore_index=True)


def _services_of_both(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    for frame in (before, after):
        require_columns("compare", frame, ["service", "run_id"])
    return sorted(set(before["service"].dropna()) & set(after["service"].dropna()))


def _make_frame(
    rows: list[dict[str, Any]], contrasts: list[Contrast], least: list[float], rule: ComparisonThresholds
) -> pd.DataFrame:
    """Put changes into rows, and say which of them there are; what is too small to matter is no test of its own."""
    matters = [abs(contrast.change) >= minimum for contrast, minimum in zip(contrasts, least, strict=True)]
    sizes = [
        max(abs(contrast.before), abs(contrast.after)) >= minimum
        for contrast, minimum in zip(contrasts, least, strict=True)
    ]
    tested = [place for place, is_tested in enumerate(sizes) if is_tested]
    adjusted = [contrast.p_value for contrast in contrasts]
    for place, p_value in zip(tested, adjust_p_values([adjusted[place] for place in tested]), strict=True):
        adjusted[place] = p_value
    made = []
    for row, contrast, p_value, is_enough in zip(rows, contrasts, adjusted, matters, strict=True):
        contrast = replace(contrast, p_value=p_value)
        made.append(row | asdict(contrast) | {"verdict": _name_change(contrast, rule) if is_enough else "same"})
    return pd.DataFrame(made, columns=list(COMPARISON_COLUMNS))


def _name_change(contrast: Contrast, rule: ComparisonThresholds) -> Change:
    if contrast.p_value > rule.max_p_value:
        return "same"
    return "more" if contrast.change > 0 else "less"


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
