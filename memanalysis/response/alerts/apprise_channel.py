"""Alerts by Apprise (https://github.com/caronc/apprise): Slack, e-mail, webhooks and some hundred other services."""

import hashlib
import os
import warnings
from functools import cache

from memanalysis.errors import InvalidArgumentError, MemAnalysisError, MissingDependencyError
from memanalysis.response.alerts.alert import Alert, AlertLevel
from memanalysis.response.alerts.alert_text import render_text, render_title

__all__ = ["ServiceRefusedError", "label_address", "load_apprise", "send_by_apprise"]

_TYPES: dict[AlertLevel, str] = {"warning": "warning", "critical": "failure", "emergency": "failure"}
"""What Apprise calls the levels; it shows them by colour or icon."""

_DIGEST_DIGITS = 8


class ServiceRefusedError(MemAnalysisError):
    """A service of Apprise did not take the alert."""


def label_address(url: str) -> str:
    """Return a name for an address that may stand in a log: addresses of Apprise hold passwords and tokens.

    Examples
    --------
    >>> label_address("mailto://me:secret@example.org")
    'mailto-03e705e2'
    """
    return f"{url.partition('://')[0]}-{hashlib.sha256(url.encode()).hexdigest()[:_DIGEST_DIGITS]}"


@cache
def load_apprise() -> None:
    """Import what sending needs, with all services: at the start of a run, and not when memory is scarce.

    Raises
    ------
    MissingDependencyError
        Apprise is not installed.
    """
    try:
        import apprise

        with warnings.catch_warnings():  # some services import what Python deprecates; the program is not to be warned
            warnings.simplefilter("ignore", DeprecationWarning)
            apprise.Apprise.instantiate("json://localhost")
    except ImportError as exc:
        raise MissingDependencyError(
            "alerts.apprise needs apprise, which is not installed. Run: pip install 'memanalysis[apprise]'."
        ) from exc


def send_by_apprise(alert: Alert, url: str) -> None:
    """Send an alert to one address of Apprise; ``$NAME`` in it stands for a variable of the environment.

    Raises
    ------
    ServiceRefusedError
        The service cannot be reached, or did not take it. The text does not repeat the address.
    InvalidArgumentError
        Apprise knows no such address.
    """
    load_apprise()
    import apprise

    notifier = apprise.Apprise()
    scheme = url.partition("://")[0]
    if not notifier.add(os.path.expandvars(url)):
        raise InvalidArgumentError(
            f"alerts.apprise.urls needs addresses that Apprise knows, but got one of {scheme}://. "
            "Compare it with the list of services of Apprise, and see that its variables are set."
        )
    kind = _TYPES[alert.level]
    if not notifier.notify(render_text(alert), title=render_title(alert), notify_type=kind, body_format="text"):
        raise ServiceRefusedError(f"The service at {scheme}:// did not take the alert. Read the log of apprise.")
