"""What was asked of a recorder: its arguments and its policy, made one and checked. Arguments win over the policy."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.maintenance.retention import Retention
from memanalysis.ledger.paths import DEFAULT_LEDGER
from memanalysis.ledger.writing.spool import is_url, local_path, spool_folder
from memanalysis.watcher.redaction import ARGV_MODES, ArgvMode
from memanalysis.watcher.run_labels import check_labels

if TYPE_CHECKING:
    from memanalysis.policy.model import Policy

__all__ = [
    "DEFAULT_MAX_OVERHEAD",
    "METRIC_COLUMNS",
    "TRACE_MODES",
    "UNDELIVERED_FOLDER",
    "Settings",
    "TraceMode",
    "choose_settings",
    "find_ledger_folder",
]

TraceMode = Literal["auto", "sampled", "windows", "full", "off"]

TRACE_MODES: tuple[TraceMode, ...] = ("auto", "sampled", "windows", "full", "off")

DEFAULT_MAX_OVERHEAD = 0.05

UNDELIVERED_FOLDER = "undelivered"
"""Folder in a ledger for alerts that are not delivered yet."""

MIN_INTERVAL_S = 0.01
"""Ticks closer than this measure the recorder and not the program."""

DEFAULT_SNAPSHOT_INTERVAL_S = 60.0
DEFAULT_TRACE_LIMIT = 25
DEFAULT_KEPT_SNAPSHOTS = 100

_BLOCKS = ("live_allocations",)

METRIC_COLUMNS: dict[str, tuple[str, ...]] = {
    "memory_usage": (
        "rss_bytes",
        "pss_bytes",
        "uss_bytes",
        "limit_bytes",
        "family_bytes",
        "container_bytes",
        "traced_bytes",
        "traced_peak_bytes",
        "allocator_free_bytes",
        "thread_count",
        "descriptor_count",
    ),
    "object_counts": ("object_count",),
    "allocation_rates": _BLOCKS,
    "deallocation_rates": _BLOCKS,
    "garbage_collection_stats": ("gc_collections", "gc_collected"),
}
"""Columns of ``samples`` that each entry of ``monitoring.metrics`` asks for.

