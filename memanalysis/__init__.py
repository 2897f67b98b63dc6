"""memanalysis: is it a leak, which line, who holds it, how long have I got.

The names below are doors: each loads its room when it is first used, so that ``import memanalysis`` costs a watched
program nothing. The verbs are ``watch``, ``open_ledger``, ``assess``, ``assess_series``, ``report``, ``explore``
and ``find_leak``.
"""

TYPE_CHECKING = False
"""Type checkers hold it for true; ``typing`` itself would be most of the cost of this import."""

__version__ = "0.1.0"

_DOORS = {
    "AutoCleanupManager": "memanalysis.response.cleanup",
    "ComprehensiveLeakDetector": "memanalysis.response.comprehensive",
    "LeakDetectionResult": "memanalysis.detection.leak",
    "LeakFinding": "memanalysis.detection.finding",
    "LeakFoundError": "memanalysis.errors",
    "Ledger": "memanalysis.ledger.store",
    "LedgerAnalyzer": "memanalysis.analysis.summary",
    "LedgerEntry": "memanalysis.ledger.founding",
    "MemAnalysisError": "memanalysis.errors",
    "MemoryBudget": "memanalysis.policy.model",
    "MemoryLeakDetector": "memanalysis.detection.leak",
    "MemoryLedger": "memanalysis.ledger.founding",
    "MemoryPolicyEnforcer": "memanalysis.policy.enforcer",
    "MemoryPolicyLoader": "memanalysis.policy.loader",
    "MemoryPolicyManager": "memanalysis.watcher.managers",
    "MemorySnapshot": "memanalysis.schema",
    "MemoryTrend": "memanalysis.detection.leak",
    "ObjectLeakDetector": "memanalysis.detection.objects",
    "PersistentLedgerManager": "memanalysis.watcher.managers",
    "Recorder": "memanalysis.watcher.recorder",
    "Report": "memanalysis.reports.model",
    "TracemallocIntegration": "memanalysis.capture.tracing",
    "Verdict": "memanalysis.analysis.verdict",
    "assess": "memanalysis.reports.assess",
    "assess_series": "memanalysis.analysis.series_verdict",
    "compare": "memanalysis.reports.compare",
    "explore": "memanalysis.widgets.explorer",
    "find_leak": "memanalysis.detection.repeat",
    "open_ledger": "memanalysis.ledger.store",
    "report": "memanalysis.reports.model",
    "watch": "memanalysis.watcher.recorder",
}

__all__ = [
    "AutoCleanupManager",
    "ComprehensiveLeakDetector",
    "LeakDetectionResult",
    "LeakFinding",
    "LeakFoundError",
    "Ledger",
    "LedgerAnalyzer",
    "LedgerEntry",
    "MemAnalysisError",
    "MemoryBudget",
    "MemoryLeakDetector",
    "MemoryLedger",
    "MemoryPolicyEnforcer",
    "MemoryPolicyLoader",
    "MemoryPolicyManager",
    "MemorySnapshot",
    "MemoryTrend",
    "ObjectLeakDetector",
    "PersistentLedgerManager",
    "Recorder",
    "Report",
    "TracemallocIntegration",
    "Verdict",
    "__version__",
    "assess",
    "assess_series",
    "compare",
    "explore",
    "find_leak",
    "open_ledger",
    "report",
    "watch",
]

if TYPE_CHECKING:
    from typing import Any

    from memanalysis.analysis.series_verdict import assess_series
    from memanalysis.analysis.summary import LedgerAnalyzer
    from memanalysis.analysis.verdict import Verdict
    from memanalysis.capture.tracing import TracemallocIntegration
    from memanalysis.detection.finding import LeakFinding
    from memanalysis.detection.leak import LeakDetectionResult, MemoryLeakDetector, MemoryTrend
    from memanalysis.detection.objects import ObjectLeakDetector
    from memanalysis.detection.repeat import find_leak
    from memanalysis.errors import LeakFoundError, MemAnalysisError
    from memanalysis.ledger.founding import LedgerEntry, MemoryLedger
    from memanalysis.ledger.store import Ledger, open_ledger
    from memanalysis.policy.enforcer import MemoryPolicyEnforcer
    from memanalysis.policy.loader import MemoryPolicyLoader
    from memanalysis.policy.model import MemoryBudget
    from memanalysis.reports.assess import assess
    from memanalysis.reports.compare import compare
    from memanalysis.reports.model import Report, report
    from memanalysis.response.cleanup import AutoCleanupManager
    from memanalysis.response.comprehensive import ComprehensiveLeakDetector
    from memanalysis.schema import MemorySnapshot
    from memanalysis.watcher.managers import MemoryPolicyManager, PersistentLedgerManager
    from memanalysis.watcher.recorder import Recorder, watch
    from memanalysis.widgets.explorer import explore


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    if name not in _DOORS:
        raise AttributeError(f"module 'memanalysis' has no attribute {name!r}")
    value = getattr(import_module(_DOORS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: "Any") -> None:
    """Register ``%memwatch``; called by ``%load_ext memanalysis``."""
    from memanalysis.magic import load

    load(shell)


def unload_ipython_extension(shell: "Any") -> None:
    """Stop watching and remove ``%memwatch``; called by ``%unload_ext memanalysis``."""
    from memanalysis.magic import unload

    unload(shell)
