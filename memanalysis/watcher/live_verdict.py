"""Does the run that is being watched leak, as far as its samples tell by now? Kept in bounded memory, judged if asked.

The engine and its verdict are those of `assess`; nothing is judged, and no numpy loaded, until somebody asks.
"""

import copy
import threading
from typing import TYPE_CHECKING

from memanalysis.analysis.series.live_series import LiveSeries
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.schema import BYTE_METRICS, Row
from memanalysis.units import bytes_from_mb

if TYPE_CHECKING:
    from memanalysis.analysis.verdict import Verdict
    from memanalysis.policy.model import Policy

__all__ = ["LiveRun", "make_live_run"]


class LiveRun:
    """The samples of one run, as series that may be judged at any moment.

    Parameters
    ----------
    budget_bytes : float, optional
        What the policy allows the service; the lower of it and the recorded limit counts.
    rules : SeverityRules, optional
        Thresholds of severity.
    """

    def __init__(self, *, budget_bytes: float | None = None, rules: SeverityRules | None = None) -> None:
        self._series = {metric: LiveSeries() for metric in BYTE_METRICS}
        self._budget_bytes = budget_bytes
        self._limit_bytes: float | None = None
        self._rules = rules
        self._lock = threading.Lock()

    def add(self, sample: Row) -> None:
        """Take a row of ``samples``."""
        with self._lock:
            for metric, series in self._series.items():
                series.add(sample["elapsed_s"], sample[metric])
            if sample["limit_bytes"] is not None:
                self._limit_bytes = sample["limit_bytes"]

    def judge(self) -> "Verdict | None":
        """Judge the metric that speaks for the run; None before the first known sample.

        Its origin is ``unknown``: only the whole ledger shows it.
        """
        with self._lock:
            known = [copy.deepcopy(series) for series in self._series.values() if series.n_samples]
        if not known:
            return None
        from memanalysis.analysis.batch_verdict import choose_metrics

        limits = [limit for limit in (self._budget_bytes, self._limit_bytes) if limit is not None]
        verdicts = [series.judge(limit_bytes=min(limits, default=None), rules=self._rules) for series in known]
        asked = [{"n_samples": [verdict.evidence.n_samples], "is_leak": [verdict.is_leak]} for verdict in verdicts]
        return verdicts[int(choose_metrics(asked)[0])]


def make_live_run(service: str, policy: "Policy | None") -> LiveRun:
    """Make the series of a run, to be judged by the budget and the thresholds of a policy."""
    if policy is None:
        return LiveRun()
    from memanalysis.verdicts.policy_severity import severity_rules  # without a policy its package is not loaded

    budget_bytes = bytes_from_mb(policy.budget_for(service).max_memory_mb)
    return LiveRun(budget_bytes=budget_bytes, rules=severity_rules(policy.leak_detection))
