"""Which lines hold memory now, read in this process or in a copy of it? And which of the two was done.

In the process it takes about as long as ``tracemalloc.take_snapshot()`` alone. In a forked copy the program stops for
the fork only; where that is not safe, or fails, the table is read in the process all the same.
"""

import time
import tracemalloc
from collections.abc import Mapping
from typing import Any

from memanalysis.capture.forking import DEFAULT_TIMEOUT_S, find_fork_obstacle, run_in_fork
from memanalysis.capture.sites import build_site_table, make_rows, read_raw_traces, read_site_table

__all__ = ["SiteRows", "read_sites", "snapshot_sites"]


class SiteRows(list[dict[str, Any]]):
    """Rows of the table ``sites`` without run, seq and time; the most bytes first.

    Attributes
    ----------
    own_bytes : int
        What memanalysis and tracemalloc's Python part hold of the traced memory: in no row.
    tracer_bytes : int
        That, and what tracemalloc holds outside of it.
    pause_s : float
        Seconds that the program stood still: for the fork, or for all of it.
    forked : bool
        Whether a copy of the process did the work.
    why_not_forked : str or None
        Why it was done in the process although a fork was wanted.
    """

    own_bytes: int = 0
    tracer_bytes: int = 0
    pause_s: float = 0.0
    forked: bool = False
    why_not_forked: str | None = None
    sizes: Mapping[int, int] = {}


def snapshot_sites(*, top: int | None = None, fork: bool = False) -> SiteRows:
    """Read which allocation sites hold the traced memory of this process, the biggest first.

    Parameters
    ----------
    top : int, optional
        Rows to give at most; all when not given.
    fork : bool
        Let a forked copy of the process do it, where that is safe: the program then stops for the fork only.

    Returns
    -------
    list of dict
        ``site_id``, ``file``, ``line``, ``function`` (None where unknown), ``traceback`` (``[file, line]`` pairs, most
        recent call last), ``size_bytes``, ``live_allocations``. The list itself records how it was done: `SiteRows`.

    Raises
    ------
    CaptureError
        tracemalloc is not tracing.
    """
    return read_sites(top=top, fork=fork)


def read_sites(
    *,
    top: int | None = None,
    fork: bool = False,
    first_sizes: Mapping[int, int] | None = None,
    remember: int = 0,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> SiteRows:
    """Read the rows as `snapshot_sites` does, and what the next reading is to be compared with.

    Parameters
    ----------
    first_sizes : mapping, optional
        What ``sizes`` was earlier: half of the rows then go to the sites that grew most.
    remember : int
        Sites whose size is given in ``sizes``, at most.
    timeout_s : float
        Seconds after which a copy is killed, and the work done in the process.

    Raises
    ------
    CaptureError
        tracemalloc is not tracing.
    """

    def read() -> tuple[list[dict[str, Any]], int, dict[int, int]]:
        table = read_site_table()
        return make_rows(table.pick(top, first_sizes=first_sizes)), table.own_bytes, table.read_sizes(remember)

    def read_in_copy() -> tuple[list[dict[str, Any]], int, dict[int, int]]:
        traces = read_raw_traces()
        tracemalloc.stop()  # in the copy alone: what follows is 30 times as fast untraced
        table = build_site_table(traces)
        return make_rows(table.pick(top, first_sizes=first_sizes)), table.own_bytes, table.read_sizes(remember)

    why_not = None
    if fork and tracemalloc.is_tracing():
        why_not = find_fork_obstacle()
        if why_not is None:
            answer = run_in_fork(read_in_copy, timeout_s=timeout_s)
            if answer.error is None:
                return _describe(*answer.value, pause_s=answer.pause_s, forked=True)
            why_not = answer.error
    started = time.perf_counter()
    rows, own_bytes, sizes = read()
    made = _describe(rows, own_bytes, sizes, pause_s=time.perf_counter() - started, forked=False)
    made.why_not_forked = why_not
    return made


def _describe(
    rows: list[dict[str, Any]], own_bytes: int, sizes: dict[int, int], *, pause_s: float, forked: bool
) -> SiteRows:
    made = SiteRows(rows)
    made.own_bytes, made.sizes = own_bytes, sizes
    made.tracer_bytes = own_bytes + tracemalloc.get_tracemalloc_memory()
    made.pause_s, made.forked = pause_s, forked
    return made