CPython counts neither allocations nor deallocations; both rates follow from the blocks that are alive.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one service is watched.

    Parameters
    ----------
    service : str
        Name under which its rows are kept.
    ledger : Path, str or None
        Folder of the ledger, or its URL; None: nothing is written.
    retention : Retention or None
        What is dropped from the ledger as it grows; None: nothing.
    interval_s : float
        Seconds between two ticks.
    trace : {"auto", "sampled", "windows", "full", "off"}
        Whether Python's allocations are traced: in short windows once memory grows, all the time, or not at all.
    trace_limit : int
        Frames of each traceback.
    snapshot_interval_s : float or None
        Seconds between two full snapshots; None: only those that are asked for.
    top_sites, top_types : int
        Rows of ``sites`` and of ``objects`` in a snapshot, at most.
    kept_snapshots : int
        Snapshots kept in memory.
    check_leaks : bool or None
        Whether a policy's leak detection runs in this process; None: once the program has loaded numpy itself.
    seal : bool
        Whether the run's files become Parquet when it stops.
    max_overhead : float
        Share of one processor that watching may take.
    argv : {"redacted", "full", "none"}
        What is kept of the program's arguments.
    release : str or None
        Name of the release that runs; None: that of the environment or of its package.
    labels : mapping or None
        Labels of the run; those of the environment come on top.
    fork : bool or None
        Whether full snapshots are read in a forked copy of the process; None: where they are large and it is safe.
    file_mode : int
        Permissions of the ledger's files, less the umask.
    left_out : frozenset of str
        Columns of ``samples`` that the policy does not ask for.
    """

    service: str
    ledger: Path | str | None
    retention: Retention | None
    interval_s: float
    trace: TraceMode
    trace_limit: int
    snapshot_interval_s: float | None
    top_sites: int
    top_types: int
    kept_snapshots: int
    check_leaks: bool | None
    seal: bool
    max_overhead: float
    fork: bool | None
    file_mode: int
    argv: ArgvMode
    release: str | None
    labels: Mapping[str, str] | None
    left_out: frozenset[str]


def choose_settings(
    service: str,
    *,
    ledger: str | os.PathLike[str] | None,
    policy: "Policy | None",
    interval: float,
    trace: TraceMode | None,
    trace_limit: int | None,
    snapshot_interval: float | None,
    top_sites: int,
    top_types: int,
    check_leaks: bool | None,
    seal: bool,
    max_overhead: float,
    fork: bool | None,
    file_mode: int,
    argv: ArgvMode,
    release: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Settings:
    """Join the arguments of ``watch`` with the policy.

    Raises
    ------
    InvalidArgumentError
        A value that cannot be used.
    """
    if not service or not isinstance(service, str):
        raise InvalidArgumentError(f"watch needs the name of a service, but got {service!r}. Name it, such as 'api'.")
    _check_seconds("interval", interval)
    if snapshot_interval is not None:
        _check_seconds("snapshot_interval", snapshot_interval)
    if trace is not None and trace not in TRACE_MODES:
        raise InvalidArgumentError(
            f"watch needs trace='auto', 'sampled', 'windows', 'full' or 'off', but got {trace!r}. Pass one of them."
        )
    if argv not in ARGV_MODES:
        raise InvalidArgumentError(
            f"watch needs argv='redacted', 'full' or 'none', but got {argv!r}. Pass one of them."
        )
    if not isinstance(max_overhead, int | float) or not 0 < max_overhead <= 1:
        raise InvalidArgumentError(
            f"watch needs max_overhead above 0 and at most 1, but got {max_overhead!r}. Pass a share, such as 0.05."
        )
    if release is not None and (not isinstance(release, str) or not release):
        raise InvalidArgumentError(f"watch needs release as text, but got {release!r}. Name it, such as '1.4.2'.")
    if isinstance(file_mode, bool) or not isinstance(file_mode, int) or file_mode & ~0o666 or not file_mode & 0o200:
        raise InvalidArgumentError(
            f"watch needs file_mode of read and write permissions, which its user may write, but got {file_mode!r}. "
            "Pass 0o600 or 0o640."
        )
    _check_count("trace_limit", trace_limit, least=1)
    _check_count("top_sites", top_sites, least=0)
    _check_count("top_types", top_types, least=0)
    monitoring = None if policy is None else policy.monitoring
    traced = monitoring is None or monitoring.tracemalloc.enabled
    if snapshot_interval is None and (monitoring is None or monitoring.snapshots.enabled):
        snapshot_interval = DEFAULT_SNAPSHOT_INTERVAL_S if monitoring is None else monitoring.snapshots.interval_seconds
    wanted = METRIC_COLUMNS if monitoring is None else monitoring.metrics
    all_columns = {column for columns in METRIC_COLUMNS.values() for column in columns}
    return Settings(
        service=service,
        ledger=_choose_ledger(ledger, policy),
        retention=_choose_retention(policy),
        interval_s=float(interval),
        trace=trace or ("auto" if traced else "off"),
        trace_limit=trace_limit or (DEFAULT_TRACE_LIMIT if monitoring is None else monitoring.tracemalloc.trace_limit),
        snapshot_interval_s=snapshot_interval,
        top_sites=top_sites,
        top_types=top_types if "object_counts" in wanted else 0,
        kept_snapshots=DEFAULT_KEPT_SNAPSHOTS if monitoring is None else monitoring.snapshots.retention_count,
        check_leaks=check_leaks,
        seal=seal,
        max_overhead=float(max_overhead),
        fork=fork,
        file_mode=file_mode,
        argv=argv,
        release=release,
        labels=None if labels is None else check_labels(labels),
        left_out=frozenset(all_columns.difference(*(METRIC_COLUMNS[metric] for metric in wanted))),
    )


def _check_seconds(name: str, seconds: float) -> None:
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds < MIN_INTERVAL_S:
        raise InvalidArgumentError(
            f"watch needs {name} of at least {MIN_INTERVAL_S} s, but got {seconds!r}. Pass seconds, such as 1.0."
        )


def _check_count(name: str, count: int | None, *, least: int) -> None:
    if count is not None and count < least:
        raise InvalidArgumentError(f"watch needs {name} of at least {least}, but got {count}. Pass a larger one.")


def _choose_retention(policy: "Policy | None") -> Retention | None:
    if policy is None:
        return None
    kept = policy.ledger.retention
    return Retention(max_entries=kept.max_entries, max_age_days=kept.max_age_days)


def _choose_ledger(ledger: str | os.PathLike[str] | None, policy: "Policy | None") -> Path | str | None:
    """Return the argument, else the policy's path (of a ``.json`` file its stem), else the default."""
    if ledger is not None:
        return os.fspath(ledger) if is_url(ledger) else local_path(ledger).expanduser()
    if policy is None:
        return Path(DEFAULT_LEDGER)
    if not policy.ledger.enabled:
        return None
    folder = policy.ledger.folder
    return folder if is_url(folder) else Path(folder).expanduser()


def find_ledger_folder(ledger: Path | str | None) -> Path | None:
    """Return the folder on this machine for what belongs to a ledger: its own, or that in which a URL's rows wait."""
    if ledger is None:
        return None
    return ledger.absolute() if isinstance(ledger, Path) else spool_folder(ledger)
