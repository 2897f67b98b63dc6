"""The verdict on one series. Needs numpy only: it is asked in watched processes too."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from memanalysis.analysis.batch_verdict import judge_batch
from memanalysis.analysis.series.prepare import SeriesBatch, prepare_series
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.verdict import Evidence, Verdict

__all__ = ["assess_series", "judge_batch_of_one"]


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
    return judge_batch_of_one(prepare_series(elapsed_s, values_bytes), limit_bytes=limit_bytes, rules=rules)


def judge_batch_of_one(
    batch: SeriesBatch, *, limit_bytes: float | None = None, rules: SeverityRules | None = None
) -> Verdict:
    """Judge the one series of a batch; `assess_series` says what the other parameters are."""
    limits = np.array([np.nan if limit_bytes is None else float(limit_bytes)])
    columns = judge_batch(batch, limits, rules or SeverityRules())
    row = {name: _plain(values[0]) for name, values in columns.items() if name != "judged_s"}
    row["n_samples"], row["windows"] = int(columns["n_samples"][0]), int(columns["windows"][0])
    evidence = Evidence(**{name: row.pop(name) for name in Evidence.__dataclass_fields__})
    return Verdict(origin="unknown", evidence=evidence, **row)


def _plain(value: Any) -> Any:
    """One cell as Python holds it, None where it is NaN."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value
