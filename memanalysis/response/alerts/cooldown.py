"""The cooldown of alerts: how long each service is quiet at each level after an alert.

The same problem, by its fingerprint, is dropped meanwhile. Another one waits for the end of the cooldown, so that
none is lost.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from memanalysis.response.alerts.alert import AlertLevel

__all__ = ["AlertCooldown"]


@dataclass(slots=True)
class _Taken:
    """What one service and level has been given: when its last alert goes out, and when that of each problem does."""

    last_at: float
    problems: dict[str, float] = field(default_factory=dict)


class AlertCooldown:
    """Remembers when each service last had an alert of each level. May be used from several threads.

    Parameters
    ----------
    clock : callable
        Seconds that only go forward.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._taken: dict[tuple[str, AlertLevel], _Taken] = {}
        self._lock = threading.Lock()

    def reserve(self, service: str, level: AlertLevel, fingerprint: str, *, seconds: float) -> float | None:
        """Reserve a moment for an alert, and return how many seconds are left until then.

        Parameters
        ----------
        service : str
        level : str
        fingerprint : str
            What the alert is about.
        seconds : float
            How long the cooldown of this level lasts.

        Returns
        -------
        float or None
            0 where no cooldown lasts; None where that problem had its moment within the cooldown, or has one ahead.
        """
        now, key = self._clock(), (service, level)
        with self._lock:
            taken = self._taken.setdefault(key, _Taken(float("-inf")))
            recent = {problem: at for problem, at in taken.problems.items() if now - at < seconds}
            if fingerprint in recent:
                return None
            due_at = max(now, taken.last_at + seconds) if recent else now
            taken.last_at, taken.problems = due_at, {**recent, fingerprint: due_at}
        return due_at - now
