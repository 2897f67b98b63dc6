"""`PersistentLedgerManager`: the JSON ledger that a policy names, filled by hand with snapshots."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memanalysis.classes.ledger_analyzer import LedgerAnalyzer
from memanalysis.classes.memory_ledger import MemoryLedger
from memanalysis.ledger.json_array import LedgerEntry
from memanalysis.policy.model import Policy, parse_policy
from memanalysis.schema import MemorySnapshot

__all__ = ["PersistentLedgerManager"]

_LOGGER = logging.getLogger("memanalysis")


class PersistentLedgerManager:
    """The JSON ledger of a policy: loads what is there, records snapshots, saves with retention.

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
        The file that is there is no JSON array of entries; it is left as it is.
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
            The disk refuses, or the file that is there is no JSON array of entries; it is left as it was.
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
