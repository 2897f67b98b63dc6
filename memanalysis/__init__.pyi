from typing import Any

from memanalysis.analysis.series_verdict import assess_series as assess_series
from memanalysis.analysis.verdict import Verdict as Verdict
from memanalysis.classes.agent_cycle import agent_cycle as agent_cycle
from memanalysis.classes.auto_cleanup_manager import AutoCleanupManager as AutoCleanupManager
from memanalysis.classes.comprehensive_detector import ComprehensiveLeakDetector as ComprehensiveLeakDetector
from memanalysis.classes.leak_detector import LeakDetectionResult as LeakDetectionResult
from memanalysis.classes.leak_detector import MemoryLeakDetector as MemoryLeakDetector
from memanalysis.classes.leak_detector import MemoryTrend as MemoryTrend
from memanalysis.classes.ledger_analyzer import LedgerAnalyzer as LedgerAnalyzer
from memanalysis.classes.memory_ledger import MemoryLedger as MemoryLedger
from memanalysis.classes.object_leak_detector import ObjectLeakDetector as ObjectLeakDetector
from memanalysis.classes.persistent_ledger_manager import PersistentLedgerManager as PersistentLedgerManager
from memanalysis.classes.policy_enforcer import MemoryPolicyEnforcer as MemoryPolicyEnforcer
from memanalysis.classes.policy_loader import MemoryPolicyLoader as MemoryPolicyLoader
from memanalysis.classes.policy_manager import MemoryPolicyManager as MemoryPolicyManager
from memanalysis.classes.tracemalloc_integration import TracemallocIntegration as TracemallocIntegration
from memanalysis.errors import LeakFoundError as LeakFoundError
from memanalysis.errors import MemAnalysisError as MemAnalysisError
from memanalysis.errors import MemoryBudgetExceeded as MemoryBudgetExceeded
from memanalysis.leaktest.find_leak import find_leak as find_leak
from memanalysis.leaktest.finding import LeakFinding as LeakFinding
from memanalysis.ledger.json_array import LedgerEntry as LedgerEntry
from memanalysis.ledger.reading.ledger import Ledger as Ledger
from memanalysis.ledger.reading.ledger import open_ledger as open_ledger
from memanalysis.notebook.cell_log import CellRecord as CellRecord
from memanalysis.notebook.cell_log import cells as cells
from memanalysis.policy.model import MemoryBudget as MemoryBudget
from memanalysis.reports.make_report import Report as Report
from memanalysis.reports.make_report import report as report
from memanalysis.reports.trend_report import Trend as Trend
from memanalysis.reports.trend_report import trend as trend
from memanalysis.response.trim import trim as trim
from memanalysis.schema import MemorySnapshot as MemorySnapshot
from memanalysis.verdicts.assess import assess as assess
from memanalysis.verdicts.compare import compare as compare
from memanalysis.verdicts.pivot import pivot as pivot
from memanalysis.watcher.budget_block import budget as budget
from memanalysis.watcher.recorder import Recorder as Recorder
from memanalysis.watcher.watch import watch as watch
from memanalysis.widgets.dashboard import dashboard as dashboard
from memanalysis.widgets.explorer import explore as explore

__version__: str

def load_ipython_extension(shell: Any) -> None: ...
def unload_ipython_extension(shell: Any) -> None: ...
