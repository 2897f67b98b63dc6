"""The verdicts on the runs of a ledger's samples, a row a service and run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.analysis.fingerprint import fingerprint_leaks
from memanalysis.analysis.frames import known_floats, require_columns, run_key, with_elapsed
from memanalysis.analysis.judge import choose_metrics, judge_batch
from memanalysis.analysis.origin import classify_origins
from memanalysis.analysis.series import FloatArray, IntArray, prepare_batch
from memanalysis.analysis.severity import SeverityRules
from memanalysis.analysis.sites import find_guilty, rank_sites
from memanalysis.analysis.verdict import VERDICT_COLUMNS, VERDICT_DTYPES
from memanalysis.analysis.wording import describe_guilty
from memanalysis.schema import BYTE_METRICS

__all__ = ["assess_samples", "name_guilty"]

_NAMED = {f"guilty_{name}": name for name in ("file", "line", "function", "share")} | {
    name: name for name in ("made_file", "made_line", "made_function", "made_share")
}
"""Columns of a verdict by those of ``find_guilty``."""


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
    runs, series = _number_runs(samples)
    elapsed_s = with_elapsed(samples)
    limits = _limits(samples, series, runs["service"], budgets_bytes or {})
    judged = {
        metric: judge_batch(
            prepare_batch(series, elapsed_s, known_floats(samples, metric), n_series=len(runs)),
            limits,
            rules or SeverityRules(),
        )
        for metric in known
    }
    verdicts = _choose_metric(judged)
    verdicts["origin"] = classify_origins(samples, series, elapsed_s, judged, verdicts["is_leak"].to_numpy())
    verdicts[["service", "run_id"]] = runs
    return name_guilty(verdicts, sites)


def _number_runs(samples: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
    """Services and runs in order, and to which of them each row belongs: found at the edges between runs."""
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
    return pd.DataFrame(names), np.repeat(numbers, np.diff(np.append(starts, services.size)))


def _encode(texts: "pd.Series[Any]") -> tuple[NDArray[np.integer[Any]], "pd.Index[Any]"]:
    """Number of each text, and the texts by number; the unknown have -1, and so the place past the last."""
    if isinstance(texts.dtype, pd.CategoricalDtype):
        codes, known = texts.cat.codes.to_numpy(), texts.cat.categories
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
    samples: pd.DataFrame, series: IntArray, services: "pd.Series[Any]", budgets_bytes: Mapping[str, float]
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
    latest[series[known]] = recorded[known]
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


def name_guilty(verdicts: pd.DataFrame, sites: pd.DataFrame | None) -> pd.DataFrame:
    """Add the line that keeps or makes what leaked, in columns and in the sentence, and the fingerprint of each leak.

    Parameters
    ----------
    verdicts : DataFrame
        What ``assess_samples`` gives, its guilty lines not yet named.
    sites : DataFrame, optional
        Rows of the table ``sites``; without them the columns are empty.
    """
    found: dict[str, list[Any]] = {name: [None] * len(verdicts) for name in _NAMED}
    sentences = verdicts["sentence"].to_list()
    if sites is not None and len(sites) and verdicts["is_leak"].any():
        require_columns("assess", sites, ["service", "run_id"])
        leaking = verdicts.loc[verdicts["is_leak"], ["service", "run_id"]]
        ranked = rank_sites(sites[sites["run_id"].isin(leaking["run_id"])])
        guilty = {run_key(row): row for row in find_guilty(ranked).to_dict("records")}
        for i, leak in zip(leaking.index, leaking.to_dict("records"), strict=True):
            if (row := guilty.get(run_key(leak))) is not None:
                for name in ("function", "made_function"):
                    row[name] = row[name] if isinstance(row[name], str) else None
                for name, source in _NAMED.items():
                    found[name][i] = row[source]
                sentences[i] += describe_guilty(row)
    columns = {name: pd.Series(values, dtype=object) for name, values in found.items()}
    named = verdicts.assign(sentence=sentences, **columns)
    named["fingerprint"] = pd.Series(fingerprint_leaks(named), dtype=object)
    named["known"] = named["fingerprint"].where(named["fingerprint"].isna(), "new")
    return named[list(VERDICT_COLUMNS)].astype(VERDICT_DTYPES)
