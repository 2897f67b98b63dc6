"""At which level of its budget a service is, and for how long it has been critical: counted reading by reading.

A level is reached at its threshold at once, and left only after every reading has stayed below the threshold, by a
margin, for the grace period. So a reading that wobbles around a threshold reaches its level once, and a short fall does
not begin the grace period again.
"""

from memanalysis.policy.enforcer import BudgetCheck

__all__ = ["CRITICAL", "EMERGENCY", "LEAVE_SHARE", "WARNING", "LevelHysteresis", "find_rank"]

LEAVE_SHARE = 0.95
"""Share of a threshold that a reading must fall below before its level can be left."""

WARNING, CRITICAL, EMERGENCY = 1, 2, 3
"""Ranks of the levels; 0 is below every threshold."""

_RANKS = {"warning": WARNING, "critical": CRITICAL}


class LevelHysteresis:
    """The level of one service.

    Attributes
    ----------
    rank : int
        Of the level: 0 below every threshold.

    Examples
    --------
    >>> from memanalysis.policy.enforcer import check_budget
    >>> from memanalysis.policy.model import parse_policy
    >>> policy = parse_policy({"memory_budgets": {"services": {"api": "100MB"}}}, source="example")
    >>> level = LevelHysteresis()
    >>> for second, mb in enumerate([96.0, 40.0, 96.0]):
    ...     level.update(check_budget(policy, "api", mb), second, grace_s=60.0)
    >>> level.rank, level.find_critical_s(60.0)
    (2, 60.0)
    """

    __slots__ = ("_critical_since", "_lower_since", "rank")

    def __init__(self) -> None:
        self.rank = 0
        self._lower_since: float | None = None
        self._critical_since: float | None = None

    def update(self, check: BudgetCheck, now: float, *, grace_s: float) -> None:
        """Rise at once, or fall to where the readings stayed, below the margins; an unknown reading changes nothing.

        Parameters
        ----------
        check : BudgetCheck
            The next reading beside its budget.
        now : float
            Seconds on a clock that only goes forward.
        grace_s : float
            How long every reading must stay lower before the level is left.
        """
        if check.current_mb is None:
            return
        rank = find_rank(check)
        if rank >= self.rank:
            self.rank, self._lower_since = rank, None
        elif (lower := _find_rank_with_margin(check, check.current_mb)) >= self.rank:
            self._lower_since = None
        else:
            self._lower_since = now if self._lower_since is None else self._lower_since
            if now - self._lower_since >= grace_s:
                self.rank, self._lower_since = lower, None
        if self.rank < CRITICAL:
            self._critical_since = None
        elif self._critical_since is None:
            self._critical_since = now

    def find_critical_s(self, now: float) -> float | None:
        """Return for how many seconds the service has been critical; None where it is not."""
        return None if self._critical_since is None else now - self._critical_since


def find_rank(check: BudgetCheck) -> int:
    """Return the rank of the level that one reading calls for; 0 where it is well or unknown.

    Above the whole budget it is an emergency, else the level of the status.
    """
    return EMERGENCY if check.within_budget is False else _RANKS.get(check.status, 0)


def _find_rank_with_margin(check: BudgetCheck, current_mb: float) -> int:
    """Return the rank that a reading has where each threshold is lower by the margin."""
    reading = current_mb / LEAVE_SHARE
    return sum((reading >= check.warning_mb, reading >= check.critical_mb, reading > check.budget_mb))
