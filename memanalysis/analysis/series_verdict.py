"""The verdict on one series. Needs numpy only: watched processes ask for it too."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from memanalysis.analysis.series.prepare import SeriesBatch, prepare_series
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.verdict import Evidence, Verdict
from memanalysis.analysis.verdict_steps import VerdictInputs, make_verdict_steps, run_verdict_steps

__all__ = ["assess_series", "judge_one_run"]


def assess_series(
    elapsed_s: ArrayLike,
    values_bytes: ArrayLike,
    *,
    limit_bytes: float | None = None,
    rules: SeverityRules | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Verdict:
    """Return the verdict on one series of sizes.

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

    See Also
    --------
    memanalysis.assess : The verdicts on a whole ledger.
    memanalysis.analysis.series.live_series.LiveSeries : The same for a series that is given sample by sample.

    References
    ----------
    Theil (1950) and Sen (1968), J. Am. Stat. Assoc. 63, 1379-1389: the slope, as the median of pairwise slopes. The
    thresholds and where each comes from are in `memanalysis.analysis.thresholds`.

    Examples
    --------
    A megabyte every second, of 200 to begin with:

    >>> import memanalysis
    >>> seconds = list(range(100))
    >>> verdict = memanalysis.assess_series(seconds, [2e8 + 1e6 * at for at in seconds], limit_bytes=4e8)
    >>> verdict.shape, verdict.is_leak, round(verdict.slope_bytes_per_s)
    ('growing', True, 1000000)
    >>> round(verdict.time_to_exhaustion_s)
    101

    A saw-tooth rises for a while, again and again, and is no leak:

    >>> memanalysis.assess_series(seconds, [2e8 + 1e6 * (at % 10) for at in seconds]).is_leak
    False
    """
    batch = prepare_series(elapsed_s, values_bytes, thresholds=thresholds.series)
    return judge_one_run({"series": batch}, limit_bytes=limit_bytes, rules=rules, thresholds=thresholds)


def judge_one_run(
    batches: Mapping[str, SeriesBatch],
    *,
    limit_bytes: float | None = None,
    rules: SeverityRules | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Verdict:
    """Judge batches of one series by metric, all of one run; `assess_series` describes the other parameters."""
    inputs = VerdictInputs(
        batches=batches,
        limits=np.array([np.nan if limit_bytes is None else float(limit_bytes)]),
        rules=rules or SeverityRules(),
    )
    frame = run_verdict_steps(make_verdict_steps(inputs), {}, thresholds)
    evidence = {name: _python_value(frame[name][0]) for name in Evidence.__dataclass_fields__}
    of_verdict = Verdict.__dataclass_fields__.keys() - {"evidence"}
    return Verdict(evidence=Evidence(**evidence), **{name: _python_value(frame[name][0]) for name in of_verdict})


def _python_value(value: Any) -> Any:
    """Return one cell as Python holds it, None where it is NaN."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value
