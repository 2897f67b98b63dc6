"""`agent_cycle`: the five phases of an agent's cycle, each tied to memory.

CHECK_INBOX reads alerts, EVALUATE_TASKS reads the memory status, EXECUTE_ROLE is bracketed by snapshots, QUALITY_GATES
validates the budget, and CYCLE_DONE saves the ledger.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from weakref import WeakKeyDictionary

from memanalysis.capture.process import ProcessReader
from memanalysis.classes.persistent_ledger_manager import PersistentLedgerManager
from memanalysis.classes.policy_manager import MemoryPolicyManager
from memanalysis.policy.enforcer import BudgetCheck, check_budget
from memanalysis.response.agent_status import read_other_agents, write_agent_status
from memanalysis.response.alerts.alert import Alert, AlertLevel, find_level
from memanalysis.response.alerts.cooldown import AlertCooldown
from memanalysis.response.alerts.dispatch import AlertDispatcher
from memanalysis.response.alerts.inbox import InboxMessage, inbox_folder, mark_read, read_inbox
from memanalysis.response.alerts.outbox import Outbox
from memanalysis.response.alerts.senders import make_senders
from memanalysis.response.quality_gates import QualityGates, check_gates, describe_excess
from memanalysis.schema import MemorySnapshot
from memanalysis.units import bytes_from_mb, mb_from_bytes

__all__ = ["AgentCycle", "MemoryStatus", "Phase", "RoleMemory", "agent_cycle"]

Phase = Literal["CHECK_INBOX", "EVALUATE_TASKS", "EXECUTE_ROLE", "QUALITY_GATES", "CYCLE_DONE"]

_LOGGER = logging.getLogger("memanalysis")

END_TIMEOUT_S = 2.0
"""What is not delivered this long after the end of a cycle waits on disk for the next cycle of the agent."""


@dataclass(slots=True)
class _Shared:
    """What the cycles of one manager have in common: they may overlap, and be in several threads."""

    cooldown: AlertCooldown = field(default_factory=lambda: AlertCooldown(clock=time.monotonic))
    problems: set[str] = field(default_factory=set)
    open_cycles: int = 0
    is_ours: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, manager: MemoryPolicyManager) -> None:
        """Begin a cycle; the manager is initialized where it was not."""
        with self.lock:
            self.is_ours = manager.initialize() or (self.is_ours and self.open_cycles > 0)
            self.open_cycles += 1

    def close(self, manager: MemoryPolicyManager) -> None:
        """End a cycle; with the last one the manager is shut down, where a cycle had initialized it."""
        with self.lock:
            self.open_cycles -= 1
            if self.is_ours and not self.open_cycles:
                manager.shutdown()

    def report(self, agent: str, problems: list[str]) -> None:
        """Log each problem that no cycle has logged before."""
        with self.lock:
            new = [problem for problem in problems if problem not in self.problems]
            self.problems.update(new)
        for problem in new:
            _LOGGER.warning("%s: %s", agent, problem)


_shared: "WeakKeyDictionary[MemoryPolicyManager, _Shared]" = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryStatus:
    """How the agent's memory stands, and what the other agents last reported of theirs, by name.

    Parameters
    ----------
    check : BudgetCheck
    others : dict
        ``status``, ``current_mb``, ``service`` and ``timestamp`` of each; empty where agents are not coordinated.
    """

    check: BudgetCheck
    others: dict[str, dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class RoleMemory:
    """Snapshots before and after the role; None where the policy has tracing turned off."""

    before: MemorySnapshot | None = None
    after: MemorySnapshot | None = None

    @property
    def growth_mb(self) -> float | None:
        """By how much the traced memory grew; growth is not yet a leak."""
        return None if self.before is None or self.after is None else self.after.current_mb - self.before.current_mb


class AgentCycle:
    """One cycle of one agent; made by `agent_cycle`.

    Attributes
    ----------
    phases : list of str
        What was done so far, in order.
    role : RoleMemory
        Snapshots around the role.
    """

    def __init__(
        self, manager: MemoryPolicyManager, service: str, *, agent: str, read_mb: Callable[[], float | None]
    ) -> None:
        self.phases: list[Phase] = []
        self.role = RoleMemory()
        self._manager = manager
        self._service = service
        self._agent = agent
        self._read_mb = read_mb
        self._messages: list[InboxMessage] = []

    def __enter__(self) -> Self:
        shared = _shared.setdefault(self._manager, _Shared())
        with ExitStack() as ending:
            shared.open(self._manager)
            ending.callback(shared.close, self._manager)
            policy = self._manager.loader.policy
            folder = Path(policy.ledger.folder).expanduser()
            self._root = policy.alerts.messaging.find_inbox_root(folder)
            senders, problems = make_senders(policy, sender=self._agent, ledger_folder=folder)
            shared.report(self._agent, problems)
            undelivered = Path(policy.ledger.storage_path).absolute().parent / "undelivered"
            outbox = Outbox(folder=inbox_folder(undelivered, self._agent).parent)  # its own: the sender is the agent
            outbox.begin(senders)
            self._alerts = AlertDispatcher(policy, outbox=outbox, cooldown=shared.cooldown)
            ending.callback(partial(self._alerts.end, timeout_s=END_TIMEOUT_S))
            self._ending = ending.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._ending:
            self._finish(put_away=error is None)

    def check_inbox(self) -> list[Alert]:
        """CHECK_INBOX: read the alerts that wait; they are put away when the cycle ends without an error."""
        self.phases.append("CHECK_INBOX")
        self._messages = read_inbox(self._root, self._agent)
        return [message.alert for message in self._messages]

    def evaluate_tasks(self) -> MemoryStatus:
        """EVALUATE_TASKS: read how the memory of this agent and of the others stands."""
        self.phases.append("EVALUATE_TASKS")
        is_coordinated = self._manager.loader.policy.integration.agent_coordination.enabled
        return MemoryStatus(
            check=self._check(), others=read_other_agents(self._root, self._agent) if is_coordinated else {}
        )

    @contextmanager
    def execute_role(self) -> Iterator[RoleMemory]:
        """EXECUTE_ROLE: take a snapshot before and after the block."""
        self.phases.append("EXECUTE_ROLE")
        self.role = RoleMemory(before=self._take_snapshot())
        try:
            yield self.role
        finally:
            self.role.after = self._take_snapshot()

    def quality_gates(self) -> QualityGates:
        """QUALITY_GATES: hold the memory against the budget, and return what failed and why.

        Where the policy coordinates agents with ``auto_notify``, the recipients of the level get a message.
        """
        self.phases.append("QUALITY_GATES")
        integration = self._manager.loader.policy.integration
        if not integration.quality_gates.enabled:
            return QualityGates(failures=(), is_checked=False)
        check = self._check()
        level = find_level(check)
        if level is not None and integration.agent_coordination.enabled and integration.agent_coordination.auto_notify:
            self._notify(level, check)
        return check_gates(check)

    def _notify(self, level: AlertLevel, check: BudgetCheck) -> None:
        current_mb = check.current_mb
        alert = Alert(
            level, self._service, describe_excess(check, level), time.time(),
            current_bytes=None if current_mb is None else bytes_from_mb(current_mb),
            budget_bytes=bytes_from_mb(check.budget_mb),
            to_do=f"Have {self._agent} free memory, or raise memory_budgets.services.{self._service} in the policy.",
        )  # fmt: skip
        self._alerts.dispatch(alert)

    def _finish(self, *, put_away: bool) -> None:
        """CYCLE_DONE: record the last snapshot, save the ledger, and report how the memory stands."""
        self.phases.append("CYCLE_DONE")
        ledger = PersistentLedgerManager(self._manager.loader.config)
        snapshot = self.role.after or self._take_snapshot()
        if snapshot is not None:
            ledger.record_snapshot(self._service, snapshot)
        ledger.save_ledger()
        if self._manager.loader.policy.integration.agent_coordination.enabled:
            write_agent_status(self._root, self._agent, check=self._check(), timestamp=time.time())
        if put_away:
            for message in self._messages:
                with suppress(OSError):  # another cycle of this agent was first
                    mark_read(message)

    def _check(self) -> BudgetCheck:
        return check_budget(self._manager.loader.policy, self._service, self._read_mb())

    def _take_snapshot(self) -> MemorySnapshot | None:
        return self._manager.get_snapshot() if self._manager.tracer.is_tracing else None


def agent_cycle(
    manager: MemoryPolicyManager,
    service: str,
    *,
    agent: str | None = None,
    read_mb: Callable[[], float | None] | None = None,
) -> AgentCycle:
    """Begin one cycle of an agent, whose five phases are each tied to memory.

    Parameters
    ----------
    manager : MemoryPolicyManager
        Its policy names budgets, recipients and inboxes. It is initialized for the cycle where it was not.
    service : str
        Whose budget counts.
    agent : str, optional
        Whose inbox is read; the name of the service where none is given.
    read_mb : callable, optional
        Gives the MB in use; resident memory of this process where none is given.

    Returns
    -------
    AgentCycle
        A context manager; its end is CYCLE_DONE.

    Examples
    --------
    >>> import json, memanalysis, os, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "policy.yaml")
    >>> policy = {
    ...     "memory_budgets": {"services": {"planner": "100MB"}},
    ...     "ledger": {"storage_path": os.path.join(folder.name, "ledger.json")},
    ...     "alerts": {"channels": ["messaging"], "messaging": {"inbox_root": folder.name}},
    ... }
    >>> with open(path, "w") as file:
    ...     json.dump(policy, file)
    >>> manager = memanalysis.MemoryPolicyManager(path)
    >>> with memanalysis.agent_cycle(manager, "planner", agent="Agent-5", read_mb=lambda: 97.0) as cycle:
    ...     alerts = cycle.check_inbox()
    ...     status = cycle.evaluate_tasks().check.status
    ...     with cycle.execute_role():
    ...         pass
    ...     gates = cycle.quality_gates()
    >>> status, gates.passed, gates.failures[0].reason
    ('critical', False, 'planner uses 97.0 MB of 100 MB, and critical begins at 95.0 MB.')
    >>> folder.cleanup()
    """
    return AgentCycle(manager, service, agent=agent or service, read_mb=read_mb or _read_rss_mb)


def _read_rss_mb() -> float | None:
    with ProcessReader() as process:
        rss_bytes = process.read_rss_bytes()
    return None if rss_bytes is None else mb_from_bytes(rss_bytes)
