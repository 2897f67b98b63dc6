"""Which allocation sites carry the growth: ranked by the slope of each over the snapshots of a run."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.analysis.frames import require_columns
from memanalysis.analysis.series import FloatArray

__all__ = ["RANK_COLUMNS", "find_guilty", "rank_sites"]

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
)
"""Columns of the frame that ``rank_sites`` gives."""

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
        growth in the run, between 0 and 1.

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
    """Pick the line that is named for each run: the first of the file whose lines grew most together.

    Parameters
    ----------
    ranked : DataFrame
        What ``rank_sites`` gives.

    Returns
    -------
    DataFrame
        ``RANK_COLUMNS``, at most a row a run; none where nothing grew.

    Notes
    -----
    One leaked object is often built by several lines of one file: a line of a caller that makes much in one place must
    not hide them.
    """
    growing = ranked[ranked["growth_bytes"] > 0]
    of_file = growing.groupby(["service", "run_id", "file"])["growth_bytes"].transform("sum")
    order = growing.assign(of_file=of_file).sort_values("of_file", ascending=False, kind="stable")
    return order.drop_duplicates(["service", "run_id"])[list(RANK_COLUMNS)]


def _rank_run(run: pd.DataFrame, *, service: object, run_id: object) -> pd.DataFrame:
    sizes = run.pivot_table(
        index="timestamp", columns=["file", "line"], values="size_bytes", aggfunc="sum", fill_value=0
    )
    elapsed_s = (sizes.index - sizes.index[0]).total_seconds().to_numpy()
    judged = _judged_snapshots(elapsed_s)
    matrix, times = sizes.to_numpy(dtype=np.float64)[judged], elapsed_s[judged]
    slopes = _theil_sen_slopes(times, matrix)
    growth = slopes * (times[-1] - times[0])
    all_growth = float(growth[growth > 0].sum())
    ranked = pd.DataFrame(
        {
            "service": service,
            "run_id": run_id,
            "file": sizes.columns.get_level_values("file"),
            "line": sizes.columns.get_level_values("line"),
            "first_bytes": matrix[0],
            "last_bytes": matrix[-1],
            "growth_bytes": growth,
            "slope_bytes_per_s": slopes,
            "share": np.clip(growth, 0, None) / all_growth if all_growth > 0 else 0.0,
        }
    )
    largest = run.sort_values("size_bytes").drop_duplicates(["file", "line"], keep="last")
    ranked = ranked.merge(largest[["file", "line", "site_id", "function"]], on=["file", "line"], how="left")
    order = ["growth_bytes", "last_bytes", "file", "line"]
    return ranked.sort_values(order, ascending=[False, False, True, True])[list(RANK_COLUMNS)]


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
