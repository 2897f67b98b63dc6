"""What a whole cleanup brought, in a sentence and in figures, as the ledger keeps it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from memanalysis.capture.process import ProcessReader
from memanalysis.response.cleanup import CleanupResult
from memanalysis.units import format_bytes

__all__ = ["CleanupSummary", "summarize_cleanup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupSummary:
    """What all methods of one cleanup did.

    Parameters
    ----------
    sentence : str
        What was freed, and what each method did.
    data : dict
        By method, the fields of `CleanupResult`.
    freed_share : float or None
        Resident bytes that were freed, as a share of those before; None where the system does not show it.
    """

    sentence: str
    data: dict[str, Any]
    freed_share: float | None


def summarize_cleanup(results: Mapping[str, CleanupResult]) -> CleanupSummary:
    """Sum up the results of a cleanup that has just run."""
    traced = _sum_known(result.freed_traced_bytes for result in results.values())
    resident = _sum_known(result.freed_rss_bytes for result in results.values())
    with ProcessReader() as process:
        rss_bytes = process.read_rss_bytes()
    figures = [
        f"{format_bytes(size)} of {name} memory"
        for name, size in (("traced", traced), ("resident", resident))
        if size is not None
    ]
    freed = f"Freed {' and '.join(figures)}." if figures else "What was freed is not known."
    done = " ".join(result.did for result in results.values())
    return CleanupSummary(
        sentence=f"{freed} {done}".strip() if results else "The policy names no method of cleanup.",
        data={name: asdict(result) for name, result in results.items()},
        freed_share=None if resident is None or not rss_bytes else resident / (resident + rss_bytes),
    )


def _sum_known(sizes: Iterable[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None
