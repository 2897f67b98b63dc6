"""How does a program use the policy and the founding ledger by hand? The two managers of the contract.

Both are thin: the policy, the tracing, the enforcer, the ledger and its summaries are those of the rooms below. MB are
2**20 bytes.
"""

import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from memanalysis.analysis.summary import LedgerAnalyzer
from memanalysis.capture.tracing import TracemallocIntegration
from memanalysis.detection.loading import load_engine
from memanalysis.errors import CaptureError
from memanalysis.ledger.founding import LedgerEntry, MemoryLedger
from memanalysis.policy.enforcer import MemoryPolicyEnforcer
from memanalysis.policy.loader import DEFAULT_CONFIG_PATH, MemoryPolicyLoader
from memanalysis.policy.model import Policy, parse_policy
from memanalysis.schema import MemorySnapshot

__all__ = ["MemoryPolicyManager", "PersistentLedgerManager"]

_LOGGER = logging.getLogger("memanalysis")


class MemoryPolicyManager:
    """Policy, tracing and enforcer of one program; also a context manager.

    Parameters
    ----------
    config_path : path
        The policy file. Where there is none, the packaged default is used and a warning is logged.

    Attributes
    ----------
    initialized : bool
        Whether ``initialize`` has been called, and ``shutdown`` not since.
    loader, tracer, enforcer
        The three that it ties together.
    """

    def __init__(self, config_path: str | os.PathLike[str] = DEFAULT_CONFIG_PATH) -> None:
        self.loader = MemoryPolicyLoader(config_path)
        self.tracer = TracemallocIntegration()
        self.enforcer = MemoryPolicyEnforcer(self.loader)
        self.initialized = False

    def initialize(self) -> bool:
        """Read the policy, and trace if it says so. True when that was done; False when it had been done before.

        Where the policy wants leaks detected, the engine is loaded before tracing starts; under tracing, it is not.

        Raises
        ------
        PolicyError
            The policy file is there but wrong.
        """
        if self.initialized:
            return False
        self.loader.load()
        policy = self.loader.policy
        tracing = policy.monitoring.tracemalloc
        self.tracer = TracemallocIntegration(tracing.trace_limit)
        if tracing.enabled:
            if policy.leak_detection.enabled:
                load_engine(under_tracing=False)
            self.tracer.start()
        self.initialized = True
        return True

    def get_snapshot(self) -> MemorySnapshot:
        """Take a snapshot of this process.

        Raises
        ------
        CaptureError
            Not initialized, or the policy has tracing turned off.
        """
        if not self.initialized:
            raise CaptureError("get_snapshot needs an initialized manager, but it is not. Call initialize() first.")
        if not self.tracer.is_tracing:
            raise CaptureError(
                "get_snapshot needs tracemalloc tracing, but it is off. Set monitoring.tracemalloc.enabled: true in "
                f"{self.loader.config_path}, or call tracer.start()."
            )
        return self.tracer.take_snapshot()

    def check_service(self, service: str, mb: float | None) -> dict[str, Any]:
        """Compare a reading in MB with the budget of a service; see ``MemoryPolicyEnforcer.check_budget``."""
        return self.enforcer.check_budget(service, mb)

    def shutdown(self) -> bool:
        """End tracing if it was started here. True when there was something to end."""
        if not self.initialized:
            return False
        self.initialized = False
        self.tracer.stop()
        return True

    def __enter__(self) -> Self:
        self.initialize()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()


class PersistentLedgerManager:
    """The founding ledger of a policy: loads what is there, records snapshots, saves with retention.

    Parameters
    ----------
    config : mapping or Policy
        A policy as a plain mapping, whole or only some sections; ``ledger`` is what counts here. A relative
        ``storage_path`` is seen from the working folder of this moment.

    Raises
    ------
    PolicyError
        The mapping is no policy.
    LedgerFormatError
        The file that is there is no founding ledger; it is left as it is.
    """

    def __init__(self, config: Mapping[str, Any] | Policy) -> None:
        self.policy = parse_policy(config, source="config").ledger
        self.ledger = MemoryLedger(
            Path(self.policy.storage_path).absolute(), max_entries=self.policy.retention.max_entries
        )
        self.analyzer = LedgerAnalyzer(self.ledger)
        if self.policy.enabled:
            self.ledger.load()

    def record_snapshot(self, service: str, snapshot: MemorySnapshot) -> LedgerEntry | None:
        """Add a snapshot; None when the policy has the ledger turned off.

        Fields that ``ledger.metrics`` leaves out are written as null. CPython counts neither allocations nor
        deallocations: these two are always null.
        """
        if not self.policy.enabled:
            return None
        metrics = self.policy.metrics
        memory_mb = snapshot.current_mb if "memory_usage_mb" in metrics else None
        return self.ledger.record(
            service,
            None if memory_mb is None or math.isnan(memory_mb) else memory_mb,
            snapshot.object_count if "object_count" in metrics else None,
            gc_collections=snapshot.gc_collections if "gc_collections" in metrics else None,
            timestamp=snapshot.timestamp,
        )

    def save_ledger(self) -> bool:
        """Drop what is older or more than the policy keeps, and write the file; False when the ledger is turned off.

        Raises
        ------
        LedgerError
            The disk refuses, or the file that is there is no founding ledger; it is left as it was.
        """
        if not self.policy.enabled:
            _LOGGER.info("Nothing was saved: ledger.enabled is false in the policy.")
            return False
        self.ledger.cleanup_old_entries(self.policy.retention.max_age_days)
        return self.ledger.save()

    def get_service_analysis(self, service: str) -> dict[str, Any]:
        """Give ``summary`` and ``growth_analysis`` of one service; see ``LedgerAnalyzer``."""
        return {
            "summary": self.analyzer.get_service_summary(service),
            "growth_analysis": self.analyzer.detect_memory_growth(service),
        }
