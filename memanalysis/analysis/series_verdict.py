"""The verdict on one series. Needs numpy only: watched processes ask for it too."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from memanalysis.analysis.series.prepare import SeriesBatch, prepare_series
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.verdict import Evidence, Verdict
from memanalysis.analysis.verdict_steps import VerdictInputs, make_verdict_steps, run_verdict_steps

__all__ = ["assess_series", "judge_batch_of_one"]


def assess_series(
    elapsed_s: ArrayLike,
    values_bytes: ArrayLike,
    *,
    limit_bytes: float | None = None,
    rules: SeverityRules | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
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
    thresholds : Thresholds, optional
        The numbers to judge by.

    Returns
    -------
    Verdict
        With origin ``unknown``: one series does not show it.

    Raises
    ------
    InvalidArgumentError
        Unequal lengths, negative sizes, or no numbers.

    Examples
    --------
    >>> from memanalysis import assess_series
    >>> minutes = range(60)
    >>> verdict = assess_series([60 * minute for minute in minutes], [100e6 + 1e6 * minute for minute in minutes])
    >>> verdict.is_leak, verdict.shape, round(verdict.slope_bytes_per_s * 60)
    (True, 'growing', 1000000)
    """
    batch = prepare_series(elapsed_s, values_bytes, thresholds=thresholds.series)
    return judge_batch_of_one(batch, limit_bytes=limit_bytes, rules=rules, thresholds=thresholds)


def judge_batch_of_one(
    batch: SeriesBatch,
    *,
    limit_bytes: float | None = None,
    rules: SeverityRules | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Verdict:
    """Judge the one series of a batch; `assess_series` describes the other parameters."""
    inputs = VerdictInputs(
        batches={"series": batch},
        limits=np.array([np.nan if limit_bytes is None else float(limit_bytes)]),
        rules=rules or SeverityRules(),
    )
    frame = run_verdict_steps(make_verdict_steps(inputs), {}, thresholds)
    evidence = {name: _plain(frame[name][0]) for name in Evidence.__dataclass_fields__}
    of_verdict = Verdict.__dataclass_fields__.keys() - {"evidence"}
    return Verdict(evidence=Evidence(**evidence), **{name: _plain(frame[name][0]) for name in of_verdict})


def _plain(value: Any) -> Any:
    """Return one cell as Python holds it, None where it is NaN."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value
