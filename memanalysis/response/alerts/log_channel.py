"""Alerts into the log: the logger ``memanalysis.alerts``, one line an alert."""

import logging

from memanalysis.response.alerts.alert import Alert, AlertLevel

__all__ = ["send_to_log"]

_LOGGER = logging.getLogger("memanalysis.alerts")

_LOG_LEVELS: dict[AlertLevel, int] = {
    "warning": logging.WARNING,
    "critical": logging.CRITICAL,
    "emergency": logging.CRITICAL,  # logging knows nothing higher; the line shows which it is
}


def send_to_log(alert: Alert) -> None:
    """Log the alert; the record carries it as ``record.alert``, for handlers that want its fields."""
    message = " ".join(alert.message.split())  # a line break in a service's name must not forge a second line
    _LOGGER.log(_LOG_LEVELS[alert.level], "Memory %s: %s", alert.level, message, extra={"alert": alert})
