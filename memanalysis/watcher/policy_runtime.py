"""Hold each sample of a watched run against its policy, and act: budgets at every tick, leaks at every check.

A leak is what the run's own verdict calls one: the live series of the whole run, judged as ``Recorder.assess()`` and
``assess(ledger)`` judge it. Everything found and done becomes an event: ``breach`` when the budget's level changes,
``leak`` when the leak's severity changes, ``alert`` when an alert went out, ``cleanup`` when memory was freed,
``restart`` when the program was asked to leave, ``policy`` when the policy file has changed.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from memanalysis.capture.sample import Clock
from memanalysis.errors import MissingDependencyError
from memanalysis.policy.model import Policy
from memanalysis.policy.policy_file import PolicyFile
from memanalysis.response.alerts.alert import ALERT_LEVELS, AlertLevel
from memanalysis.response.alerts.outbox import Outbox
from memanalysis.response.budget_levels import BudgetLevels
from memanalysis.response.cleanup import Cleanup
from memanalysis.response.cleanup_summary import summarize_cleanup
from memanalysis.schema import Row
from memanalysis.units import MIB, mb_from_bytes
from memanalysis.verdicts.engine_loading import load_engine, load_engine_beside_numpy
from memanalysis.verdicts.policy_severity import reported_severity
from memanalysis.watcher.budget_reading import BudgetReading
from memanalysis.watcher.live_verdict import LiveRun
from memanalysis.watcher.policy_reload import PolicyReload
from memanalysis.watcher.restart_step import RestartStep
from memanalysis.watcher.run_alerts import RunAlerts

if TYPE_CHECKING:
    from memanalysis.analysis.verdict import Severity, Verdict

__all__ = ["PolicyRuntime", "RecordEvent"]

_LOGGER = logging.getLogger("memanalysis")

RecordEvent = Callable[..., None]
"""Writes an event: ``record_event(kind, *, level, message, data)``."""

CLEANUP_REST_S = 60.0
MAX_CLEANUP_REST_S = 3600.0
WORTHWHILE_SHARE = 0.01
"""A service that stays over its limit is cleaned up again after a minute; after twice as long each time that this freed
less than one percent of its memory, up to an hour."""

TRACED_BEFORE = (
    "Leaks are not looked for in this run: tracing was on before watching started, and under tracing the engine takes "
    "long to load. Start watching before tracing, or import memanalysis.analysis.series_verdict first."
)

NOT_CHECKED_HERE = (
    "Leaks are not looked for while this run goes on, since check_leaks is False. memanalysis assess judges its ledger "
    "at any time."
)

WAITS_FOR_NUMPY = (
    "Leaks are looked for while this run goes on once the program has loaded numpy, which is not loaded into it for "
    "that. Pass --check-leaks to memanalysis run to look for them in any case. memanalysis assess judges its ledger at "
    "any time."
)

CHECKED_FROM_NOW_ON = "The program has loaded numpy: leaks are looked for from now on."

CONFIRMED_SHARE = 0.5
MAX_CONFIRMED_S = 7200.0
"""A leak is alerted once the verdict has held at every check for half of the time that is left, and 2 h at most.

