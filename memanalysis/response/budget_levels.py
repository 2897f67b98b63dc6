"""Which level of its budget a service is at, when that is news, and what is to be done then.

A level is reached at its threshold at once, and left only after every reading has stayed below the threshold, by a
margin, for the grace period. So a reading that wobbles around a threshold reaches its level once.
"""

from collections.abc import Callable
from dataclasses import dataclass

from memanalysis.policy.enforcer import BudgetCheck, check_budget, describe_check
from memanalysis.policy.model import Policy
from memanalysis.response.alerts.alert import ALERT_LEVELS, AlertLevel, find_level
from memanalysis.units import format_duration

__all__ = ["LEAVE_SHARE", "BudgetAlert", "BudgetLevels", "BudgetStep"]

LEAVE_SHARE = 0.95
"""Share of a threshold that a reading must fall below before its level can be left."""


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
    reason : str
        A sentence with the reading and the thresholds.
    check : BudgetCheck
        What it rests on.
    """

    level: AlertLevel | None
    has_changed: bool
    alerts: tuple[BudgetAlert, ...]
    action: str
    reason: str
    check: BudgetCheck


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
        self._rank = 0
        self._lower_since: float | None = None
        self._critical_since: float | None = None
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
        if check.status == "unknown" or (check.status == "ok" and self._rank == 0):
            return None
        before, now = self._rank, self._clock()
        self._move(check, now, policy.enforcement.grace_period_seconds)
        hard, soft = policy.enforcement.hard_limits, policy.enforcement.soft_limits
        is_hard_due = hard.enabled and self._has_waited(check, now, policy.enforcement.grace_period_seconds)
        is_soft_due = soft.enabled and check.status != "ok"
        reason, follows = _describe(check), self._describe_next(policy)
        alerts = []
        if before < _WARNING <= self._rank and soft.enabled:
            alerts.append(BudgetAlert(level="warning", message=f"{reason}{follows}."))
        if is_hard_due and not self._is_critical_alerted:
            self._is_critical_alerted = True
            alerts.append(BudgetAlert(level="critical", message=f"{reason}{_describe_wait(policy)}."))
        if before < _EMERGENCY <= self._rank and hard.enabled:
            alerts.append(BudgetAlert(level="emergency", message=f"{reason}{follows}."))
        return BudgetStep(
            level=_LEVELS[self._rank],
            has_changed=self._rank != before,
            alerts=tuple(alerts),
            action=hard.action if is_hard_due else soft.action if is_soft_due else "none",
            reason=f"{reason}.",
            check=check,
        )

    def _move(self, check: BudgetCheck, now: float, hold_s: float) -> None:
        """Rise at once; fall to where the reading stayed, below the margins, for that long."""
        rank = _rank_of(check)
        if rank >= self._rank:
            self._lower_since = None
            self._rank = rank
        elif _rank_with_margin(check) >= self._rank:
            self._lower_since = None
        else:
            self._lower_since = now if self._lower_since is None else self._lower_since
            if now - self._lower_since >= hold_s:
                self._rank, self._lower_since = _rank_with_margin(check), None
        if self._rank >= _CRITICAL:
            self._critical_since = now if self._critical_since is None else self._critical_since
        else:
            self._critical_since, self._is_critical_alerted = None, False

    def _has_waited(self, check: BudgetCheck, now: float, grace_s: float) -> bool:
        """Whether the service is critical, and has been for the grace period."""
        return check.status == "critical" and self._critical_since is not None and now - self._critical_since >= grace_s

    def _describe_next(self, policy: Policy) -> str:
        """Name what the hard limits will do, where they will and have not yet."""
        hard, wait_s = policy.enforcement.hard_limits, policy.enforcement.grace_period_seconds
        if self._rank < _CRITICAL or not hard.enabled or hard.action == "alert_only" or wait_s <= 0:
            return ""
        return f"; {hard.action} follows after {format_duration(wait_s)} if it stays so"


_LEVELS: tuple[AlertLevel | None, ...] = (None, *ALERT_LEVELS)
_WARNING, _CRITICAL, _EMERGENCY = 1, 2, 3


def _describe(check: BudgetCheck) -> str:
    if check.within_budget is False:
        return f"{check.service} uses {check.current_mb:.1f} MB, above its whole budget of {check.budget_mb:.15g} MB"
    return describe_check(check)


def _describe_wait(policy: Policy) -> str:
    wait_s = policy.enforcement.grace_period_seconds
    return f", and has been critical for {format_duration(wait_s)}" if wait_s > 0 else ""


def _rank_of(check: BudgetCheck) -> int:
    return _LEVELS.index(find_level(check))


def _rank_with_margin(check: BudgetCheck) -> int:
    """Rank that a reading has where each threshold is lower by the margin."""
    reading = float("nan") if check.current_mb is None else check.current_mb / LEAVE_SHARE
    return sum((reading >= check.warning_mb, reading >= check.critical_mb, reading > check.budget_mb))
