"""What passes between the packages: the ledger's five tables, column by column, and the snapshot record.

A row is a plain mapping from column name to value. Whole bytes are int64, seconds float64, ``timestamp`` is UTC in
microseconds (in memory: epoch seconds as float; in JSON: ISO 8601 with ``Z``; in frames: ``datetime64[us, UTC]``), and
``elapsed_s`` comes from the monotonic clock of the run. Unknown is null, never zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "BUDGET_METRICS",
    "BYTE_METRICS",
    "COUNT_METRICS",
    "END_LABEL",
    "EVENTS",
    "JUDGED_METRICS",
    "OBJECTS",
    "PRIVATE_METRIC",
    "PROPORTIONAL_METRIC",
    "RESTART_EXIT_CODE",
    "RUNS",
    "SAMPLED_METRIC",
    "SAMPLES",
    "SCHEMA_VERSION",
    "SITES",
    "TABLES",
    "ColumnType",
    "MemorySnapshot",
    "Row",
    "Sensitivity",
]

SCHEMA_VERSION = 1
"""Version of the tables below; a ledger of a newer version is refused."""

Row = Mapping[str, Any]
ColumnType = Literal["string", "int64", "float64", "timestamp", "json"]

Sensitivity = Literal["low", "medium", "high"]
"""How readily leaks are reported: a key of the policy, by which the engine grades."""

RUNS: Mapping[str, ColumnType] = {
    "run_id": "string",
    "service": "string",
    "host": "string",
    "pid": "int64",
    "parent_pid": "int64",
    "program_pid": "int64",
    "started": "timestamp",
    "ended": "timestamp",
    "python": "string",
    "platform": "string",
    "argv": "json",
    "git_commit": "string",
    "release": "string",
    "labels": "json",
    "packages": "json",
    "policy_sha256": "string",
    "trace": "string",
    "sampling_interval_bytes": "int64",
    "at_start": "json",
    "ending": "json",
    "schema_version": "int64",
}
"""One process lifetime a row. ``ended`` is null while the process lives, and for ever if it was killed and no parent
noted that. ``ending`` shows how it ended, and ``at_start`` what is compared to find that out of one that is gone.
``program_pid`` is the program under ``memanalysis run``, from which all other processes descend."""

SAMPLES: Mapping[str, ColumnType] = {
    "run_id": "string",
    "service": "string",
    "seq": "int64",
    "timestamp": "timestamp",
    "elapsed_s": "float64",
    "label": "string",
    "rss_bytes": "int64",
    "pss_bytes": "int64",
    "uss_bytes": "int64",
    "limit_bytes": "int64",
    "family_bytes": "int64",
    "container_bytes": "int64",
    "traced_bytes": "int64",
    "traced_peak_bytes": "int64",
    "sampled_bytes": "int64",
    "live_allocations": "int64",
    "allocation_count": "int64",
    "deallocation_count": "int64",
    "object_count": "int64",
    "gc_collections": "int64",
    "gc_collected": "int64",
    "allocator_free_bytes": "int64",
    "tracer_bytes": "int64",
    "thread_count": "int64",
    "descriptor_count": "int64",
    "capture_s": "float64",
}
"""One tick a row. ``family_bytes`` is the memory of a process and all that descend from it, ``container_bytes`` that of
the container where they have it for themselves; both are read by the oldest of the family. ``allocation_count`` and
``deallocation_count`` come from the JSON array: CPython has no such."""

SITES: Mapping[str, ColumnType] = {
    "run_id": "string",
    "service": "string",
    "seq": "int64",
    "timestamp": "timestamp",
    "site_id": "string",
    "file": "string",
    "line": "int64",
    "function": "string",
    "traceback": "json",
    "user_file": "string",
    "user_line": "int64",
    "user_function": "string",
    "size_bytes": "int64",
    "live_allocations": "int64",
    "size_stderr_bytes": "int64",
}
"""One allocation site in one snapshot a row; ``traceback`` is a list of ``[file, line, function]``, most recent call
last, without the function where it is unknown. ``user_`` is its innermost frame outside of Python and installed
packages, null where ``file`` and ``line`` are that."""

OBJECTS: Mapping[str, ColumnType] = {
    "run_id": "string",
    "service": "string",
    "seq": "int64",
    "timestamp": "timestamp",
    "type": "string",
    "count": "int64",
    "size_bytes": "int64",
}
"""One type in one census a row."""

EVENTS: Mapping[str, ColumnType] = {
    "run_id": "string",
    "service": "string",
    "timestamp": "timestamp",
    "kind": "string",
    "level": "string",
    "message": "string",
    "data": "json",
}
"""Something that happened: start, stop, cell, mark, breach, alert, cleanup, restart, leak, policy, error; of an
alert ``undelivered`` at the end of a run or where it waits no longer, and ``delivered`` late; of a cell that runs
``cell_start`` and ``cell_line``; of a suite of tests ``test``; of a Dask worker ``tasks``; and of the recorder itself
``growth`` (seen, so tracing begins), ``window``, ``suspect``, ``holders``, ``snapshot``, ``pace``."""

TABLES: Mapping[str, Mapping[str, ColumnType]] = {
    "runs": RUNS,
    "samples": SAMPLES,
    "sites": SITES,
    "objects": OBJECTS,
    "events": EVENTS,
}

BYTE_METRICS = ("rss_bytes", "traced_bytes")
"""The columns of ``samples`` that a verdict is given on, the preferred one first."""

BUDGET_METRICS: Mapping[str, tuple[str, ...]] = {
    "auto": ("container_bytes", "family_bytes", *BYTE_METRICS),
    "rss": BYTE_METRICS,
    "private": ("uss_bytes",),
    "family": ("family_bytes", "pss_bytes"),
    "container": ("container_bytes",),
}
"""The columns of ``samples`` that a budget may be for, by the word of the policy: the first one that is known counts.
But for ``BYTE_METRICS`` they are read now and then, and a reading counts until the next."""

END_LABEL = "end"
"""Label of the sample at a program's end: the main function has returned and freed what it held. It is not judged."""

