"""Which allocation sites carry the growth, and which line retains it: ranked by their slopes over the snapshots."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.input_frames import require_columns, run_key
from memanalysis.analysis.leaks.held_table import measure_growth, tabulate_run
from memanalysis.analysis.leaks.library_files import is_library_file
from memanalysis.analysis.leaks.retainers import find_retainer
from memanalysis.analysis.leaks.user_lines import ALLOCATING, use_user_lines
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds

__all__ = ["RANK_COLUMNS", "RESPONSIBLE_COLUMNS", "count_from_start", "pick_responsible_lines", "rank_sites"]

RANK_COLUMNS = (
    "service",
    "run_id",
    "site_id",
    "file",
    "line",
    "function",
    "first_bytes",
    "last_bytes",
    "growth_bytes",
    "judged_from",
    "judged_to",
    "fitted_growth_bytes",
    "slope_bytes_per_s",
    "share",
    "is_retainer",
    "allocated_file",
    "allocated_line",
    "allocated_function",
)
"""Columns of the frame that ``rank_sites`` gives."""

RESPONSIBLE_COLUMNS = (*RANK_COLUMNS, "allocated_share", "role")
"""Columns of the frame that ``pick_responsible_lines`` gives."""


def rank_sites(sites: pd.DataFrame, *, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> pd.DataFrame:
    """Rank the sites of each run by growth, the most first.

    Parameters
    ----------
    sites : DataFrame
        Rows of the table ``sites``. A site that is missing from a snapshot held nothing then.
    thresholds : Thresholds, optional
        The numbers to judge by; its groups ``site`` and ``retainer``.

    Returns
    -------
    DataFrame
        ``RANK_COLUMNS``; a row a run, file and line of the user's code (tracebacks that lead to the same line are added
        up, ``site_id`` and the ``allocated_`` line are those of the largest). Where no line of the user's is known the
        line is the one that allocates. ``growth_bytes`` is what it holds in the last table that is judged
        (``last_bytes``, at ``judged_to``) less what it held in the first one (``first_bytes``, at ``judged_from``).
        ``fitted_growth_bytes``, by which lines are ranked, is the Theil-Sen slope times the time judged, and ``share``
        its part of all fitted growth in the run, between 0 and 1. ``is_retainer`` marks at most one line a run: that
        of the container that grew along with what leaked (see `retainers.find_retainer`), where ``live_allocations``
        are known.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    """
    require_columns("rank_sites", sites, ("service", "run_id", "timestamp", "site_id", "file", "line", "size_bytes"))
    sites = use_user_lines(sites)
    ranked = [
        _rank_run(run.assign(function=run.get("function")), service=service, run_id=run_id, thresholds=thresholds)
        for (service, run_id), run in sites.groupby(["service", "run_id"], sort=True, dropna=False, observed=True)
    ]
    filled = [frame for frame in ranked if not frame.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(RANK_COLUMNS))


def count_from_start(ranked: pd.DataFrame, sites: pd.DataFrame) -> pd.DataFrame:
    """Return the ranking in which the lines of a run with one table grew by what they hold.

    A table lists what was allocated since tracing began, so the only one of a run shows growth from nothing, and
    ``judged_from`` is unknown. So is its speed.

    Parameters
    ----------
    ranked : DataFrame
        What ``rank_sites`` gives.
    sites : DataFrame
        The rows that were ranked.
    """
    keys = ["service", "run_id"]
    tables = sites.groupby(keys, dropna=False, observed=True)["timestamp"].nunique()
    single = {run_key(dict(zip(keys, run, strict=True))) for run in tables.index[tables == 1]}
    is_single = pd.Series([run_key(row) in single for row in ranked[keys].to_dict("records")], index=ranked.index)
    if not is_single.any():
        return ranked
    held = ranked.loc[is_single, "last_bytes"].astype("float64")
    totals = held.groupby([ranked.loc[is_single, key] for key in keys], dropna=False, observed=True).transform("sum")
    numbers = ("first_bytes", "growth_bytes", "fitted_growth_bytes", "slope_bytes_per_s", "share")
    counted = ranked.astype(dict.fromkeys(numbers, "float64"))
    counted.loc[is_single, "first_bytes"] = 0.0
    counted.loc[is_single, "judged_from"] = pd.NaT
    counted.loc[is_single, ["growth_bytes", "fitted_growth_bytes"]] = np.column_stack([held, held])
    counted.loc[is_single, "slope_bytes_per_s"] = np.nan
    counted.loc[is_single, "share"] = (held / totals).fillna(0.0)
    return counted


def pick_responsible_lines(ranked: pd.DataFrame) -> pd.DataFrame:
    """Pick the line that is named for each run: the one that retains what leaked, else the one that allocates most.

    Parameters
    ----------
    ranked : DataFrame
        What ``rank_sites`` gives.

    Returns
    -------
    DataFrame
        ``RESPONSIBLE_COLUMNS``, at most a row a run; none where nothing grew. Where a container of one file retains
        what others allocate, the row is that of the container, and the columns ``allocated_`` hold the line that
        allocates most. Where a library allocates for the user's line, they hold the library's. Else they are None and
        NaN. ``role`` is ``retains``, ``calls`` or ``allocates``.

    Notes
    -----
    One leaked object is often built by several lines of one file: a line of a caller that allocates much in one place
    must not hide them. So the line that allocates most is the first of the file whose lines grew most together.
    """
    growing = ranked[ranked["fitted_growth_bytes"] > 0]
    files = growing.groupby(["service", "run_id", "file"], dropna=False, observed=True)
    of_file = files["fitted_growth_bytes"].transform("sum")
    order = growing.assign(of_file=of_file).sort_values("of_file", ascending=False, kind="stable")
    allocators = order.drop_duplicates(["service", "run_id"])[list(RANK_COLUMNS)]
    retainers = {run_key(row): row for row in ranked[ranked["is_retainer"].astype(bool)].to_dict("records")}
    rows = [_join(allocator, retainers.get(run_key(allocator))) for allocator in allocators.to_dict("records")]
    # Objects: else None becomes NaN, and lines floats.
    return pd.DataFrame(rows, columns=list(RESPONSIBLE_COLUMNS), dtype=object)


def _join(allocator: dict[Hashable, Any], retainer: dict[Hashable, Any] | None) -> dict[Hashable, Any]:
    """Return the retainer of another file with the line that allocates most, or the latter alone.

    A container of a library shows less than the line of the user's code that calls into it.
    """
    is_users = allocator["file"] != allocator["allocated_file"] or allocator["line"] != allocator["allocated_line"]
    is_other = retainer is not None and retainer["file"] != allocator["file"]
    if retainer is not None and is_other and not (is_users and is_library_file(str(retainer["file"]))):
        allocated = {f"allocated_{name}": allocator[name] for name in ("file", "line", "function", "share")}
        return retainer | allocated | {"role": "retains"}
    if is_users:
        return allocator | {"allocated_share": allocator["share"], "role": "calls"}
    return allocator | dict.fromkeys(ALLOCATING.values()) | {"allocated_share": np.nan, "role": "allocates"}


def _rank_run(run: pd.DataFrame, *, service: Any, run_id: Any, thresholds: Thresholds) -> pd.DataFrame:
    held = tabulate_run(
        run, keys=("file", "line"), counts="live_allocations", others=("site_id", "function", *ALLOCATING.values())
    )
    if not held.elapsed_s.size:
        return pd.DataFrame(columns=list(RANK_COLUMNS))
    grown = measure_growth(held, thresholds=thresholds.site)
    listed = np.where(held.is_listed, held.sizes, np.nan)
    retainer = find_retainer(
        listed[grown.judged], held.counts[grown.judged], grown.shares, thresholds=thresholds.retainer
    )
    first, last = held.sizes[grown.judged[0]], held.sizes[grown.judged[-1]]
    ranked = held.names.assign(
        service=service,
        run_id=run_id,
        first_bytes=first,
        last_bytes=last,
        growth_bytes=last - first,
        judged_from=held.moments[grown.judged[0]],
        judged_to=held.moments[grown.judged[-1]],
        fitted_growth_bytes=grown.growth,
        slope_bytes_per_s=grown.slopes,
        share=grown.shares,
        is_retainer=np.arange(grown.growth.size) == (-1 if retainer is None else retainer),
    )
    order = ["fitted_growth_bytes", "last_bytes", "file", "line"]
    return ranked.sort_values(order, ascending=[False, False, True, True])[list(RANK_COLUMNS)]
