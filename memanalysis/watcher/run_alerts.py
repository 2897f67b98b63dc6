"""The alerts of one watched run: what each of them holds beside its sentence, and how it is sent.

Which line is responsible, who holds it and what was done is taken from the run's own events, as they are written.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memanalysis.capture.sample import Clock
from memanalysis.policy.model import Policy
from memanalysis.response.alerts.alert import BUDGET_PROBLEM, Alert, AlertLevel
from memanalysis.response.alerts.alert_claims import AlertClaims
from memanalysis.response.alerts.dispatch import AlertDispatcher
from memanalysis.response.alerts.outbox import Outbox, RecordEvent, Send
from memanalysis.response.alerts.senders import make_senders
from memanalysis.response.exports.run_exports import RunExports
from memanalysis.response.exports.service_figures import ServiceFigures
from memanalysis.units import bytes_from_mb
from memanalysis.verdicts.policy_severity import reported_severity
from memanalysis.watcher.alert_group import find_alert_group

if TYPE_CHECKING:
    from memanalysis.analysis.verdict import Verdict

__all__ = ["RunAlerts"]

_LOGGER = logging.getLogger("memanalysis")

SENDER = "memanalysis"

CLAIMS_FOLDER = "alerted"
"""Folder of a ledger in which the processes that share it note what was alerted."""

LEAK_PROBLEM = "leak"
"""Fingerprint of a leak whose line is not known."""


class RunAlerts:
    """Completes the alerts of a service and sends them as its policy defines.

    Parameters
    ----------
    service : str
    policy : Policy
    clock : Clock
        Time, for the cooldown and on the alerts.
    outbox : Outbox, optional
        Delivers by the channels that may fail or take time. Without one, only ``logging`` acts.
    ledger_folder : Path, optional
        Folder of the ledger, in which inboxes are unless the policy names another place, and by which the processes
        that share it send one alert together.

    Attributes
    ----------
    figures : ServiceFigures
        What is exported to monitoring systems.
    """

    def __init__(
        self,
        service: str,
        policy: Policy,
        *,
        clock: Clock,
        outbox: Outbox | None = None,
        ledger_folder: Path | None = None,
    ) -> None:
        self._service = service
        self._policy = policy
        self._clock = clock
        self._outbox = outbox
        self._ledger_folder = ledger_folder
        claims = None
        if ledger_folder is not None:
            claims = AlertClaims(ledger_folder / CLAIMS_FOLDER, monotonic=clock.monotonic, wall=clock.wall)
        self._dispatcher = AlertDispatcher(policy, clock=clock.monotonic, outbox=outbox, claims=claims)
        self._verdict: Verdict | None
        self._responsible: str | None
        self._held_by: str | None
        self._done: str | None
        self._find_line: Callable[[], str | None] | None = None
        self.figures = ServiceFigures(service)
        self._exports = RunExports(self.figures, monotonic=clock.monotonic)
        self._forget_evidence()

    def begin(self, record_event: RecordEvent, *, find_line: Callable[[], str | None] | None = None) -> None:
        """Begin a run: load the channels, and send what earlier runs could not.

        Parameters
        ----------
        record_event : callable
            Writes what was sent.
        find_line : callable, optional
            Returns the line that grew most by now, asked where no event has named one.
        """
        self._forget_evidence()
        self._find_line = find_line
        self._dispatcher.begin()
        self.figures.used_bytes = self.figures.slope_bytes_per_s = self.figures.severity = None
        self.figures.budget_bytes = self._budget_bytes()
        self.figures.alert_counts = {}
        self._exports.begin(self._policy.alerts, self._make_report(record_event))
        if self._outbox is not None:
            self._outbox.begin(self._make_senders(record_event), record_event)

    def follow_policy(self, policy: Policy, record_event: RecordEvent) -> None:
        """Send as another policy defines from now on."""
        before, self._policy, self._dispatcher.policy = self._policy, policy, policy.alerts
        self.figures.budget_bytes = self._budget_bytes()
        if policy.alerts != before.alerts:
            self._exports.end()
            self._exports.begin(policy.alerts, self._make_report(record_event))
        if self._outbox is not None and (policy.alerts, policy.integration) != (before.alerts, before.integration):
            self._outbox.senders = self._make_senders(record_event)

    def _make_senders(self, record_event: RecordEvent) -> dict[str, Send]:
        senders, problems = make_senders(self._policy, sender=SENDER, ledger_folder=self._ledger_folder)
        report = self._make_report(record_event)
        for problem in problems:
            report(problem)
        return senders

    def _make_report(self, record_event: RecordEvent) -> Callable[[str], None]:
        def report(problem: str) -> None:
            _LOGGER.warning("%s: %s", self._service, problem)
            record_event("error", level="warning", message=problem)

        return report

    def _budget_bytes(self) -> int:
        return bytes_from_mb(self._policy.budget_for(self._service).max_memory_mb)

    @property
    def metrics_url(self) -> str | None:
        """Where Prometheus can scrape the figures; None where they are not served."""
        return self._exports.metrics_url

    def on_sample(self, current_bytes: float | None, record_event: RecordEvent) -> None:
        """Take the size that counts against the budget, and send what is due."""
        self.figures.used_bytes = current_bytes
        for alert in self._dispatcher.wake():
            self._note_sent(alert, record_event)
        self._exports.wake()

    def on_verdict(self, verdict: "Verdict") -> None:
        """Take the verdict of a check."""
        self._verdict = verdict
        self.figures.slope_bytes_per_s = verdict.slope_bytes_per_s
        self.figures.severity = reported_severity(verdict)

    def on_event(self, kind: str, message: str | None, data: Any) -> None:
        """Take what an event of the run shows about the cause, or about what was done."""
        if kind == "suspect" and isinstance(data, Mapping) and data.get("place"):
            self._responsible = str(data["place"])
        elif kind == "holders" and data:
            self._held_by = str(data[0]["chain"])
        elif kind == "cleanup":
            self._done = message

    def send(self, level: AlertLevel, message: str, record_event: RecordEvent, *, is_leak: bool = False) -> None:
        """Send an alert, and write an event where it goes out; none where another process has alerted of the same."""
        alert = self._make(level, message, is_leak=is_leak)
        metric = "family" if is_leak else self._policy.budget_for(self._service).metric
        if self._dispatcher.dispatch(alert, group=find_alert_group(self._service, metric)):
            self._note_sent(alert, record_event)

    def _note_sent(self, alert: Alert, record_event: RecordEvent) -> None:
        self.figures.alert_counts[alert.level] = self.figures.alert_counts.get(alert.level, 0) + 1
        data = {"channels": list(self._dispatcher.channels), **alert.to_mapping()}
        record_event("alert", level=alert.level, message=alert.message, data=data)

    def leave(self, level: AlertLevel | None) -> None:
        """Note that the budget is at a lower level now."""
        self._dispatcher.leave(level)

    def end(self) -> None:
        """End a run: what cannot be delivered now is recorded, and waits for the next start."""
        self._dispatcher.end()
        self._exports.end()

    def _make(self, level: AlertLevel, message: str, *, is_leak: bool) -> Alert:
        verdict, responsible = self._verdict, self._responsible
        if responsible is None and self._find_line is not None:
            responsible = self._find_line()
        return Alert(
            level,
            self._service,
            message,
            self._clock.wall(),
            fingerprint=f"{LEAK_PROBLEM}:{self._responsible or ''}" if is_leak else BUDGET_PROBLEM,
            current_bytes=self.figures.used_bytes,
            budget_bytes=self._budget_bytes(),
            slope_bytes_per_s=None if verdict is None or not verdict.is_leak else verdict.slope_bytes_per_s,
            time_left_s=None if verdict is None or not verdict.is_leak else verdict.time_to_exhaustion_s,
            responsible=responsible,
            held_by=self._held_by,
            done=self._done,
            to_do=self._advise(responsible),
        )

    def _advise(self, responsible: str | None) -> str:
        budget = f"raise memory_budgets.services.{self._service} in the policy"
        if responsible is None:
            return f"Find the line that holds memory with memanalysis assess, restart the service, or {budget}."
        return f"Release what {responsible} allocates, restart the service, or {budget}."

    def _forget_evidence(self) -> None:
        self._responsible = self._held_by = self._done = self._verdict = None
