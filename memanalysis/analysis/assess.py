"""The verdict on one series, and on each run of a ledger's samples: one engine for whoever asks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from memanalysis.analysis.budget import primary_metric
from memanalysis.analysis.forecast import forecast_exhaustion
from memanalysis.analysis.frames import known_floats, require_columns, with_elapsed
from memanalysis.analysis.origin import classify_origin
from memanalysis.analysis.series import prepare_series
from memanalysis.analysis.severity import SeverityRules, classify_severity
from memanalysis.analysis.shape import classify_shape
from memanalysis.analysis.sites import rank_sites
from memanalysis.analysis.verdict import VERDICT_COLUMNS, VERDICT_DTYPES, Evidence, Verdict
from memanalysis.analysis.wording import describe_guilty, describe_shape, describe_time_left
from memanalysis.schema import BYTE_METRICS

__all__ = ["assess_samples", "assess_series"]


def assess_series(
    elapsed_s: ArrayLike,
    values_bytes: ArrayLike,
    *,
    limit_bytes: float | None = None,
    rules: SeverityRules | None = None,
) -> Verdict:
    """Judge one series.

    Parameters
    ----------
    elapsed_s, values_bytes : array-like, shape (n,)
        Seconds and bytes, in any order, with NaN where unknown; steps may be uneven.
    limit_bytes : float, optional
        Budget, container limit or machine memory, for the time that is left.
    rules : SeverityRules, optional
        Thresholds of severity; those of the shipped policy where not given.

    Returns
    -------
    Verdict
        With origin ``unknown``: one series does not tell it.

    Raises
    ------
    InvalidArgumentError
        Unequal lengths, negative sizes, or no numbers.
    """
    series = prepare_series(elapsed_s, values_bytes)
    finding = classify_shape(series)
    fit = finding.fit
    latest = float(series.values[-1]) if series.values.size else None
    is_leak = finding.shape == "growing"
    exhaustion = (
        forecast_exhaustion(fit, latest_bytes=latest, limit_bytes=limit_bytes)
        if is_leak and fit is not None and latest is not None and limit_bytes is not None
        else None
    )
    growth_percent = _growth_percent(finding.growth_bytes, latest)
    verdict = Verdict(
        shape=finding.shape,
        origin="unknown",
        is_leak=is_leak,
        severity=classify_severity(
            is_leak=is_leak,
            growth_bytes=finding.growth_bytes,
            growth_percent=growth_percent,
            time_to_exhaustion_s=exhaustion.time_s if exhaustion else None,
            rules=rules or SeverityRules(),
        ),
        slope_bytes_per_s=fit.slope_bytes_per_s if fit else None,
        low_bytes_per_s=fit.low_bytes_per_s if fit else None,
        high_bytes_per_s=fit.high_bytes_per_s if fit else None,
        growth_bytes=finding.growth_bytes,
        growth_percent=growth_percent,
        latest_bytes=latest,
        limit_bytes=None if limit_bytes is None else float(limit_bytes),
        time_to_exhaustion_s=exhaustion.time_s if exhaustion else None,
        time_to_exhaustion_low_s=exhaustion.low_s if exhaustion else None,
        time_to_exhaustion_high_s=exhaustion.high_s if exhaustion else None,
        evidence=Evidence(
            n_samples=int(series.values.size),
            duration_s=series.duration_s,
            windows=finding.floors.values.size - 1 if finding.floors else 0,
            weakest_window_bytes_per_s=finding.floors.weakest_bytes_per_s if finding.floors else None,
            missing=finding.missing,
        ),
        sentence=describe_shape(finding),
    )
    return replace(verdict, sentence=verdict.sentence + describe_time_left(verdict))


def assess_samples(
    samples: pd.DataFrame,
    *,
    sites: pd.DataFrame | None = None,
    budgets_bytes: Mapping[str, float] | None = None,
    rules: SeverityRules | None = None,
) -> pd.DataFrame:
    """Judge each run of each service.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples``; at least ``service`` and one of ``rss_bytes`` and ``traced_bytes``, with
        ``elapsed_s`` or ``timestamp``. Without ``run_id`` a service is one run.
    sites : DataFrame, optional
        Rows of the table ``sites``, to name the guilty line.
    budgets_bytes : mapping, optional
        From service to its budget; the lower of budget and recorded limit counts.
    rules : SeverityRules, optional
        Thresholds of severity.

    Returns
    -------
    DataFrame
        ``VERDICT_COLUMNS``, a row a service and run, in the order of service and time. The row is given on RSS where it
        is known, on traced bytes where only they are known or only they show the leak.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    """
    known = [metric for metric in BYTE_METRICS if metric in samples]
    require_columns("assess", samples, ["service", *(known or BYTE_METRICS[:1])])
    if "run_id" not in samples:
        samples = samples.assign(run_id=None)
    ranked = rank_sites(sites) if sites is not None and len(sites) else None
    rows = []
    for (service, run_id), run in samples.groupby(["service", "run_id"], sort=True, dropna=False):
        budget_bytes = (budgets_bytes or {}).get(str(service))
        metric, verdict = _assess_run(run, limit_bytes=_limit(run, budget_bytes), rules=rules)
        rows.append(_verdict_row(service, run_id, metric, verdict, _guilty(ranked, service, run_id, verdict)))
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS)).astype(VERDICT_DTYPES)


def _assess_run(run: pd.DataFrame, *, limit_bytes: float | None, rules: SeverityRules | None) -> tuple[str, Verdict]:
    elapsed_s = with_elapsed(run)
    metric = primary_metric(run)
    verdicts = {
        known: assess_series(elapsed_s, known_floats(run, known), limit_bytes=limit_bytes, rules=rules)
        for known in BYTE_METRICS
        if known == metric or np.isfinite(known_floats(run, known)).any()
    }
    if not verdicts[metric].is_leak:
        metric = next((name for name, verdict in verdicts.items() if verdict.is_leak), metric)
    verdict = verdicts[metric]
    return metric, replace(verdict, origin=classify_origin(run, elapsed_s, verdicts) if verdict.is_leak else "unknown")


def _limit(run: pd.DataFrame, budget_bytes: float | None) -> float | None:
    recorded = known_floats(run, "limit_bytes")
    limits = [*recorded[np.isfinite(recorded)][-1:], *([] if budget_bytes is None else [budget_bytes])]
    return float(min(limits)) if limits else None


def _growth_percent(growth_bytes: float | None, latest_bytes: float | None) -> float | None:
    """Growth as a share of the level before it."""
    if growth_bytes is None or latest_bytes is None:
        return None
    before = latest_bytes - growth_bytes
    return 100 * growth_bytes / before if before > 0 else float("inf") if growth_bytes > 0 else 0.0


def _guilty(ranked: pd.DataFrame | None, service: object, run_id: object, verdict: Verdict) -> Mapping[Any, Any] | None:
    if ranked is None or not verdict.is_leak:
        return None
    of_run = ranked[(ranked["service"] == service) & (ranked["run_id"] == run_id) & (ranked["growth_bytes"] > 0)]
    return None if of_run.empty else of_run.iloc[0].to_dict()


def _verdict_row(
    service: object, run_id: object, metric: str, verdict: Verdict, guilty: Mapping[Any, Any] | None
) -> dict[str, Any]:
    row = {name: getattr(verdict, name) for name in VERDICT_COLUMNS if hasattr(verdict, name)}
    evidence = {name: getattr(verdict.evidence, name) for name in VERDICT_COLUMNS if hasattr(verdict.evidence, name)}
    row |= evidence | {"service": service, "run_id": run_id, "metric": metric}
    if guilty is not None:
        row |= {f"guilty_{name}": guilty[name] for name in ("file", "line", "function", "share")}
        function = guilty["function"] if isinstance(guilty["function"], str) else None
        row["sentence"] += describe_guilty(str(guilty["file"]), int(guilty["line"]), function, float(guilty["share"]))
    return row
