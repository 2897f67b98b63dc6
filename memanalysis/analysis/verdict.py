"""The verdict: the record of one series, the frame of many, and the words and reason codes in both.

*Growth* is what was measured, *leak* only what was shown.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

__all__ = [
    "SEVERITIES",
    "UNREADABLE",
    "VERDICT_COLUMNS",
    "VERDICT_DTYPES",
    "Evidence",
    "Origin",
    "Reason",
    "Severity",
    "Shape",
    "Verdict",
    "VerdictFrame",
]

Shape = Literal["growing", "slowing", "plateauing", "stepped", "sawtooth", "stable", "shrinking", "inconclusive"]
Origin = Literal["python", "native", "fragmentation", "copy-on-write", "shared", "threads", "descriptors", "unknown"]
Severity = Literal["none", "low", "medium", "high", "critical"]

SEVERITIES: tuple[Severity, ...] = ("none", "low", "medium", "high", "critical")
"""From harmless to urgent."""

UNREADABLE = "unreadable"
"""In place of a shape: this row is no verdict, but names what of a service could not be read or judged."""

VerdictFrame = dict[str, Any]
"""Columns of many verdicts by name: arrays or lists of one length. The steps of a verdict take one and return another;
it needs no pandas, which is not loaded in watched processes."""


class Reason(StrEnum):
    """Why a verdict is what it is: each step adds its own, and the sentence is written from them."""

    TOO_FEW_SAMPLES = "too_few_samples"
    NOT_IN_EACH_WINDOW = "not_in_each_window"
    RISES_IN_EACH_WINDOW = "rises_in_each_window"
    GROWS_SINCE_ONSET = "grows_since_onset"
    GROWS_ON = "grows_on"
    PYTHON_GROWS = "python_grows"
    GROWS_SO_FAR = "grows_so_far"
    STILL_RISES = "still_rises"
    REGAINS_LEVEL = "regains_level"
    CREEPS = "creeps"
    SLOWS_DOWN = "slows_down"
    LEVELS_OFF = "levels_off"
    STEPS = "steps"
    SWINGS = "swings"
    SHRINKS = "shrinks"
    WITHIN_NOISE = "within_noise"
    TOO_SMALL = "too_small"
    DRIFTS = "drifts"
    COPIES_ON_WRITE = "copies_on_write"
    SHARES_PAGES = "shares_pages"
    MORE_PROCESSES = "more_processes"
    GROWS_IN_MASTER = "grows_in_master"
    GROWS_IN_EACH_WORKER = "grows_in_each_worker"
    GROWS_IN_SOME_WORKERS = "grows_in_some_workers"
    GROWS_IN_SHARED_MEMORY = "grows_in_shared_memory"
    GROWS_WITH_SUCCESSORS = "grows_with_successors"
    THREADS_PILE_UP = "threads_pile_up"
    DESCRIPTORS_PILE_UP = "descriptors_pile_up"
    FREE_IN_ALLOCATOR = "free_in_allocator"
    AT_LIMIT = "at_limit"
    OVER_LIMIT = "over_limit"
    REACHES_LIMIT = "reaches_limit"
    NATIVE_IN_WINDOWS = "native_in_windows"
    NATIVE_BY_SURVIVORS = "native_by_survivors"
    ALLOCATED_BY_LINE = "allocated_by_line"
    ALLOCATED_FOR_LINE = "allocated_for_line"
    RETAINED_BY_LINE = "retained_by_line"
    HELD_BY_CHAIN = "held_by_chain"
    ACCEPTED = "accepted"
    ACCEPTANCE_EXPIRED = "acceptance_expired"


VERDICT_COLUMNS = (
    "service",
    "run_id",
    "role",
    "family_id",
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
    "onset_s",
    "latest_bytes",
    "allocator_free_bytes",
    "process_count",
    "growing_count",
    "growth_count",
    "slope_count_per_s",
    "limit_bytes",
    "time_to_exhaustion_s",
    "time_to_exhaustion_low_s",
    "time_to_exhaustion_high_s",
    "windows",
    "weakest_window_bytes_per_s",
    "n_samples",
    "duration_s",
    "judged_s",
    "has_ended",
    "window_rss_growth_bytes",
    "window_retained_bytes",
    "responsible_file",
    "responsible_line",
    "responsible_function",
    "responsible_share",
    "allocated_file",
    "allocated_line",
    "allocated_function",
    "allocated_share",
    "held_by",
    "fingerprint",
    "known",
    "accepted_until",
    "accepted_reason",
    "reasons",
    "sentence",
)
"""Columns of the frame that ``assess`` gives, a row a service and run, and one a family of processes.

``role`` is ``master`` or ``worker`` in a family of processes, None elsewhere, and ``family`` in the row of the whole
family, whose ``run_id`` is "family" and ``family_id``, which is the run of its master where that was recorded.
``process_count`` and ``growing_count`` are the members of a family, and those whose private memory grew.
``growth_count`` and ``slope_count_per_s`` belong to a ``metric`` that counts threads or descriptors which pile up;
sizes in bytes are those of the memory beside it. ``allocator_free_bytes`` is what the C allocator held free at the end.

``responsible_`` is the line of the user's code that retains what leaked, or for which most of it is allocated, and its
own part of the traced growth; ``allocated_`` is the line that allocates, where that is another. ``held_by`` is the
chain of references that holds most of the objects that grew in number. ``judged_s`` are the seconds
after warm-up, ``has_ended`` means that the run is known to be over, so that no forecast holds for it any more,
``onset_s`` the second of the run at which the growth began where there was none before, or since which it only regains
a level that it held before, ``window_`` is what tracing windows measured where they decide the origin.
``fingerprint`` is the same whenever this leak is found, and ``known`` is ``accepted``, ``expired``, ``new``, or None
where there is no leak. ``reasons`` are codes of `Reason`, separated by spaces; ``sentence`` is written from them and
the other columns.
"""

VERDICT_DTYPES = {
    **{name: "float64" for name in VERDICT_COLUMNS if name.endswith(("_s", "_bytes", "_percent", "_share"))},
    "role": "object",
    "family_id": "object",
    "process_count": "float64",
    "growing_count": "float64",
    "growth_count": "float64",
    "is_leak": "bool",
    "has_ended": "bool",
    "windows": "int64",
    "n_samples": "int64",
    "responsible_file": "object",
    "responsible_line": "Int64",
    "responsible_function": "object",
    "allocated_file": "object",
    "allocated_line": "Int64",
    "allocated_function": "object",
    "held_by": "object",
    "fingerprint": "object",
    "known": "object",
    "accepted_until": "object",
    "accepted_reason": "object",
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
        Rises from window to window; 0 when the stretch was too short to cut.
    weakest_window_bytes_per_s : float or None
        Slope of the baseline in the window that grew least.
    missing : str or None
        What more is needed before there is a verdict, when it is inconclusive.
    """

    n_samples: int
    duration_s: float
    windows: int
    weakest_window_bytes_per_s: float | None
    missing: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict on one series; None where a value is not known.

    ``growth_bytes`` and ``growth_percent`` are the fitted growth over the judged stretch; ``low``/``high`` are the ends
    of the 95 % interval of the slope, and of the 90 % interval of the time to exhaustion (infinite: never).
    ``reasons`` are what the sentence was written from.
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
    onset_s: float | None
    latest_bytes: float | None
    limit_bytes: float | None
    time_to_exhaustion_s: float | None
    time_to_exhaustion_low_s: float | None
    time_to_exhaustion_high_s: float | None
    evidence: Evidence
    reasons: tuple[Reason, ...]
    sentence: str
