"""The cooldown of alerts: an alert is not repeated for its service and level until some seconds have passed."""

import threading
from collections.abc import Callable

from memanalysis.response.alerts.alert import AlertLevel

__all__ = ["AlertCooldown"]


class AlertCooldown:
    """Remembers when each service last had an alert of each level. May be used from several threads.

    Parameters
    ----------
    clock : callable
        Seconds that only go forward.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started: dict[tuple[str, AlertLevel], float] = {}
        self._lock = threading.Lock()

    def start(self, service: str, level: AlertLevel, *, seconds: float) -> bool:
        """Start the cooldown of a service and level now; return False, and change nothing, while one still lasts.

        Parameters
        ----------
        service : str
        level : str
        seconds : float
            How long the cooldown of this level lasts.
        """
        now, key = self._clock(), (service, level)
        with self._lock:
            started = self._started.get(key)
            if started is not None and now - started < seconds:
                return False
            self._started[key] = now
        return True
