"""Is what was just read within the policy, and what is done if not? Budgets on each tick, leaks every now and then.

Everything that is found and done becomes an event: ``breach`` when the level changes, ``alert`` when one went out,
``leak`` when one was shown, ``cleanup`` when memory was freed.
"""

import logging
from collections.abc import Callable
from typing import Any

from memanalysis.capture.sample import Clock
from memanalysis.detection.loading import load_engine
from memanalysis.policy.enforcer import MemoryPolicyEnforcer
from memanalysis.policy.loader import MemoryPolicyLoader
from memanalysis.policy.model import Policy
from memanalysis.response.alerts.dispatch import AlertDispatcher
from memanalysis.response.alerts.record import Alert, AlertLevel, find_level
from memanalysis.response.cleanup import AutoCleanupManager
from memanalysis.response.comprehensive import ComprehensiveLeakDetector
from memanalysis.schema import MemorySnapshot, Row
from memanalysis.units import mb_from_bytes

__all__ = ["PolicyGuard", "RecordEvent"]

_LOGGER = logging.getLogger("memanalysis")

RecordEvent = Callable[..., None]
"""Writes an event: ``record_event(kind, *, level, message, data)``."""

CLEANUP_REST_S = 60.0
"""A service that stays over its limit is cleaned up again after this, not on every tick."""

MOST_OBJECT_LEAKS = 10
"""Types in the event of a leak."""

TRACED_BEFORE = (
    "Leaks are not looked for in this run: tracing was on before watching started, and under tracing the engine takes "
    "long to load. Start watching before tracing, or import memanalysis.detection.judge first."
)

NO_RESTART = " This version does not restart programs: it only alerts."

_LEAK_ALERTS: dict[str, AlertLevel] = {"medium": "warning", "high": "critical", "critical": "critical"}


class PolicyGuard:
    """Holds the readings of one service against a policy, and acts as it says.

    Parameters
    ----------
    service : str
        Whose budget counts.
    policy : Policy
        What is allowed.
    clock : Clock
        Time, for grace, cooldown and the interval between checks.
    check_leaks : bool
        Whether leaks are looked for here, where the policy wants it.

    Attributes
    ----------
    cleanup : AutoCleanupManager
        Where the program registers the hooks and caches that may be freed.
    """

    def __init__(self, service: str, policy: Policy, *, clock: Clock, check_leaks: bool = True) -> None:
        self.cleanup = AutoCleanupManager(policy)
        self._service = service
        self._policy = policy
        self._clock = clock
        self._enforcer = MemoryPolicyEnforcer(_GivenPolicy(policy), clock=clock.monotonic)
        self._alerts = AlertDispatcher(policy, clock=clock.monotonic)
        self._level: AlertLevel | None = None
        self._last_cleanup = float("-inf")
        self._checks_leaks = check_leaks and policy.leak_detection.enabled
        self._detector: ComprehensiveLeakDetector | None = None
        self._next_check = float("inf")

    def begin(self, record_event: RecordEvent) -> None:
        """Begin a run: load the engine, if leaks are to be looked for."""
        self._level = None
        if not self._checks_leaks:
            return
        if not load_engine(under_tracing=False):
            _LOGGER.warning("%s: %s", self._service, TRACED_BEFORE)
            record_event("error", level="warning", message=TRACED_BEFORE)
            return
        self._detector = ComprehensiveLeakDetector(self._policy, clock=self._clock.wall)
        self._detector.cleanup_manager = self.cleanup
        self._next_check = self._clock.monotonic() + self._policy.leak_detection.check_interval_seconds

    def look(self, sample: Row, snapshot: MemorySnapshot | None, record_event: RecordEvent) -> None:
        """Hold one sample against the budget, and check for a leak when it is time.

        Parameters
        ----------
        sample : row of ``samples``
            Its resident memory counts against the budget; its traced bytes where that is unknown.
        snapshot : MemorySnapshot or None
            The full snapshot that was taken with it.
        record_event : callable
            Writes what was found and done.
        """
        self._check_budget(sample, record_event)
        if self._detector is not None:
            self._check_leak(self._detector, snapshot, record_event)

    def _check_budget(self, sample: Row, record_event: RecordEvent) -> None:
        size = sample["traced_bytes"] if sample["rss_bytes"] is None else sample["rss_bytes"]
        wanted = self._enforcer.enforce_limits(self._service, None if size is None else mb_from_bytes(size))
        check, action, reason = wanted["check_result"], wanted["action"], wanted["reason"]
        if check["status"] == "unknown":
            return
        level = find_level(check)
        if level != self._level:
            self._level = level
            record_event("breach", level=level or "ok", message=reason, data=check)
        if level is None or action == "none":
            return
        if action == "alert_and_restart":
            reason += NO_RESTART
        self._send(level, reason, record_event)
        now = self._clock.monotonic()
        if action == "alert_and_cleanup" and now - self._last_cleanup >= CLEANUP_REST_S:
            self._last_cleanup = now
            _record_cleanup(self.cleanup.execute_cleanup(), reason, record_event)

    def _check_leak(
        self, detector: ComprehensiveLeakDetector, snapshot: MemorySnapshot | None, record_event: RecordEvent
    ) -> None:
        if snapshot is not None:
            detector.add_snapshot(snapshot)
        now = self._clock.monotonic()
        if now >= self._next_check:
            self._next_check = now + self._policy.leak_detection.check_interval_seconds
            self._report(detector.run_full_detection(), record_event)

    def _report(self, found: dict[str, Any], record_event: RecordEvent) -> None:
        leak = found["leak_detection"]
        if not leak["detected"]:
            return
        sentence = str(leak["details"].get("sentence") or f"{self._service} leaks.")
        data = {
            **{name: value for name, value in leak.items() if name != "details"},
            "trend": found["trend_analysis"],
            "object_leaks": found["object_leaks"][:MOST_OBJECT_LEAKS],
        }
        record_event("leak", level=leak["severity"], message=sentence, data=data)
        level = _LEAK_ALERTS.get(leak["severity"])
        if level is not None:
            self._send(level, f"{self._service}: {sentence}", record_event)
        if found["auto_cleanup"] is not None:
            _record_cleanup(found["auto_cleanup"]["results"], sentence, record_event)

    def _send(self, level: AlertLevel, message: str, record_event: RecordEvent) -> None:
        channels = self._alerts.dispatch(Alert(level, self._service, message, self._clock.wall()))
        if channels:
            record_event("alert", level=level, message=message, data={"channels": list(channels)})


class _GivenPolicy(MemoryPolicyLoader):
    """A loader whose policy is there already: nothing is read."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self._policy = policy
        self._config = policy.to_mapping()


def _record_cleanup(results: dict[str, dict[str, Any]], reason: str, record_event: RecordEvent) -> None:
    did = " ".join(result["did"] for result in results.values())
    record_event("cleanup", message=f"{did} {reason}".strip(), data=results)
