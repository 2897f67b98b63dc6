"""What an alert says, and which level a budget check calls for."""

from dataclasses import dataclass
from typing import Literal, get_args

from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.enforcer import BudgetCheck

__all__ = ["ALERT_LEVELS", "Alert", "AlertLevel", "find_level"]

AlertLevel = Literal["warning", "critical", "emergency"]

ALERT_LEVELS: tuple[AlertLevel, ...] = get_args(AlertLevel)
"""From the mildest to the most urgent."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One message about one service.

    Parameters
    ----------
    level : str
        warning, critical or emergency.
    service : str
        Whose memory it is about.
    message : str
        A sentence for a person.
    timestamp : float
        Epoch seconds.
    """

    level: AlertLevel
    service: str
    message: str
    timestamp: float

    def __post_init__(self) -> None:
        if self.level not in ALERT_LEVELS:
            raise InvalidArgumentError(
                f"Alert needs a level among {', '.join(ALERT_LEVELS)}, but got {self.level!r}. Pass one of these."
            )


def find_level(check: BudgetCheck) -> AlertLevel | None:
    """Return the level that a budget check calls for; None where nobody needs to know.

    Above the whole budget it is an emergency, else what the status says. An unknown status calls for none: nothing is
    known to be wrong.
    """
    if check.within_budget is False:
        return "emergency"
    if check.status == "warning" or check.status == "critical":
        return check.status
    return None
