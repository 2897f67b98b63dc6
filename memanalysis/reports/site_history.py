"""Choose the lines of code worth showing of one run, and read what they held over time.

Where memory leaks, those that grow; else those that held the most at any time. Sizes are bytes that tracemalloc
followed.
"""

import numpy as np
import pandas as pd

__all__ = ["choose_sites", "read_site_lines"]

MAX_SITES = 10

MIN_SHARE = 0.01
"""A line that has less than this share of the growth, or of what the largest line held, is left out."""

MAX_SITE_LINES = 5
"""More lines than this in one chart cannot be distinguished."""

MAX_SNAPSHOTS = 60
"""A site's line is drawn through at most this many snapshots."""


def choose_sites(ranked: pd.DataFrame, sites: pd.DataFrame, *, is_leak: bool) -> pd.DataFrame:
    """Take the leading lines of code of one run.

    Parameters
    ----------
    ranked : DataFrame
        Lines of the run as `rank_sites` gives them, most growth first.
    sites : DataFrame
        Rows of the table ``sites`` of the run.

    Returns
    -------
    DataFrame
        Columns of `ranked` and ``peak_bytes``, the most that the line held in a snapshot; one row at least where there
        are any. The line that retains what leaked is the last row where it would else be left out.
    """
    by_snapshot = sites.groupby(["file", "line", "timestamp"], dropna=False)["size_bytes"].sum()
    peaks = by_snapshot.groupby(["file", "line"], dropna=False).max().rename("peak_bytes").reset_index()
    with_peaks = ranked.merge(peaks, on=["file", "line"], how="left")
    if is_leak:
        leading = with_peaks["share"] >= MIN_SHARE
    else:
        with_peaks = with_peaks.sort_values("peak_bytes", ascending=False, kind="stable")
        leading = with_peaks["peak_bytes"] >= MIN_SHARE * with_peaks["peak_bytes"].max()
    shown = leading.to_numpy(dtype=bool, na_value=False) | (np.arange(len(with_peaks)) == 0)
    leaders: pd.DataFrame = with_peaks.loc[shown].head(MAX_SITES)
    retainers = with_peaks[with_peaks["is_retainer"].astype(bool) & ~with_peaks.index.isin(leaders.index)]
    return pd.concat([leaders.head(MAX_SITES - 1), retainers]) if is_leak and len(retainers) else leaders


def read_site_lines(sites: pd.DataFrame, samples: pd.DataFrame, ranked: pd.DataFrame) -> pd.DataFrame:
    """Sizes of the first few ranked lines of code, snapshot by snapshot.

    Returns
    -------
    DataFrame
        ``file, line, elapsed_s, size_bytes``; a line that a snapshot does not list held nothing then. Empty when there
        is but one snapshot, which is no line.
    """
    columns = ["file", "line", "elapsed_s", "size_bytes"]
    if sites.empty or ranked.empty or sites["timestamp"].nunique() < 2:
        return pd.DataFrame(columns=columns)
    sizes = sites.pivot_table(
        index="timestamp", columns=["file", "line"], values="size_bytes", aggfunc="sum", fill_value=0
    )
    if len(sizes) > MAX_SNAPSHOTS:
        sizes = sizes.iloc[np.linspace(0, len(sizes) - 1, MAX_SNAPSHOTS).round().astype(int)]
    start = min(samples["timestamp"].min(), sizes.index[0]) if len(samples) else sizes.index[0]
    elapsed_s = (sizes.index - start).total_seconds().to_numpy(dtype=np.float64)
    pieces = [
        pd.DataFrame(
            {"file": file, "line": line, "elapsed_s": elapsed_s, "size_bytes": sizes[(file, line)].to_numpy(np.float64)}
        )
        for file, line in ranked[["file", "line"]].head(MAX_SITE_LINES).itertuples(index=False, name=None)
    ]
    return pd.concat(pieces, ignore_index=True)