RESTART_EXIT_CODE = 75
"""How a program leaves that is to be started again; in ``ending`` of ``runs``."""

SAMPLED_METRIC = "sampled_bytes"
"""The column that settles a verdict on RSS; none is given on it."""

PRIVATE_METRIC = "uss_bytes"
"""The column that shows whether memory that was shared with a parent is copied."""

PROPORTIONAL_METRIC = "pss_bytes"
"""The column that may be summed over processes: a page that several share is counted once."""

COUNT_METRICS = ("thread_count", "descriptor_count")
"""The columns whose growth is a leak of its own name: threads and descriptors that pile up."""

JUDGED_METRICS = (*BYTE_METRICS, SAMPLED_METRIC, PRIVATE_METRIC, *COUNT_METRICS)
"""The columns of ``samples`` that a verdict is made from."""


@dataclass(frozen=True, slots=True)
class MemorySnapshot:
    """What one process used at one moment; MB are 2**20 bytes, None is unknown.

    Parameters
    ----------
    timestamp : float
        Epoch seconds.
    current_mb, peak_mb : float
        Bytes that tracemalloc followed, now and at the most, in MB.
    object_count : int
        Objects that the garbage collector tracks.
    tracemalloc_stats : mapping, optional
        ``{"top": [{"file", "line", "size_mb", "count"}, ...], "tracer_mb": ...}``.
    """

    timestamp: float
    current_mb: float
    peak_mb: float
    object_count: int
    tracemalloc_stats: Mapping[str, Any] | None = None
    rss_mb: float | None = None
    live_allocations: int | None = None
    gc_collections: int | None = None
    elapsed_s: float | None = field(default=None, kw_only=True)
