"""Does the run that is being watched leak, as far as its samples show by now? Kept in bounded memory, judged if asked.

The engine and its verdict are those of `assess`; nothing is judged, and no numpy loaded, until somebody asks.
"""

import copy
import threading
from collections import deque
from typing import TYPE_CHECKING

from memanalysis.analysis.series.live_series import LiveSeries
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.schema import BYTE_METRICS, END_LABEL, JUDGED_METRICS, Row
from memanalysis.units import bytes_from_mb

if TYPE_CHECKING:
    from memanalysis.analysis.verdict import Verdict
    from memanalysis.policy.model import Policy

__all__ = ["LiveRun", "make_live_run"]


WARM_UP_PART = 4
MIN_SAMPLES = 5
WORTHWHILE_BYTES = 256 * 1024
"""Growth after the first quarter of the run that is worth to look for what holds it."""


MAX_EVENTS = 50
"""The last events of the run that are remembered for those who show it; the ledger has them all."""


class LiveRun:
    """The samples of one run, as series that may be judged at any moment, and its last events.

    Parameters
    ----------
    budget_bytes : float, optional
        What the policy allows the service; the lower of it and the recorded limit counts.
    rules : SeverityRules, optional
        Thresholds of severity.
    """

    def __init__(self, *, budget_bytes: float | None = None, rules: SeverityRules | None = None) -> None:
        self._series = {metric: LiveSeries() for metric in JUDGED_METRICS}
        self._budget_bytes = budget_bytes
        self._limit_bytes: float | None = None
        self._zero_s: float | None = None
        self._events: deque[Row] = deque(maxlen=MAX_EVENTS)
        self._rules = rules
        self._lock = threading.Lock()

    def add(self, sample: Row) -> None:
        """Take a row of ``samples``; that of the end shows nothing of the program."""
        if sample.get("label") == END_LABEL:
            return
        with self._lock:
            for metric, series in self._series.items():
                series.add(sample["elapsed_s"], sample.get(metric))
            if sample.get("timestamp") is not None:
                self._zero_s = sample["timestamp"] - sample["elapsed_s"]
            if sample["limit_bytes"] is not None:
                self._limit_bytes = sample["limit_bytes"]

    def follow_policy(self, service: str, policy: "Policy") -> None:
        """Judge by the budget and the thresholds of a policy from now on."""
        from memanalysis.verdicts.policy_severity import severity_rules  # without a policy its package is not loaded

        with self._lock:
            self._budget_bytes = bytes_from_mb(policy.budget_for(service).max_memory_mb)
            self._rules = severity_rules(policy.leak_detection)

    def add_event(self, event: Row) -> None:
        """Take a row of ``events``."""
        self._events.append(event)

    @property
    def events(self) -> tuple[Row, ...]:
        """The last events, the oldest first."""
        return tuple(self._events.copy())

    @property
    def limit_bytes(self) -> float | None:
        """What the container may use, by the last sample that knew it."""
        return self._limit_bytes

    @property
    def zero_s(self) -> float | None:
        """When the run's clock was at zero, in seconds since 1970."""
        return self._zero_s

    def read_series(self, metric: str) -> tuple[list[float], list[float]]:
        """Return seconds and values of one metric as they are judged: at most 2,049 points, however long the run is."""
        with self._lock:
            series = self._series[metric]
            return series.times, series.values

    def has_grown(self) -> bool:
        """Return whether RSS grew by enough since the warm-up to be worth a look, without numpy and in little time."""
        with self._lock:
            values = self._series[BYTE_METRICS[0]].values
        after = values[len(values) // WARM_UP_PART :]
        return len(after) >= MIN_SAMPLES and after[-1] - after[0] >= WORTHWHILE_BYTES

    def judge(self) -> "Verdict | None":
        """Judge the metric that speaks for the run; None before the first known sample.

        Its origin is ``unknown``: only the whole ledger shows it.
        """
        with self._lock:
            if not any(self._series[metric].n_samples for metric in BYTE_METRICS):
                return None
            series = copy.deepcopy(self._series)
        from memanalysis.analysis.series_verdict import judge_one_run

        limits = [limit for limit in (self._budget_bytes, self._limit_bytes) if limit is not None]
        batches = {metric: one.prepare() for metric, one in series.items()}
        return judge_one_run(batches, limit_bytes=min(limits, default=None), rules=self._rules)


def make_live_run(service: str, policy: "Policy | None") -> LiveRun:
    """Make the series of a run, to be judged by the budget and the thresholds of a policy."""
    live = LiveRun()
    if policy is not None:
        live.follow_policy(service, policy)
    return live
