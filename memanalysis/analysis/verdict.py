"""What may be said of one series: the verdict record, its words, and the frame of many.

The words are those of the ledger's readers: *growth* is what was measured, *leak* only what was shown.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["SEVERITIES", "VERDICT_COLUMNS", "VERDICT_DTYPES", "Evidence", "Origin", "Severity", "Shape", "Verdict"]

Shape = Literal["growing", "plateauing", "stepped", "sawtooth", "stable", "shrinking", "inconclusive"]
Origin = Literal["python", "native", "fragmentation", "unknown"]
Severity = Literal["none", "low", "medium", "high", "critical"]

SEVERITIES: tuple[Severity, ...] = ("none", "low", "medium", "high", "critical")
"""From harmless to urgent."""

VERDICT_COLUMNS = (
    "service",
    "run_id",
    "metric",
    "shape",
    "origin",
    "is_leak",
    "severity",
    "slope_bytes_per_s",
    "low_bytes_per_s",
    "high_bytes_per_s",
    "growth_bytes",
    "growth_percent",
    "latest_bytes",
    "limit_bytes",
    "time_to_exhaustion_s",
    "time_to_exhaustion_low_s",
    "time_to_exhaustion_high_s",
    "windows",
    "weakest_window_bytes_per_s",
    "n_samples",
    "duration_s",
    "responsible_file",
    "responsible_line",
    "responsible_function",
    "responsible_share",
    "allocated_file",
    "allocated_line",
    "allocated_function",
    "allocated_share",
    "fingerprint",
    "known",
    "sentence",
)
"""Columns of the frame that ``assess`` gives, a row a service and run.

``responsible_`` is the line that retains what leaked or allocates most of it, and its own part of the traced growth;
``allocated_`` is the line that allocates most, when the responsible line only retains it. ``fingerprint`` is the same
whenever this leak is found, and ``known`` says whether somebody accepted it: ``accepted``, ``expired``, ``new``, or
None where there is no leak.
"""

VERDICT_DTYPES = {
    **{name: "float64" for name in VERDICT_COLUMNS if name.endswith(("_s", "_bytes", "_percent", "_share"))},
    "is_leak": "bool",
    "windows": "int64",
    "n_samples": "int64",
    "responsible_file": "object",
    "responsible_line": "Int64",
    "responsible_function": "object",
    "allocated_file": "object",
    "allocated_line": "Int64",
    "allocated_function": "object",
    "fingerprint": "object",
    "known": "object",
}
"""Types of the columns that are not plain text; unknown is NaN, NA or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a verdict rests on.

    Parameters
    ----------
    n_samples : int
        Samples in the judged stretch.
    duration_s : float
        Seconds from its first to its last sample.
    windows : int
        Windows that the stretch was cut into; 0 when it was too short to cut.
    weakest_window_bytes_per_s : float or None
        Slope of the floor in the window that grew least.
    missing : str or None
        What more is needed before anything can be said, when the verdict is inconclusive.
    """

    n_samples: int
    duration_s: float
    windows: int
    weakest_window_bytes_per_s: float | None
    missing: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What may be said of one series; None where it is not known.

    ``growth_bytes`` and ``growth_percent`` are the fitted growth over the judged stretch; ``low``/``high`` are the ends
    of the 95 % interval of the slope, and of the 90 % interval of the time to exhaustion (infinite: never).
    """

    shape: Shape
    origin: Origin
    is_leak: bool
    severity: Severity
    slope_bytes_per_s: float | None
    low_bytes_per_s: float | None
    high_bytes_per_s: float | None
    growth_bytes: float | None
    growth_percent: float | None
    latest_bytes: float | None
    limit_bytes: float | None
    time_to_exhaustion_s: float | None
    time_to_exhaustion_low_s: float | None
    time_to_exhaustion_high_s: float | None
    evidence: Evidence
    sentence: str
