"""Which alerts go out now, and by which channels: levels that are on, and not the same one again and again.

Of the channels that a policy can name, ``logging`` acts so far.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from memanalysis.policy.model import Policy, parse_policy
from memanalysis.response.alerts.alert import Alert
from memanalysis.response.alerts.cooldown import AlertCooldown
from memanalysis.response.alerts.log_channel import send_to_log

__all__ = ["AlertDispatcher"]

_CHANNELS: Mapping[str, Callable[[Alert], None]] = {"logging": send_to_log}


class AlertDispatcher:
    """Sends alerts as the policy's section ``alerts`` wants.

    Parameters
    ----------
    config : mapping or Policy
        A policy as a plain mapping, whole or only some sections.
    clock : callable, optional
        Seconds that only go forward, for the cooldown.
    """

    def __init__(self, config: Mapping[str, Any] | Policy, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.policy = parse_policy(config, source="config").alerts
        self._cooldown = AlertCooldown(clock=clock)

    def dispatch(self, alert: Alert) -> tuple[str, ...]:
        """Send an alert, and name the channels by which it went out.

        None of them where its level is off, where the service had an alert of this level within the cooldown, or where
        no channel acts. An alert of one level does not hold back one of another.
        """
        channels = tuple(name for name in self.policy.channels if name in _CHANNELS)
        if not channels or not self._is_due(alert):
            return ()
        for name in channels:
            _CHANNELS[name](alert)
        return channels

    def _is_due(self, alert: Alert) -> bool:
        level = getattr(self.policy.levels, alert.level)
        return level.enabled and self._cooldown.start(alert.service, alert.level, seconds=level.cooldown_seconds)
