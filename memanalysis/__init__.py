"""memanalysis: is it a leak, which line, who holds it, how long have I got.

The verbs are ``watch``, ``budget``, ``open_ledger``, ``assess``, ``assess_series``, ``compare``, ``report``,
``trend``, ``pivot``, ``explore``, ``dashboard``, ``find_leak``, ``trim`` and ``agent_cycle``; ``cells`` are those of a
notebook. Each name is imported when it is first used, so ``import memanalysis`` costs a watched program nothing.
``__init__.pyi`` declares the same names for type checkers. PYTEST_DONT_REWRITE: a program may have loaded it before
pytest starts.
"""

import sys

from memanalysis._version import __version__

TYPE_CHECKING = False
"""Type checkers hold it for true. ``typing`` itself would be most of the cost of this import."""

if TYPE_CHECKING:
    from typing import Any

_VERBS = {
    "agent_cycle": "memanalysis.classes.agent_cycle",
    "assess": "memanalysis.verdicts.assess",
    "assess_series": "memanalysis.analysis.series_verdict",
    "budget": "memanalysis.watcher.budget_block",
    "compare": "memanalysis.verdicts.compare",
    "dashboard": "memanalysis.widgets.dashboard",
    "explore": "memanalysis.widgets.explorer",
    "find_leak": "memanalysis.leaktest.find_leak",
    "open_ledger": "memanalysis.ledger.reading.ledger",
    "pivot": "memanalysis.verdicts.pivot",
    "report": "memanalysis.reports.make_report",
    "trend": "memanalysis.reports.trend_report",
    "trim": "memanalysis.response.trim",
    "watch": "memanalysis.watcher.watch",
}
_NOTEBOOK = {
    "cells": "memanalysis.notebook.cell_log",
}
_RECORDS = {
    "CellRecord": "memanalysis.notebook.cell_log",
    "LeakFinding": "memanalysis.leaktest.finding",
    "Ledger": "memanalysis.ledger.reading.ledger",
    "Recorder": "memanalysis.watcher.recorder",
    "Report": "memanalysis.reports.make_report",
    "Trend": "memanalysis.reports.trend_report",
    "Verdict": "memanalysis.analysis.verdict",
}
_ERRORS = {
    "LeakFoundError": "memanalysis.errors",
    "MemAnalysisError": "memanalysis.errors",
    "MemoryBudgetExceeded": "memanalysis.errors",
}
_CLASSES = {
    "AutoCleanupManager": "memanalysis.classes.auto_cleanup_manager",
    "ComprehensiveLeakDetector": "memanalysis.classes.comprehensive_detector",
    "LeakDetectionResult": "memanalysis.classes.leak_detector",
    "LedgerAnalyzer": "memanalysis.classes.ledger_analyzer",
    "LedgerEntry": "memanalysis.ledger.json_array",
    "MemoryBudget": "memanalysis.policy.model",
    "MemoryLeakDetector": "memanalysis.classes.leak_detector",
    "MemoryLedger": "memanalysis.classes.memory_ledger",
    "MemoryPolicyEnforcer": "memanalysis.classes.policy_enforcer",
    "MemoryPolicyLoader": "memanalysis.classes.policy_loader",
    "MemoryPolicyManager": "memanalysis.classes.policy_manager",
    "MemorySnapshot": "memanalysis.schema",
    "MemoryTrend": "memanalysis.classes.leak_detector",
    "ObjectLeakDetector": "memanalysis.classes.object_leak_detector",
    "PersistentLedgerManager": "memanalysis.classes.persistent_ledger_manager",
    "TracemallocIntegration": "memanalysis.classes.tracemalloc_integration",
}
_HOMES = {**_VERBS, **_NOTEBOOK, **_RECORDS, **_ERRORS, **_CLASSES}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module 'memanalysis' has no attribute {name!r}")
    from memanalysis.standard_library import standard_library_first

    with standard_library_first():
        from importlib import import_module

        value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    if _is_clock_replaced():
        return sorted(globals())
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: "Any") -> None:
    """Register ``%memwatch``; called by ``%load_ext memanalysis``."""
    from memanalysis.magic import load

    load(shell)


def unload_ipython_extension(shell: "Any") -> None:
    """Stop watching and remove ``%memwatch``; called by ``%unload_ext memanalysis``."""
    from memanalysis.magic import unload

    unload(shell)


def _is_clock_replaced() -> bool:
    """Whether a test holds the clock, as freezegun does, which asks every loaded module for each name of `dir`.

    pandas crashes in C where it is imported with another class as ``datetime.datetime``, so `dir` has loaded names
    alone meanwhile. freezegun asks again once it has put back that class, and before it puts back ``time.time``.
    """
    datetime_class = getattr(sys.modules.get("datetime"), "datetime", None)
    if datetime_class is not None and (type(datetime_class) is not type or datetime_class.__module__ != "datetime"):
        return True
    read_time = getattr(sys.modules.get("time"), "time", len)
    return type(read_time) is not type(len)
