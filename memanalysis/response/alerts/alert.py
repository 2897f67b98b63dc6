"""What an alert holds, and which level a budget check calls for."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.enforcer import BudgetCheck
from memanalysis.policy.level_hysteresis import find_rank

__all__ = ["ALERT_LEVELS", "BUDGET_PROBLEM", "Alert", "AlertLevel", "find_level", "parse_alert"]

AlertLevel = Literal["warning", "critical", "emergency"]

ALERT_LEVELS: tuple[AlertLevel, ...] = get_args(AlertLevel)
"""From the mildest to the most urgent."""

BUDGET_PROBLEM = "budget"
"""Fingerprint of an alert that is about no leak in particular."""

_CUE_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Alert:
    """One message about one service; None is what is not known.

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
    fingerprint : str
        The same for the same problem: that of a leak, or `BUDGET_PROBLEM`.
    current_bytes, budget_bytes : float or None
        Memory in use, and what the policy allows.
    slope_bytes_per_s : float or None
        How fast it grows.
    time_left_s : float or None
        Seconds until the limit is reached.
    responsible : str or None
        The line of the program that holds what grows, ``file:line``.
    held_by : str or None
        The chain of references that holds it.
    done : str or None
        What was done about it.
    to_do : str or None
        What the reader can do.

    Examples
    --------
    >>> alert = Alert("critical", "api", "api uses 97 MB of 100 MB.", 1_700_000_000.0, responsible="api.py:12")
    >>> alert.cue_id
    'mem-26bf32feb98280c8'
    """

    level: AlertLevel
    service: str
    message: str
    timestamp: float
    fingerprint: str = field(default=BUDGET_PROBLEM, kw_only=True)
    current_bytes: float | None = field(default=None, kw_only=True)
    budget_bytes: float | None = field(default=None, kw_only=True)
    slope_bytes_per_s: float | None = field(default=None, kw_only=True)
    time_left_s: float | None = field(default=None, kw_only=True)
    responsible: str | None = field(default=None, kw_only=True)
    held_by: str | None = field(default=None, kw_only=True)
    done: str | None = field(default=None, kw_only=True)
    to_do: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.level not in ALERT_LEVELS:
            raise InvalidArgumentError(
                f"Alert needs a level among {', '.join(ALERT_LEVELS)}, but got {self.level!r}. Pass one of these."
            )

    @property
    def cue_id(self) -> str:
        """The name of this alert everywhere, also after a restart: in events, messages and answers."""
        text = "\n".join((self.service, self.level, self.fingerprint, repr(self.timestamp)))
        return f"mem-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:_CUE_DIGITS]}"

    def to_mapping(self) -> dict[str, Any]:
        """Give the alert as plain values, with its ``cue_id``."""
        return {"cue_id": self.cue_id, **asdict(self)}


def parse_alert(mapping: Mapping[str, Any]) -> Alert:
    """Give the alert that `Alert.to_mapping` described; what a newer version wrote beside it is left out.

    Raises
    ------
    InvalidArgumentError
        The mapping lacks level, service, message or timestamp, or one of them cannot be.
    """
    known = {entry.name: mapping[entry.name] for entry in fields(Alert) if entry.name in mapping}
    try:
        return Alert(**known)
    except TypeError as exc:
        raise InvalidArgumentError(
            f"parse_alert needs level, service, message and timestamp, but got {sorted(known)}. "
            "Pass what Alert.to_mapping gave."
        ) from exc


def find_level(check: BudgetCheck) -> AlertLevel | None:
    """Return the level that a budget check calls for; None where nobody needs to know, or the reading is unknown."""
    rank = find_rank(check)
    return ALERT_LEVELS[rank - 1] if rank else None
