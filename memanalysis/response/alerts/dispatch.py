"""Which alerts go out now, to whom and by which channels: levels that are on, and not the same one again and again."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from memanalysis.policy.model import Policy, parse_policy
from memanalysis.response.alerts.alert import Alert, AlertLevel
from memanalysis.response.alerts.alert_claims import AlertClaims
from memanalysis.response.alerts.apprise_channel import label_address
from memanalysis.response.alerts.cooldown import AlertCooldown
from memanalysis.response.alerts.log_channel import send_to_log
from memanalysis.response.alerts.outbox import END_TIMEOUT_S, Outbox

__all__ = ["AlertDispatcher"]

_LOG = "logging"
"""The channel that cannot fail, and needs no outbox."""


class AlertDispatcher:
    """Sends alerts as the policy's section ``alerts`` wants.

    Parameters
    ----------
    config : mapping or Policy
        A policy as a plain mapping, whole or only some sections.
    clock : callable, optional
        Seconds that only go forward, for the cooldown.
    outbox : Outbox, optional
        Delivers by the channels that may fail or take time; without one only ``logging`` acts.
    claims : AlertClaims, optional
        Keeps the processes that see the same memory from alerting of it each.
    cooldown : AlertCooldown, optional
        That of other dispatchers too, which then do not repeat each other's alerts; one of its own where none is given.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | Policy,
        *,
        clock: Callable[[], float] = time.monotonic,
        outbox: Outbox | None = None,
        claims: AlertClaims | None = None,
        cooldown: AlertCooldown | None = None,
    ) -> None:
        self.policy = parse_policy(config, source="config").alerts
        self.outbox = outbox
        self._claims = claims
        if outbox is not None and claims is not None:
            outbox.on_safe = claims.note_sent
        self._clock = clock
        self._cooldown = AlertCooldown(clock=clock) if cooldown is None else cooldown
        self._held: list[tuple[float, Alert]] = []
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Begin a run: nothing is claimed yet."""
        if self._claims is not None:
            self._claims.begin()

    def dispatch(self, alert: Alert, *, group: str = "") -> tuple[str, ...]:
        """Send an alert, and name the channels by which it goes out.

        None of them where its level is off, where the service had an alert of this level about the same problem within
        the cooldown, where another process of the group did, or where no channel acts. An alert about another problem
        goes out when the cooldown ends. An alert of one level does not hold back one of another.

        Parameters
        ----------
        alert : Alert
        group : str
            The same for all processes that see the same memory.
        """
        level = getattr(self.policy.levels, alert.level)
        channels = self.channels
        if not channels or not level.enabled:
            return ()
        wait_s = self._cooldown.reserve(alert.service, alert.level, alert.fingerprint, seconds=level.cooldown_seconds)
        if wait_s is None:
            return ()
        if self._claims is not None and not self._claims.claim(alert, group, seconds=level.cooldown_seconds):
            return ()
        if wait_s > 0:
            with self._lock:
                self._held.append((self._clock() + wait_s, alert))
        else:
            self._send(alert)
        return channels

    def leave(self, level: AlertLevel | None) -> None:
        """Note that the budget has left the levels above this one: they may be alerted again, by any process."""
        if self._claims is not None:
            self._claims.leave(level)

    def wake(self) -> list[Alert]:
        """Send what waited for a cooldown, and what is due for another attempt; to be called at each tick.

        Returns
        -------
        list of Alert
            Sent in the place of a process of the group that was killed before its alert was on disk.
        """
        sent_instead = [] if self._claims is None else self._claims.wake()
        for alert in sent_instead:
            self._send(alert)
        if self._held:
            self._release(until=self._clock())
        if self.outbox is not None:
            self.outbox.wake()
        return sent_instead

    def end(self, *, timeout_s: float = END_TIMEOUT_S) -> None:
        """End a run: what waits for a cooldown goes out now, and what cannot be delivered waits for the next start."""
        self._release(until=float("inf"))
        if self._claims is not None:
            self._claims.end()
        if self.outbox is not None:
            self.outbox.end(timeout_s=timeout_s)

    def _release(self, *, until: float) -> None:
        with self._lock:
            due = [alert for at, alert in self._held if at <= until]
            self._held = [(at, alert) for at, alert in self._held if at > until]
        for alert in due:
            self._send(alert)

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels by which alerts go out: those of the policy that act here."""
        acting = (_LOG, *(() if self.outbox is None else self.outbox.channels))
        return tuple(name for name in self.policy.channels if name in acting)

    def _send(self, alert: Alert) -> None:
        is_over = True
        for name in self.channels:
            if name == _LOG:
                send_to_log(alert)
            elif self.outbox is not None:
                for recipient in self._recipients(name, alert):
                    is_over = False
                    self.outbox.put(name, recipient, alert)
        if is_over and self._claims is not None:
            self._claims.note_sent(alert)

    def _recipients(self, channel: str, alert: Alert) -> tuple[str, ...]:
        if channel == "messaging":
            recipients: tuple[str, ...] = getattr(self.policy.recipients, alert.level)
            return recipients
        if channel == "apprise":
            return tuple(map(label_address, self.policy.apprise.urls))
        return ("",)
