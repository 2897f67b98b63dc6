"""How the last upload of a spool ended, in a file of the spool: it outlasts the process that uploaded.

Standard library only: the watched process reads it.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from memanalysis._atomic import write_atomic

__all__ = ["OUTCOME_NAME", "UploadOutcome", "read_outcome", "write_outcome"]

OUTCOME_NAME = ".upload.json"


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """When the last upload ended, its error (None where it succeeded), and the number of failures so far."""

    at: float
    error: str | None
    failures: int


def read_outcome(spool: Path) -> UploadOutcome | None:
    """Return how the last upload ended; None where there was none, or its file cannot be read."""
    try:
        found = json.loads((spool / OUTCOME_NAME).read_bytes())
        error = found["error"]
        return UploadOutcome(float(found["at"]), None if error is None else str(error), int(found["failures"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def write_outcome(spool: Path, error: str | None) -> None:
    """Write how an upload ended. The first success of all is not written: there is nothing to clear."""
    before = read_outcome(spool)
    if before is None and error is None:
        return
    failures = (0 if before is None else before.failures) + (error is not None)
    write_atomic(spool / OUTCOME_NAME, json.dumps(asdict(UploadOutcome(time.time(), error, failures))).encode() + b"\n")