The first tooth of a saw and the first minutes of a cache look like a leak. Whoever has ten hours left can wait for a
second look; whoever has ten minutes cannot."""

_LEAK_ALERTS: dict[str, AlertLevel] = {"medium": "warning", "high": "critical", "critical": "critical"}


class PolicyRuntime:
    """Holds the readings of one service against a policy, and acts as the policy defines.

    Parameters
    ----------
    service : str
        Whose budget counts.
    policy : Policy
        What is allowed.
    clock : Clock
        Time, for grace, cooldown and the interval between checks.
    check_leaks : bool or None
        Whether leaks are looked for here, where the policy wants it; None: once the program has loaded numpy itself.
    file : PolicyFile, optional
        Where the policy comes from; it is read again when it changes.
    outbox : Outbox, optional
        Delivers alerts off this thread; without one they go into the log alone.
    restart : RestartStep, optional
        Restarts the program; without it a restart is only alerted.
    ledger_folder : Path, optional
        Folder of the ledger, for what the policy places there.

    Attributes
    ----------
    alerts : RunAlerts
        Sends what people or agents are to know.
    cleanup : Cleanup
        Where the program registers the hooks and caches that may be freed.
    used_bytes : int or None
        What counted against the budget at the last sample.
    """

    def __init__(
        self,
        service: str,
        policy: Policy,
        *,
        clock: Clock,
        check_leaks: bool | None = True,
        file: PolicyFile | None = None,
        outbox: Outbox | None = None,
        restart: RestartStep | None = None,
        ledger_folder: Path | None = None,
    ) -> None:
        self.cleanup = Cleanup(policy.leak_detection.auto_cleanup)
        self._service = service
        self._policy = policy
        self._clock = clock
        self._levels = BudgetLevels(clock=clock.monotonic)
        self.alerts = RunAlerts(service, policy, clock=clock, outbox=outbox, ledger_folder=ledger_folder)
        self._next_cleanup = float("-inf")
        self._cleanup_rest_s = CLEANUP_REST_S
        self._check_leaks_here = check_leaks
        self._reload = None if file is None else PolicyReload(file, clock=clock)
        self._limit_bytes: int | None = None
        self.used_bytes: int | None = None
        self._reading = BudgetReading()
        self._run: LiveRun | None = None
        self._restart = restart
        self._keep_evidence: Callable[[], None] = _keep_nothing
        self._is_under_way = False
        self._live: LiveRun | None = None
        self._severity = "none"
        self._alerted: AlertLevel | None = None
        self._leak_since: float | None = None
        self._next_check = float("inf")

    @property
    def policy(self) -> Policy:
        """The policy in force: of a file that was changed the new one, under the limit of the container."""
        return self._policy

    @property
    def restarts(self) -> bool:
        """Whether the policy in force may have the program restarted."""
        limits = self._policy.enforcement.hard_limits, self._policy.enforcement.soft_limits
        return any(limit.enabled and limit.action == "alert_and_restart" for limit in limits)

    def begin(
        self,
        record_event: RecordEvent,
        live: LiveRun,
        *,
        keep_evidence: Callable[[], None] | None = None,
        find_line: Callable[[], str | None] | None = None,
    ) -> None:
        """Begin a run; load the engine if leaks are to be looked for.

        Parameters
        ----------
        record_event : callable
            Writes what was found and done.
        live : LiveRun
            The series of this run, which is judged.
        keep_evidence : callable, optional
            Writes what the program holds, before it is restarted.
        find_line : callable, optional
            Returns the line that grew most by now, for alerts where no event of the run has named one.
        """
        self._keep_evidence, self._is_under_way = keep_evidence or _keep_nothing, False
        self._levels.clear()
        self._severity, self._alerted, self._leak_since = "none", None, None
        self._run = live
        live.follow_policy(self._service, self._policy)
        self.alerts.begin(record_event, find_line=find_line)
        self._begin_checks(record_event)

    def _begin_checks(self, record_event: RecordEvent) -> None:
        """Look for leaks from now on, where that is wanted and the engine can be loaded."""
        self._live, self._next_check = None, float("inf")
        if not self._policy.leak_detection.enabled:
            return
        if self._check_leaks_here is False:
            record_event("policy", level="info", message=NOT_CHECKED_HERE)
            return
        self._next_check = self._clock.monotonic() + self._policy.leak_detection.check_interval_seconds
        if self._check_leaks_here is None:
            record_event("policy", level="info", message=WAITS_FOR_NUMPY)
            return
        try:
            obstacle = None if load_engine(under_tracing=False) else TRACED_BEFORE
        except MissingDependencyError as exc:
            obstacle = f"Budgets are checked, leaks are not: {exc}"
        if obstacle is None:
            self._live = self._run
            return
        self._next_check = float("inf")
        _LOGGER.warning("%s: %s", self._service, obstacle)
        record_event("error", level="warning", message=obstacle)

    def on_sample(self, sample: Row, record_event: RecordEvent) -> None:
        """Hold one sample against the budget, and check for a leak when it is time.

        Parameters
        ----------
        sample : row of ``samples``
            What counts against the budget is what the policy's ``metric`` names.
        record_event : callable
            Writes what was found and done.
        """
        self._follow_policy(sample["limit_bytes"], record_event)
        self._check_budget(sample, record_event)
        self._is_under_way = True
        now = self._clock.monotonic()
        if now >= self._next_check:
            self._next_check = now + self._policy.leak_detection.check_interval_seconds
            if self._live is None and load_engine_beside_numpy():
                self._live = self._run
                record_event("policy", level="info", message=CHECKED_FROM_NOW_ON)
            if self._live is not None:
                self._check_leak(self._live, record_event)

    def _follow_policy(self, limit_bytes: int | None, record_event: RecordEvent) -> None:
        """Put a changed policy file in force, and a changed limit of the container."""
        changed = None if self._reload is None else self._reload.check(self._policy, record_event)
        if changed is None and (limit_bytes == self._limit_bytes or not self._policy.follows_limit):
            return
        before, self._limit_bytes = self._policy, limit_bytes
        self._policy = (changed or before).for_limit(limit_bytes)
        self.cleanup.policy = self._policy.leak_detection.auto_cleanup
        self.alerts.follow_policy(self._policy, record_event)
        if self._run is not None:
            self._run.follow_policy(self._service, self._policy)
        if self._policy.leak_detection != before.leak_detection:
            self._begin_checks(record_event)

    def _check_budget(self, sample: Row, record_event: RecordEvent) -> None:
        self.used_bytes = size = self._reading.add(sample, self._policy.budget_for(self._service).metric)
        self.alerts.on_sample(size, record_event)
        step = self._levels.update(self._policy, self._service, None if size is None else mb_from_bytes(size))
        if step is None:
            return
        if step.has_changed:
            self.alerts.leave(step.level)
            data = asdict(step.check) | {"metric": self._reading.column}
            record_event("breach", level=step.level or "ok", message=step.reason, data=data)
        restart = self._restart if step.action == "alert_and_restart" else None
        note = "" if restart is None else restart.describe()
        is_restarting = restart is not None and self._is_under_way  # before the first sample no program has begun
        # what is done comes before the alerts, which report it: memory is freed, or the evidence is kept
        verdict = restart.keep_evidence(self._keep_evidence, self._judge) if restart and is_restarting else None
        if step.action == "alert_and_cleanup":
            self._clean_up(step.reason, record_event)
        for alert in step.alerts:
            self.alerts.send(alert.level, f"{alert.message} {note}".rstrip(), record_event)
        if restart and is_restarting:
            restart.perform(step.reason, check=step.check, verdict=verdict, record_event=record_event)

    def _judge(self) -> "Verdict | None":
        """Judge the run; None where the engine is not loaded, which would take memory now."""
        return None if self._live is None else self._live.judge()

    def _check_leak(self, live: LiveRun, record_event: RecordEvent) -> None:
        """Judge the run so far. A new severity is an event; a confirmed leak is one alert a level."""
        verdict = live.judge()
        if verdict is None:
            return
        self.alerts.on_verdict(verdict)
        severity = reported_severity(verdict)
        message = f"{self._service}: {verdict.sentence}"
        if severity != self._severity:
            self._severity = severity
            record_event("leak", level=severity, message=verdict.sentence, data=asdict(verdict))
        if not self._is_confirmed(verdict, severity):
            return
        if self.cleanup.is_due_after_leak((verdict.growth_bytes or 0.0) / MIB):
            self._clean_up(message, record_event)  # before the alert, which reports it
        level = _LEAK_ALERTS[severity]
        if self._alerted is None or ALERT_LEVELS.index(level) > ALERT_LEVELS.index(self._alerted):
            self._alerted = level
            self.alerts.send(level, message, record_event, is_leak=True)

    def _is_confirmed(self, verdict: "Verdict", severity: "Severity") -> bool:
        """Whether the leak has held for long enough, or there is no time to wait for another check."""
        now = self._clock.monotonic()
        if severity == "none":
            self._leak_since = None
            return False
        self._leak_since = now if self._leak_since is None else self._leak_since
        left_s = float("inf") if verdict.time_to_exhaustion_s is None else verdict.time_to_exhaustion_s
        wait_s = min(MAX_CONFIRMED_S, CONFIRMED_SHARE * left_s)
        next_check_s = self._policy.leak_detection.check_interval_seconds
        return wait_s < next_check_s or now - self._leak_since >= wait_s

    def _clean_up(self, reason: str, record_event: RecordEvent) -> None:
        now = self._clock.monotonic()
        if now < self._next_cleanup:
            return
        summary = summarize_cleanup(self.cleanup.run())
        is_worthwhile = summary.freed_share is None or summary.freed_share >= WORTHWHILE_SHARE
        self._cleanup_rest_s = CLEANUP_REST_S if is_worthwhile else min(MAX_CLEANUP_REST_S, 2 * self._cleanup_rest_s)
        self._next_cleanup = now + self._cleanup_rest_s
        record_event("cleanup", message=f"{summary.sentence} {reason}".strip(), data=summary.data)


def _keep_nothing() -> None:
    """Nothing is recorded."""
