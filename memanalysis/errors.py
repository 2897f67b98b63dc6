"""What can go wrong. Each message states what was needed, what was found, and what to do.

::

    MemAnalysisError
    ├── InvalidArgumentError     (ValueError)         a call got a value it cannot use
    ├── MissingColumnError       (ValueError)         a frame lacks a column
    ├── PolicyError              (ValueError)         a policy file or mapping is wrong
    ├── LedgerError              (OSError)            a ledger cannot be read or written
    │   ├── LedgerNotFoundError  (FileNotFoundError)  nothing is at that path
    │   ├── LedgerFormatError    (ValueError)         what is there is no ledger
    │   ├── LedgerVersionError   (ValueError)         a ledger of a newer version
    │   └── LedgerBusyError                           another process compacts it now
    ├── LeakFoundError           (AssertionError)     a finding was asked to raise, and it is a leak
    ├── MemoryBudgetExceeded     (MemoryError)        code was interrupted because it went over its memory budget
    ├── EngineError              (RuntimeError)       the cluster that works on a ledger went away, or failed
    ├── CaptureError             (RuntimeError)       the process cannot be measured that way
    └── MissingDependencyError   (ImportError)        an optional package is not installed
"""

from dataclasses import dataclass

__all__ = [
    "CaptureError",
    "EngineError",
    "InvalidArgumentError",
    "LeakFoundError",
    "LedgerBusyError",
    "LedgerError",
    "LedgerFormatError",
    "LedgerNotFoundError",
    "LedgerVersionError",
    "MemAnalysisError",
    "MemoryBudgetExceeded",
    "MissingColumnError",
    "MissingDependencyError",
    "PolicyError",
    "PolicyProblem",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProblem:
    """One thing that is wrong in a policy.

    Parameters
    ----------
    source : str
        The file, or what else the policy came from.
    line : int or None
        Counted from 1; None where there is no file.
    key : str
        Dotted, such as ``alerts.channels[1]``; empty for the whole.
    needed, found : str
        What would be right, and what stands there.
    cure : str
        What to do, in a sentence.
    nearest : str or None
        The known key or word that is most like the one that stands there.
    """

    source: str
    line: int | None
    key: str
    needed: str
    found: str
    cure: str
    nearest: str | None = None

    def __str__(self) -> str:
        where = self.source if self.line is None else f"{self.source}:{self.line}"
        key = f"{self.key}: " if self.key else ""
        return f"{where}: {key}needs {self.needed}, but got {self.found}. {self.cure}"


class MemAnalysisError(Exception):
    """Every error that memanalysis raises on purpose."""


class InvalidArgumentError(MemAnalysisError, ValueError):
    """A call got a value it cannot use."""


class MissingColumnError(MemAnalysisError, ValueError):
    """A frame lacks a column that the call needs."""


class PolicyError(MemAnalysisError, ValueError):
    """A policy is wrong; the text names file, line and key of each problem.

    Parameters
    ----------
    message : str
    problems : tuple of PolicyProblem
        Everything that is wrong, in the order of the file.
    """

    def __init__(self, message: str = "", problems: tuple[PolicyProblem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class LedgerError(MemAnalysisError, OSError):
    """A ledger cannot be read or written."""


class LedgerBusyError(LedgerError):
    """Another process compacts this ledger now."""


class LedgerNotFoundError(LedgerError, FileNotFoundError):
    """Nothing is at the path of the ledger."""


class LedgerFormatError(LedgerError, ValueError):
    """What is at the path is no ledger, or a broken one."""


class LedgerVersionError(LedgerError, ValueError):
    """The ledger was written by a newer memanalysis."""


class LeakFoundError(MemAnalysisError, AssertionError):
    """A call was found to leak; the text is the whole finding."""


class MemoryBudgetExceeded(MemAnalysisError, MemoryError):  # noqa: N818 - it names the event, as KeyboardInterrupt does
    """Code was interrupted because the process went over its memory budget, or was refused memory beyond it.

    Parameters
    ----------
    message : str
    limit_bytes : int or None
        The budget.
    rss_bytes : int or None
        Resident memory when it was interrupted.
    """

    def __init__(self, message: str = "", *, limit_bytes: int | None = None, rss_bytes: int | None = None) -> None:
        super().__init__(message)
        self.limit_bytes = limit_bytes
        self.rss_bytes = rss_bytes


class EngineError(MemAnalysisError, RuntimeError):
    """The cluster that works on a ledger cannot be reached, went away, or failed."""


class CaptureError(MemAnalysisError, RuntimeError):
    """The process cannot be measured in the way that was asked."""


class MissingDependencyError(MemAnalysisError, ImportError):
    """An optional package is not installed."""
