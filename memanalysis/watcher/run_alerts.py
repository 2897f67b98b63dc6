"""The alerts of one watched run: what each of them says beside its sentence, and their way out.

Which line is responsible, who holds it and what was done is taken from the run's own events, as they are written.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from memanalysis.capture.sample import Clock
from memanalysis.policy.model import Policy
from memanalysis.response.alerts.alert import BUDGET_PROBLEM, Alert, AlertLevel
from memanalysis.response.alerts.dispatch import AlertDispatcher
from memanalysis.response.alerts.outbox import Outbox, RecordEvent, Send
from memanalysis.response.alerts.senders import make_senders
from memanalysis.units import bytes_from_mb

if TYPE_CHECKING:
    from memanalysis.analysis.verdict import Verdict

__all__ = ["RunAlerts"]

_LOGGER = logging.getLogger("memanalysis")

SENDER = "memanalysis"

LEAK_PROBLEM = "leak"
"""Fingerprint of a leak whose line is not known."""


class RunAlerts:
    """Completes the alerts of a service and sends them as its policy says.

    Parameters
    ----------
    service : str
    policy : Policy
    clock : Clock
        Time, for the cooldown and on the alerts.
    outbox : Outbox, optional
        Delivers by the channels that may fail or take time. Without one, only ``logging`` acts.
    """

    def __init__(self, service: str, policy: Policy, *, clock: Clock, outbox: Outbox | None = None) -> None:
        self._service = service
        self._policy = policy
        self._clock = clock
        self._outbox = outbox
        self._dispatcher = AlertDispatcher(policy, clock=clock.monotonic, outbox=outbox)
        self._verdict: Verdict | None
        self._responsible: str | None
        self._held_by: str | None
        self._done: str | None
        self._current_bytes: float | None = None
        self._forget_evidence()

    def begin(self, record_event: RecordEvent) -> None:
        """Begin a run: load the channels, and send what earlier runs could not."""
        self._forget_evidence()
        if self._outbox is not None:
            self._outbox.begin(self._make_senders(record_event), record_event)

    def follow_policy(self, policy: Policy, record_event: RecordEvent) -> None:
        """Send as another policy says from now on."""
        before, self._policy, self._dispatcher.policy = self._policy, policy, policy.alerts
        if self._outbox is not None and (policy.alerts, policy.integration) != (before.alerts, before.integration):
            self._outbox.senders = self._make_senders(record_event)

    def _make_senders(self, record_event: RecordEvent) -> dict[str, Send]:
        senders, problems = make_senders(self._policy, sender=SENDER)
        for problem in problems:
            _LOGGER.warning("%s: %s", self._service, problem)
            record_event("error", level="warning", message=problem)
        return senders

    def on_sample(self, current_bytes: float | None) -> None:
        """Take the size that counts against the budget, and send what is due."""
        self._current_bytes = current_bytes
        self._dispatcher.wake()

    def on_verdict(self, verdict: "Verdict") -> None:
        """Take the verdict of a check."""
        self._verdict = verdict

    def on_event(self, kind: str, message: str | None, data: Any) -> None:
        """Take what an event of the run says about the cause, or about what was done."""
        if kind == "suspect" and isinstance(data, Mapping) and data.get("place"):
            self._responsible = str(data["place"])
        elif kind == "holders" and data:
            self._held_by = str(data[0]["chain"])
        elif kind == "cleanup":
            self._done = message

    def send(self, level: AlertLevel, message: str, record_event: RecordEvent, *, is_leak: bool = False) -> None:
        """Send an alert, and write an event where it goes out."""
        alert = self._make(level, message, is_leak=is_leak)
        channels = self._dispatcher.dispatch(alert)
        if channels:
            data = {"channels": list(channels), **alert.to_mapping()}
            record_event("alert", level=level, message=message, data=data)

    def end(self) -> None:
        """End a run: what cannot be delivered now is recorded, and waits for the next start."""
        self._dispatcher.end()

    def _make(self, level: AlertLevel, message: str, *, is_leak: bool) -> Alert:
        verdict = self._verdict
        return Alert(
            level,
            self._service,
            message,
            self._clock.wall(),
            fingerprint=f"{LEAK_PROBLEM}:{self._responsible or ''}" if is_leak else BUDGET_PROBLEM,
            current_bytes=self._current_bytes,
            budget_bytes=bytes_from_mb(self._policy.budget_for(self._service).max_memory_mb),
            slope_bytes_per_s=None if verdict is None or not verdict.is_leak else verdict.slope_bytes_per_s,
            time_left_s=None if verdict is None or not verdict.is_leak else verdict.time_to_exhaustion_s,
            responsible=self._responsible,
            held_by=self._held_by,
            done=self._done,
            to_do=self._advise(),
        )

    def _advise(self) -> str:
        budget = f"raise memory_budgets.services.{self._service} in the policy"
        if self._responsible is None:
            return f"Find the line that holds memory with memanalysis assess, restart the service, or {budget}."
        return f"Release what {self._responsible} allocates, restart the service, or {budget}."

    def _forget_evidence(self) -> None:
        self._responsible = self._held_by = self._done = self._verdict = None
