"""Which allocation sites carry the growth, and which line keeps it: ranked by the slope of each over the snapshots."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.analysis.frames import known_floats, require_columns
from memanalysis.analysis.keepers import find_keeper
from memanalysis.analysis.series import FloatArray

__all__ = ["GUILTY_COLUMNS", "RANK_COLUMNS", "find_guilty", "rank_sites"]

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
    "slope_bytes_per_s",
    "share",
    "is_keeper",
)
"""Columns of the frame that ``rank_sites`` gives."""

GUILTY_COLUMNS = (*RANK_COLUMNS, "made_file", "made_line", "made_function", "made_share")
"""Columns of the frame that ``find_guilty`` gives."""

WARM_UP_SHARE = 0.25
"""Snapshots of the first quarter are left out when at least three remain: programs warm up."""

MOST_SNAPSHOTS = 60
"""More snapshots than this are thinned evenly: pairwise slopes take snapshots**2 memory for each site."""


def rank_sites(sites: pd.DataFrame) -> pd.DataFrame:
    """Rank the sites of each run by growth, the most first.

    Parameters
    ----------
    sites : DataFrame
        Rows of the table ``sites``. A site that is missing from a snapshot held nothing then.

    Returns
    -------
    DataFrame
        ``RANK_COLUMNS``; a row a run, file and line (tracebacks that end in the same line are added up, ``site_id`` is
        that of the largest). ``growth_bytes`` is the Theil-Sen slope times the time judged, ``share`` its part of all
        growth in the run, between 0 and 1. ``is_keeper`` marks at most one line a run: that of the container that grew
        along with what leaked (see `keepers.find_keeper`), where ``live_allocations`` are known.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    """
    require_columns("rank_sites", sites, ("service", "run_id", "timestamp", "site_id", "file", "line", "size_bytes"))
    ranked = [
        _rank_run(run.assign(function=run.get("function")), service=service, run_id=run_id)
        for (service, run_id), run in sites.groupby(["service", "run_id"], sort=True, dropna=False)
    ]
    filled = [frame for frame in ranked if not frame.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(RANK_COLUMNS))


def find_guilty(ranked: pd.DataFrame) -> pd.DataFrame:
    """Pick the line that is named for each run: the one that keeps what leaked, else the one that makes most of it.

    Parameters
    ----------
    ranked : DataFrame
        What ``rank_sites`` gives.

    Returns
    -------
    DataFrame
        ``GUILTY_COLUMNS``, at most a row a run; none where nothing grew. Where a container of one file keeps what
        others make, the row is that of the container, and the columns ``made_`` say where most is made; else these are
        None and NaN.

    Notes
    -----
    One leaked object is often built by several lines of one file: a line of a caller that makes much in one place must
    not hide them. So the line that makes most is the first of the file whose lines grew most together.
    """
    growing = ranked[ranked["growth_bytes"] > 0]
    of_file = growing.groupby(["service", "run_id", "file"], dropna=False)["growth_bytes"].transform("sum")
    order = growing.assign(of_file=of_file).sort_values("of_file", ascending=False, kind="stable")
    makers = order.drop_duplicates(["service", "run_id"])[list(RANK_COLUMNS)]
    keepers = {(row["service"], row["run_id"]): row for row in ranked[ranked["is_keeper"]].to_dict("records")}
    rows = [_join(maker, keepers.get((maker["service"], maker["run_id"]))) for maker in makers.to_dict("records")]
    return pd.DataFrame(rows, columns=list(GUILTY_COLUMNS))


def _join(maker: dict[Hashable, Any], keeper: dict[Hashable, Any] | None) -> dict[Hashable, Any]:
    """One row of the guilty: the keeper of another file with its maker, or the maker alone."""
    if keeper is None or keeper["file"] == maker["file"]:
        return maker | {"made_file": None, "made_line": None, "made_function": None, "made_share": np.nan}
    return keeper | {f"made_{name}": maker[name] for name in ("file", "line", "function", "share")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """What each line of a run held in each snapshot.

    ``sizes`` (t, m) are 0 and ``blocks`` (t, m) NaN where a snapshot does not list the line; ``places`` (m,) are its
    file, line, function and the id of its largest site.
    """

    elapsed_s: FloatArray
    sizes: FloatArray
    blocks: FloatArray
    is_listed: NDArray[np.bool_]
    places: pd.DataFrame


def _rank_run(run: pd.DataFrame, *, service: Any, run_id: Any) -> pd.DataFrame:
    lines = _tabulate(run)
    if not lines.elapsed_s.size:
        return pd.DataFrame(columns=list(RANK_COLUMNS))
    judged = _judged_snapshots(lines.elapsed_s)
    matrix, times = lines.sizes[judged], lines.elapsed_s[judged]
    slopes = _theil_sen_slopes(times, matrix)
    growth = slopes * (times[-1] - times[0])
    all_growth = float(growth[growth > 0].sum())
    share = np.clip(growth, 0, None) / all_growth if all_growth > 0 else np.zeros(growth.size)
    keeper = find_keeper(np.where(lines.is_listed[judged], matrix, np.nan), lines.blocks[judged], share)
    ranked = lines.places.assign(
        service=service,
        run_id=run_id,
        first_bytes=matrix[0],
        last_bytes=matrix[-1],
        growth_bytes=growth,
        slope_bytes_per_s=slopes,
        share=share,
        is_keeper=np.arange(growth.size) == (-1 if keeper is None else keeper),
    )
    order = ["growth_bytes", "last_bytes", "file", "line"]
    return ranked.sort_values(order, ascending=[False, False, True, True])[list(RANK_COLUMNS)]


def _tabulate(run: pd.DataFrame) -> _Lines:
    """Add the sites of a run up by line and snapshot.

    Rows without file, line, time or size say nothing, and a row that is there twice counts once.
    """
    told = run.dropna(subset=["timestamp", "file", "line", "size_bytes"])
    told = told.assign(size=known_floats(told, "size_bytes"), blocks=known_floats(told, "live_allocations"))
    told = told.drop_duplicates(["timestamp", "site_id", "file", "line", "size", "blocks"])
    when, moments = pd.factorize(pd.to_datetime(told["timestamp"], utc=True), sort=True)
    places = told.groupby(["file", "line"], sort=True)
    where = places.ngroup().to_numpy()
    shape = len(moments), places.ngroups
    cell = when * places.ngroups + where
    listed = np.bincount(cell, minlength=len(moments) * places.ngroups) > 0

    def add_up(values: FloatArray) -> FloatArray:
        sums: FloatArray = np.bincount(cell, weights=values, minlength=listed.size).astype(np.float64)
        return sums.reshape(shape)

    largest = told.sort_values("size", kind="stable").drop_duplicates(["file", "line"], keep="last")
    return _Lines(
        elapsed_s=np.asarray((moments - moments.min()).total_seconds(), dtype=np.float64),
        sizes=add_up(told["size"].to_numpy()),
        blocks=np.where(listed.reshape(shape), add_up(told["blocks"].to_numpy()), np.nan),
        is_listed=listed.reshape(shape),
        places=largest.sort_values(["file", "line"])[["file", "line", "site_id", "function"]].reset_index(drop=True),
    )


def _judged_snapshots(elapsed_s: FloatArray) -> NDArray[np.intp]:
    judged = np.flatnonzero(elapsed_s >= WARM_UP_SHARE * elapsed_s[-1])
    if judged.size < 3:
        judged = np.arange(elapsed_s.size)
    if judged.size > MOST_SNAPSHOTS:
        judged = judged[np.linspace(0, judged.size - 1, MOST_SNAPSHOTS).round().astype(int)]
    return judged


def _theil_sen_slopes(times: FloatArray, matrix: FloatArray) -> FloatArray:
    """Median pairwise slope of each column; zeros when there is only one snapshot."""
    if times.size < 2:
        return np.zeros(matrix.shape[1])
    later, earlier = np.triu_indices(times.size, k=1)
    return np.median((matrix[earlier] - matrix[later]) / (times[earlier] - times[later])[:, None], axis=0)
