"""The verdicts on the runs of a ledger's samples, a row a service and run."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.input_frames import known_floats, require_columns, with_elapsed_of_runs, without_end
from memanalysis.analysis.leaks.accepted_leaks import AcceptedLeak
from memanalysis.analysis.leaks.origin import RunSamples
from memanalysis.analysis.leaks.responsible_line import SiteSource, TableSource
from memanalysis.analysis.run_groups import group_runs
from memanalysis.analysis.series.prepare import prepare_grouped
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.verdict_frame import table_from_frame
from memanalysis.analysis.verdict_steps import VerdictInputs, make_verdict_steps, run_verdict_steps
from memanalysis.schema import BYTE_METRICS, JUDGED_METRICS

__all__ = ["assess_samples"]


def assess_samples(
    samples: pd.DataFrame,
    *,
    sites: SiteSource = None,
    events: TableSource = None,
    runs: TableSource = None,
    budgets_bytes: Mapping[str, float] | None = None,
    rules: SeverityRules | None = None,
    accepted: Iterable[AcceptedLeak] = (),
    today: date | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> pd.DataFrame:
    """Judge each run of each service.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples``; at least ``service`` and one of ``rss_bytes`` and ``traced_bytes``, with
        ``elapsed_s`` or ``timestamp``. Without ``run_id`` a service is one run.
    sites : DataFrame or callable, optional
        Rows of the table ``sites``, to name the responsible line; a callable is asked for those of the runs that leak,
        whose ids it is given.
    events : DataFrame or callable, optional
        Rows of the table ``events``, whose tracing windows show the origin where samples do not.
    runs : DataFrame or callable, optional
        Rows of the table ``runs``, which show the families of processes.
    budgets_bytes : mapping, optional
        From service to its budget; the lower of budget and recorded limit counts.
    rules : SeverityRules, optional
        Thresholds of severity.
    accepted : iterable of AcceptedLeak
        Leaks that somebody accepted.
    today : date, optional
        The day to judge acceptances by; needed where there are any.
    thresholds : Thresholds, optional
        The numbers to judge by.

    Returns
    -------
    DataFrame
        ``VERDICT_COLUMNS``, a row a service and run, in the order of service and time, then one a family. The
        row of a run is given on RSS where it is known, on traced bytes where only they are known or show the leak.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    InvalidArgumentError
        Leaks are accepted, but there is no day to judge by.
    """
    known = [metric for metric in BYTE_METRICS if metric in samples]
    require_columns("assess", samples, ["service", *(known or BYTE_METRICS[:1])])
    samples, groups, counts = group_runs(samples)
    elapsed_s = without_end(samples, with_elapsed_of_runs(samples, counts))
    inputs = VerdictInputs(
        batches={
            metric: prepare_grouped(counts, elapsed_s, known_floats(samples, metric), thresholds=thresholds.series)
            for metric in JUDGED_METRICS
            if metric in samples
        },
        limits=_limits(samples, counts, elapsed_s, groups["service"], budgets_bytes or {}),
        rules=rules or SeverityRules(),
        samples=RunSamples(frame=samples, counts=counts, elapsed_s=elapsed_s),
        sites=sites,
        events=events,
        runs=runs,
        accepted=accepted,
        today=today,
    )
    frame = {name: groups[name].to_numpy(dtype=object) for name in ("service", "run_id")}
    return table_from_frame(run_verdict_steps(make_verdict_steps(inputs), frame, thresholds))


def _limits(
    samples: pd.DataFrame,
    counts: IntArray,
    elapsed_s: FloatArray,
    services: "pd.Series[Any]",
    budgets_bytes: Mapping[str, float],
) -> FloatArray:
    """Return the lower of the last recorded limit and the budget of each run, NaN where there is neither."""
    budgets = np.full(services.size, np.nan)
    if budgets_bytes:
        budgets = services.map(lambda service: budgets_bytes.get(service, np.nan)).to_numpy(dtype=np.float64)
    if samples.empty or "limit_bytes" not in samples:
        return budgets
    recorded = known_floats(samples, "limit_bytes")
    starts = np.cumsum(counts) - counts
    goes_back = elapsed_s[1:] < elapsed_s[:-1]
    goes_back[starts[1:] - 1] = False  # from run to run
    if goes_back.any():
        by_time = np.lexsort((elapsed_s, np.repeat(np.arange(counts.size), counts)))
        recorded = recorded[by_time]
    last_known = np.maximum.reduceat(np.where(np.isfinite(recorded), np.arange(recorded.size), -1), starts)
    latest = np.where(last_known < 0, np.nan, recorded[last_known])
    lower: FloatArray = np.fmin(budgets, latest)
    return lower
