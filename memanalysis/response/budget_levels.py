"""When the level of a service's budget is news, and what is to be done then."""

from collections.abc import Callable
from dataclasses import dataclass

from memanalysis.policy.enforcer import BudgetCheck, check_budget, describe_check
from memanalysis.policy.level_hysteresis import CRITICAL, EMERGENCY, WARNING, LevelHysteresis
from memanalysis.policy.model import Policy
from memanalysis.response.alerts.alert import ALERT_LEVELS, AlertLevel
from memanalysis.units import format_duration

__all__ = ["BudgetAlert", "BudgetLevels", "BudgetStep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """A level that was reached, and is to be alerted once.

    Parameters
    ----------
    level : str
        warning, critical or emergency.
    message : str
        A sentence with the reading, the threshold and what follows.
    """

    level: AlertLevel
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStep:
    """What one reading changed, and what is to be done about it.

    Parameters
    ----------
    level : str or None
        The level that the service is at now; None below its warning threshold.
    has_changed : bool
        Whether it was at another level before.
    alerts : tuple of BudgetAlert
        What is to be alerted, the mildest first.
    action : str
        none, alert_only, alert_and_cleanup or alert_and_restart: what the limits want as long as the level lasts.
    check : BudgetCheck
        What it rests on.
    """

    level: AlertLevel | None
    has_changed: bool
    alerts: tuple[BudgetAlert, ...]
    action: str
    check: BudgetCheck

    @property
    def reason(self) -> str:
        """A sentence with the reading and the thresholds."""
        return f"{_describe(self.check)}."


class BudgetLevels:
    """The level of one service, reading by reading.

    The soft limits act from the warning threshold on. The hard limits act once the service has been critical for the
    grace period, which is also when the level critical is alerted. Above the whole budget the emergency is alerted at
    once.

    Parameters
    ----------
    clock : callable
        Seconds that only go forward.

    Examples
    --------
    >>> from memanalysis.policy.model import parse_policy
    >>> policy = parse_policy({"memory_budgets": {"services": {"api": "100MB"}}}, source="example")
    >>> levels = BudgetLevels(clock=lambda: 0.0)
    >>> [alert.level for alert in levels.update(policy, "api", 85.0).alerts]
    ['warning']
    >>> levels.update(policy, "api", 79.0).has_changed  # no news: it has not left the level
    False
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        """Begin again below every threshold."""
        self._level = LevelHysteresis()
        self._is_critical_alerted = False

    def update(self, policy: Policy, service: str, current_mb: float | None) -> BudgetStep | None:
        """Take the next reading.

        Returns
        -------
        BudgetStep or None
            None where there is nothing to do: the service is well, or its reading is unknown, which changes nothing.

        Raises
        ------
        InvalidArgumentError
            The reading is no number, or is below 0.
        """
        check = check_budget(policy, service, current_mb)
        before = self._level.rank
        if check.status == "unknown" or (check.status == "ok" and before == 0):
            return None
        now, grace_s = self._clock(), policy.enforcement.grace_period_seconds
        self._level.update(check, now, grace_s=grace_s)
        rank, critical_s = self._level.rank, self._level.find_critical_s(now)
        self._is_critical_alerted = self._is_critical_alerted and critical_s is not None
        hard, soft = policy.enforcement.hard_limits, policy.enforcement.soft_limits
        has_waited = check.status == "critical" and critical_s is not None and critical_s >= grace_s
        is_hard_due = hard.enabled and has_waited
        is_soft_due = soft.enabled and check.status != "ok"
        alerts = []
        if before < WARNING <= rank and soft.enabled:
            alerts.append(BudgetAlert(level="warning", message=f"{_describe(check)}{self._describe_next(policy)}."))
        if is_hard_due and not self._is_critical_alerted:
            self._is_critical_alerted = True
            alerts.append(BudgetAlert(level="critical", message=f"{_describe(check)}{_describe_wait(policy)}."))
        if before < EMERGENCY <= rank and hard.enabled:
            alerts.append(BudgetAlert(level="emergency", message=f"{_describe(check)}{self._describe_next(policy)}."))
        return BudgetStep(
            level=_LEVELS[rank],
            has_changed=rank != before,
            alerts=tuple(alerts),
            action=hard.action if is_hard_due else soft.action if is_soft_due else "none",
            check=check,
        )

    def _describe_next(self, policy: Policy) -> str:
        """Name what the hard limits will do, where they will and have not yet."""
        hard, wait_s = policy.enforcement.hard_limits, policy.enforcement.grace_period_seconds
        if self._level.rank < CRITICAL or not hard.enabled or hard.action == "alert_only" or wait_s <= 0:
            return ""
        return f"; {hard.action} follows after {format_duration(wait_s)} if it stays so"


_LEVELS: tuple[AlertLevel | None, ...] = (None, *ALERT_LEVELS)


def _describe(check: BudgetCheck) -> str:
    if check.within_budget is False:
        return f"{check.service} uses {check.current_mb:.1f} MB, above its whole budget of {check.budget_mb:.15g} MB"
    return describe_check(check)


def _describe_wait(policy: Policy) -> str:
    wait_s = policy.enforcement.grace_period_seconds
    return f", and has been critical for {format_duration(wait_s)}" if wait_s > 0 else ""
