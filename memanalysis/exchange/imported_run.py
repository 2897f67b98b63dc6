"""What a file of another tool becomes: runs with rows of ``samples`` and ``sites``, before they are in a ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

__all__ = ["ImportedRun", "make_run_id", "make_samples"]

_HASH_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRun:
    """One process, or one series, of another tool.

    Parameters
    ----------
    service : str
    key : bytes
        Distinguishes it from all other runs; the same file gives the same.
    samples, sites : list of mapping
        Rows as in `memanalysis.schema`, with ``timestamp`` in epoch seconds, in the order of time.
    pid : int, optional
    host : str, optional
    labels : mapping of str to str, optional
        Of the whole run, such as pod and namespace.
    sampling_interval_bytes : int, optional
        Mean bytes between two samples of allocations.
    """

    service: str
    key: bytes
    samples: list[dict[str, Any]]
    sites: list[dict[str, Any]] = field(default_factory=list)
    pid: int | None = None
    host: str | None = None
    labels: Mapping[str, str] | None = None
    sampling_interval_bytes: int | None = None

    @property
    def started(self) -> float:
        """Epoch seconds of the first sample."""
        return float(self.samples[0]["timestamp"])

    @property
    def ended(self) -> float:
        """Epoch seconds of the last sample."""
        return float(self.samples[-1]["timestamp"])


def make_run_id(run: ImportedRun) -> str:
    """Return the name of a run: when it began, its process and a hash, as a recorder names them.

    Examples
    --------
    >>> make_run_id(ImportedRun(service="api", key=b"1", samples=[{"timestamp": 1735689600.0}]))
    '20250101T000000Z-0-5b22343a'
    """
    digest = sha256(run.service.encode() + b"\0" + run.key).hexdigest()[:_HASH_DIGITS]
    return f"{datetime.fromtimestamp(run.started, UTC):%Y%m%dT%H%M%SZ}-{run.pid or 0}-{digest}"


def make_samples(measured: Sequence[tuple[float, dict[str, int | None]]]) -> list[dict[str, Any]]:
    """Return rows of ``samples`` from moments in epoch seconds and columns, in the order of time.

    ``seq`` and ``elapsed_s`` count from the first one: other tools have no monotonic clock.
    """
    ordered = sorted(measured, key=lambda pair: pair[0])
    return [
        {"seq": seq, "timestamp": moment, "elapsed_s": moment - ordered[0][0], **columns}
        for seq, (moment, columns) in enumerate(ordered)
    ]
