"""The verdicts on the runs of a ledger's samples, a row a service and run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray, IntArray
from memanalysis.analysis.batch_verdict import choose_metrics, judge_batch
from memanalysis.analysis.input_frames import known_floats, require_columns, with_elapsed
from memanalysis.analysis.leaks.origin import classify_origins
from memanalysis.analysis.series.prepare import prepare_grouped
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.verdict_steps import explain_leaks
from memanalysis.schema import BYTE_METRICS

__all__ = ["assess_samples", "judge_samples"]


def assess_samples(
    samples: pd.DataFrame,
    *,
    sites: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
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
    events : DataFrame, optional
        Rows of the table ``events``, whose tracing windows tell the origin where samples do not.
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
    return explain_leaks(judge_samples(samples, budgets_bytes=budgets_bytes, rules=rules), sites=sites, events=events)


def judge_samples(
    samples: pd.DataFrame, *, budgets_bytes: Mapping[str, float] | None = None, rules: SeverityRules | None = None
) -> pd.DataFrame:
    """Judge each run by its samples alone, for `explain_leaks`; the parameters are those of `assess_samples`."""
    known = [metric for metric in BYTE_METRICS if metric in samples]
    require_columns("assess", samples, ["service", *(known or BYTE_METRICS[:1])])
    samples, runs, counts = _group_runs(samples)
    elapsed_s = with_elapsed(samples)
    limits = _limits(samples, counts, elapsed_s, runs["service"], budgets_bytes or {})
    judged = {
        metric: judge_batch(
            prepare_grouped(counts, elapsed_s, known_floats(samples, metric)), limits, rules or SeverityRules()
        )
        for metric in known
    }
    verdicts = _choose_metric(judged)
    verdicts["origin"] = classify_origins(samples, counts, elapsed_s, judged, verdicts["is_leak"].to_numpy())
    verdicts[["service", "run_id"]] = runs
    return verdicts


def _group_runs(samples: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, IntArray]:
    """Samples run after run, services and runs in that order, and how many samples each has.

    Runs are found at the edges between them; samples that lie together already are not copied.
    """
    services, service_names = _encode(samples["service"])
    runs, run_names = _encode(samples["run_id"] if "run_id" in samples else pd.Series([None]).repeat(len(samples)))
    is_edge = np.ones(services.size, dtype=bool)
    is_edge[1:] = (services[1:] != services[:-1]) | (runs[1:] != runs[:-1])
    starts = np.flatnonzero(is_edge)
    service_ranks, run_ranks = _ranks(service_names), _ranks(run_names)
    places = service_ranks[services[starts]] * run_ranks.size + run_ranks[runs[starts]]
    _, firsts, numbers = np.unique(places, return_index=True, return_inverse=True)
    names = {
        "service": service_names.take(services[starts[firsts]]),
        "run_id": run_names.take(runs[starts[firsts]]),
    }
    lengths = np.diff(np.append(starts, services.size))
    if bool(np.all(numbers[1:] > numbers[:-1])):
        return samples, pd.DataFrame(names), lengths
    series = np.repeat(numbers, lengths)
    grouped = samples.iloc[np.argsort(series, kind="stable")]
    return grouped, pd.DataFrame(names), np.bincount(series, minlength=firsts.size)


def _encode(texts: "pd.Series[Any]") -> tuple[NDArray[np.integer[Any]], "pd.Index[Any]"]:
    """Number of each text, and the texts by number; the unknown have -1, and so the place past the last."""
    if isinstance(texts.dtype, pd.CategoricalDtype):
        codes, known = texts.array.codes, texts.array.categories
    else:
        codes, known = pd.factorize(texts)
    return codes, pd.Index(known, dtype=object).append(pd.Index([None], dtype=object))


def _ranks(names: "pd.Index[Any]") -> IntArray:
    """Place of each name in the order of all; the last, which stands for the unknown, stays last."""
    known = names[:-1]
    ranks = np.arange(names.size)
    if not known.is_monotonic_increasing:
        ranks[known.argsort()] = np.arange(known.size)
    return ranks


def _limits(
    samples: pd.DataFrame,
    counts: IntArray,
    elapsed_s: FloatArray,
    services: "pd.Series[Any]",
    budgets_bytes: Mapping[str, float],
) -> FloatArray:
    """The lower of the last recorded limit and the budget of each run, NaN where there is neither."""
    budgets = np.full(services.size, np.nan)
    if budgets_bytes:
        budgets = services.map(lambda service: budgets_bytes.get(service, np.nan)).to_numpy(dtype=np.float64)
    if "limit_bytes" not in samples:
        return budgets
    recorded = known_floats(samples, "limit_bytes")
    known = np.flatnonzero(np.isfinite(recorded))
    latest = np.full(services.size, np.nan)
    of_run = np.repeat(np.arange(counts.size), counts)[known]
    moments, recorded = elapsed_s[known], recorded[known]
    if np.any((of_run[1:] == of_run[:-1]) & (moments[1:] < moments[:-1])):
        by_time = np.lexsort((moments, of_run))
        of_run, recorded = of_run[by_time], recorded[by_time]
    latest[of_run] = recorded
    lower: FloatArray = np.fmin(budgets, latest)
    return lower


def _choose_metric(judged: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    """The verdict on the first metric that is known, or on the first that shows a leak."""
    chosen = choose_metrics(list(judged.values()))
    first, *others = [
        pd.DataFrame({**columns, "sentence": pd.Series(columns["sentence"], dtype=object)}).assign(metric=metric)
        for metric, columns in judged.items()
    ]
    for place, other in enumerate(others, start=1):
        first = other.where(pd.Series(chosen == place), first)
    return first
