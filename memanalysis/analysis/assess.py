"""The verdict on one series, and on each run of a ledger's samples: one engine for whoever asks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from memanalysis.analysis.frames import known_floats, require_columns, with_elapsed
from memanalysis.analysis.judge import judge_batch
from memanalysis.analysis.origin import classify_origins
from memanalysis.analysis.series import FloatArray, IntArray, prepare_batch, prepare_series
from memanalysis.analysis.severity import SeverityRules
from memanalysis.analysis.sites import rank_sites
from memanalysis.analysis.verdict import VERDICT_COLUMNS, VERDICT_DTYPES, Evidence, Verdict
from memanalysis.analysis.wording import describe_guilty
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
    limits = np.array([np.nan if limit_bytes is None else float(limit_bytes)])
    columns = judge_batch(prepare_series(elapsed_s, values_bytes), limits, rules or SeverityRules())
    row = {name: _plain(values[0]) for name, values in columns.items() if name != "judged_s"}
    row["n_samples"], row["windows"] = int(columns["n_samples"][0]), int(columns["windows"][0])
    evidence = Evidence(**{name: row.pop(name) for name in Evidence.__dataclass_fields__})
    return Verdict(origin="unknown", evidence=evidence, **row)


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
    verdicts = _choose_metric(judged, len(runs))
    verdicts["origin"] = classify_origins(samples, series, elapsed_s, judged, verdicts["is_leak"].to_numpy())
    verdicts[["service", "run_id"]] = runs
    verdicts = _with_guilty(verdicts, sites)
    return verdicts[list(VERDICT_COLUMNS)].astype(VERDICT_DTYPES)


def _plain(value: Any) -> Any:
    """One cell as Python holds it, None where it is NaN."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value


def _number_runs(samples: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
    """Services and runs in order, and to which of them each row belongs."""
    keys = samples[["service"]].assign(run_id=samples.get("run_id"))
    groups = keys.groupby(["service", "run_id"], sort=True, dropna=False)
    numbers: IntArray = groups.ngroup().to_numpy(dtype=np.int64)
    firsts = np.full(groups.ngroups, -1, dtype=np.int64)
    firsts[numbers[::-1]] = np.arange(numbers.size)[::-1]
    return keys.iloc[firsts].reset_index(drop=True), numbers


def _limits(
    samples: pd.DataFrame, series: IntArray, services: "pd.Series[Any]", budgets_bytes: Mapping[str, float]
) -> FloatArray:
    """The lower of the last recorded limit and the budget of each run, NaN where there is neither."""
    budgets = services.map(lambda service: budgets_bytes.get(service, np.nan)).to_numpy(dtype=np.float64)
    recorded = known_floats(samples, "limit_bytes")
    known = np.flatnonzero(np.isfinite(recorded))
    latest = np.full(services.size, np.nan)
    latest[series[known]] = recorded[known]
    return np.fmin(budgets, latest)


def _choose_metric(judged: Mapping[str, dict[str, Any]], count: int) -> pd.DataFrame:
    """The verdict on the first metric that is known, or on the first that shows a leak."""
    verdicts = pd.DataFrame(index=range(count))
    frames = {metric: pd.DataFrame(columns).assign(metric=metric) for metric, columns in judged.items()}
    for metric, frame in frames.items():
        if verdicts.empty or verdicts.columns.empty:
            verdicts = frame.copy()
            continue
        unknown = verdicts["n_samples"].eq(0) & frame["n_samples"].gt(0)
        shows = frame["is_leak"] & ~verdicts["is_leak"]
        better = unknown | shows
        verdicts.loc[better] = frames[metric][better]
    return verdicts


def _with_guilty(verdicts: pd.DataFrame, sites: pd.DataFrame | None) -> pd.DataFrame:
    """Add the line that carries most of the growth of each leak."""
    empty = verdicts.assign(guilty_file=None, guilty_line=pd.NA, guilty_function=None, guilty_share=np.nan)
    if sites is None or sites.empty or not verdicts["is_leak"].any():
        return empty
    leaking = verdicts.loc[verdicts["is_leak"], ["service", "run_id"]]
    ranked = rank_sites(sites[sites["run_id"].isin(leaking["run_id"])])
    first = ranked[ranked["growth_bytes"] > 0].drop_duplicates(["service", "run_id"])
    guilty = {(row["service"], row["run_id"]): row for _, row in first.iterrows()}
    for i, service, run_id in leaking.itertuples():
        row = guilty.get((service, run_id))
        if row is not None:
            function = row["function"] if isinstance(row["function"], str) else None
            empty.loc[i, ["guilty_file", "guilty_line", "guilty_function", "guilty_share"]] = [
                row["file"],
                row["line"],
                function,
                row["share"],
            ]
            empty.loc[i, "sentence"] += describe_guilty(row["file"], int(row["line"]), function, float(row["share"]))
    return empty
