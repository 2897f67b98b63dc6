"""Which line held what a run had when it ended, and how much: also after one table or one tracing window.

"Held at the end" is what the line holds, in bytes. The sampler and tracemalloc count that since the start of the run.
"Growth" is that less what the line held in the first table that is judged, or all of it where there is one table.
Tracing windows see what survived them alone, so there the line's part of their growth is taken of all growth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.input_frames import finite_float, known_floats
from memanalysis.analysis.leaks.library_files import is_library_file
from memanalysis.analysis.leaks.site_ranking import count_from_start, pick_responsible_lines, rank_sites
from memanalysis.analysis.leaks.user_lines import use_user_lines
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS

__all__ = ["HeldLine", "estimate_held_bytes", "find_held_line", "grew_outside_python", "use_held_bytes"]

MAX_CALLERS = 2

MIN_SHARE = 0.05
"""A line that holds a smaller part of the growth is not named for it."""


MIN_SHOWN_SHARE = 0.01
"""Tables that show less than this part of the growth of memory came after it: the threshold of drift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLine:
    """The line that explains most of what a run held.

    Parameters
    ----------
    file, line, function
        Of the line to change.
    allocated : (str, int) or None
        The line that allocates, where that is another one.
    held_bytes : float or None
        What it holds at the end of the run.
    share : float
        Its part of what all lines grew by, 0 to 1.
    callers : tuple of (str, int)
        Lines of the user's own code that called it, the nearest first: one of them may keep what it makes.
    """

    file: str
    line: int
    function: str | None
    allocated: tuple[str, int] | None
    held_bytes: float | None
    share: float
    callers: tuple[tuple[str, int], ...] = ()


def find_held_line(
    sites: pd.DataFrame, samples: pd.DataFrame, events: pd.DataFrame, *, trace: str | None
) -> HeldLine | None:
    """Return the line that explains most of what a run held at its end; None where no table names one.

    Parameters
    ----------
    sites, samples, events : DataFrame
        Of the run.
    trace : str or None
        What found the lines: a cell of ``runs``.
    """
    sites = use_user_lines(sites)
    if sites.empty:
        return None
    ranked = count_from_start(rank_sites(sites), sites)
    if trace in ("sampled", "full") and not _shows_growth(ranked, samples):
        last = sites[sites["timestamp"] == sites["timestamp"].max()]
        ranked = count_from_start(rank_sites(last), last)
    picked = pick_responsible_lines(ranked)
    if picked.empty:
        return None
    row: Mapping[Any, Any] = picked.iloc[0].to_dict()
    is_retainer = row["role"] == "retains"
    share = float(row["allocated_share"] if is_retainer else row["share"])
    holder = (row["allocated_file"], row["allocated_line"]) if is_retainer else (row["file"], row["line"])
    allocated = (row["allocated_file"], row["allocated_line"])
    is_other = isinstance(allocated[0], str) and allocated != (row["file"], row["line"])
    estimate = estimate_held_bytes(sites, samples, events, trace=trace)
    if share < MIN_SHARE or pd.isna(row["line"]):
        return None
    return HeldLine(
        file=str(row["file"]),
        line=int(row["line"]),
        function=row["function"] if isinstance(row["function"], str) else None,
        allocated=(str(allocated[0]), int(allocated[1])) if is_other else None,
        held_bytes=estimate.get((holder[0], int(holder[1]))),
        share=share,
        callers=_find_callers(sites, str(row["file"]), int(row["line"])),
    )


def _shows_growth(ranked: pd.DataFrame, samples: pd.DataFrame) -> bool:
    """Return whether the growth between tables is a part worth naming of what memory grew by in the run.

    It is none where memory grew before the first table. Tables have what was allocated since the start, so then the
    last one shows the growth of each line.
    """
    rss = known_floats(samples, "rss_bytes")
    known = rss[np.isfinite(rss)]
    grown = float(known[-1] - known[0]) if known.size else 0.0
    shown = float(ranked["fitted_growth_bytes"].clip(lower=0).sum())
    return grown <= 0 or shown >= MIN_SHOWN_SHARE * grown


def grew_outside_python(samples: pd.DataFrame, events: pd.DataFrame, *, trace: str | None) -> bool:
    """Return whether resident memory grew, and what Python allocates much less; False where that is not known.

    Parameters
    ----------
    samples, events : DataFrame
        Of the run.
    trace : str or None
        What followed Python's allocations: a cell of ``runs``.

    Notes
    -----
    The share and the error of the sampler are those by which a verdict calls growth native.
    """
    rule = DEFAULT_THRESHOLDS.origin
    if trace == "windows":
        grown, python = (_sum_over_windows(events, name) for name in ("rss_growth_bytes", "survived_bytes"))
        return grown > 0 and python < rule.min_share * grown
    rss = known_floats(samples, "rss_bytes")
    for column in ("traced_bytes", "sampled_bytes"):
        followed = known_floats(samples, column)
        at = np.flatnonzero(np.isfinite(rss) & np.isfinite(followed))
        if at.size > 1:
            grown, python = (float(values[at[-1]] - values[at[0]]) for values in (rss, followed))
            is_sampled = column == "sampled_bytes"
            error = rule.sampling_sigmas * (rule.sampling_interval_bytes * max(grown, 0.0)) ** 0.5 * is_sampled
            return grown > 0 and python + error < rule.min_share * grown
    return False


def _find_callers(sites: pd.DataFrame, file: str, line: int) -> tuple[tuple[str, int], ...]:
    """Return the user's lines above a line, in the stack that held the most in the last table.

    A comprehension is a frame of its own on Python 3.11, in the same line: that is no other one.
    """
    there = sites[(sites["file"] == file) & (sites["line"] == line)]
    if there.empty or "traceback" not in there:
        return ()
    row = there[there["timestamp"] == there["timestamp"].max()].nlargest(1, "size_bytes")
    frames = row["traceback"].iloc[0] if len(row) else None
    if not isinstance(frames, list):
        return ()
    places = [(str(frame[0]), int(frame[1])) for frame in frames if isinstance(frame, list) and len(frame) >= 2]
    if (file, line) not in places:
        return ()
    own = places[: len(places) - 1 - places[::-1].index((file, line))]
    others = dict.fromkeys(place for place in own[::-1] if place != (file, line))
    return tuple(place for place in others if place[0] and not is_library_file(place[0]))[:MAX_CALLERS]


def estimate_held_bytes(
    sites: pd.DataFrame, samples: pd.DataFrame, events: pd.DataFrame, *, trace: str | None
) -> dict[tuple[str, int], float]:
    """Return what each line holds at the end of a run, by file and line.

    Tables may be a minute old when a run ends: what memory grew by since the last one is shared out among the lines
    as the growth was before. Where it is not known how the tables came about, a line holds what the last one has.
    """
    times, rss = samples["timestamp"], known_floats(samples, "rss_bytes")
    known = np.flatnonzero(np.isfinite(rss) & times.notna().to_numpy())
    sums = sites.groupby(["timestamp", "file", "line"], dropna=True)["size_bytes"].sum()
    if not len(sums):
        return {}
    moments = sums.index.get_level_values(0)
    last_moment = moments.max()
    last = sums.xs(last_moment, level=0).astype(float)
    total = float(last.sum())
    if trace == "windows":
        seen = _sum_over_windows(events, "rss_growth_bytes")
        grown = float(rss[known].max() - rss[known[0]]) if known.size else np.nan
        factor = grown / max(total, seen) if grown > 0 and total > 0 else np.nan
        held = last * factor if np.isfinite(factor) else last * np.nan
    elif trace is None:
        held = last
    else:
        held = last
        before = known[times.iloc[known].to_numpy() <= last_moment] if known.size else known
        since = float(rss[known[-1]] - rss[before[-1]]) if before.size else 0.0
        if since > 0 and known[-1] != before[-1]:
            first = sums.xs(moments.min(), level=0).astype(float) if moments.nunique() > 1 else last * 0.0
            growth = (last - first.reindex(last.index, fill_value=0.0)).clip(lower=0.0)
            if growth.sum() > 0:
                followed = _read_growth_since(samples, last_moment)
                more = min(since, float(growth.sum()) if followed is None else max(0.0, followed))
                held = held + more * growth / growth.sum()
    known_sizes = held.dropna().reset_index(name="size_bytes").to_dict("records")
    return {(str(row["file"]), int(row["line"])): float(row["size_bytes"]) for row in known_sizes}


def _read_growth_since(samples: pd.DataFrame, moment: pd.Timestamp) -> float | None:
    """Return by how much what Python allocates grew after a moment; None where tracing and sampling do not show it."""
    for column in ("traced_bytes", "sampled_bytes"):
        known = samples[samples[column].notna() & samples["timestamp"].notna()] if column in samples else samples[:0]
        before = known[known["timestamp"] <= moment]
        if len(before):
            return float(known[column].iloc[-1]) - float(before[column].iloc[-1])
    return None


def use_held_bytes(
    shown: pd.DataFrame, sites: pd.DataFrame, samples: pd.DataFrame, events: pd.DataFrame, *, trace: str | None
) -> pd.DataFrame:
    """Return lines with what they hold at the end of the run, and what they grew by until then.

    Parameters
    ----------
    shown : DataFrame
        As `rank_sites` gives them.
    sites, samples, events : DataFrame
        Of the run.
    trace : str or None
        What found the lines: a cell of ``runs``. Where it is not known, nor is how the tables came about, and nothing
        is changed.

    Returns
    -------
    DataFrame
        Columns of `shown`, and ``last_table``, the moment of the last one.
        ``last_bytes`` is held at the end, and ``growth_bytes`` is that less ``first_bytes``:
        ``judged_to`` is the last sample. Where the program freed much before its last table, growth is up to the table
        before. Of windows, what survived them shows neither how much a line grew nor how much it held: both are the
        estimate, from the start on.
    """
    last_table = pd.to_datetime(sites["timestamp"], utc=True).max()
    shown = shown.assign(last_table=last_table)
    if trace is None or sites.empty:
        return shown
    held = estimate_held_bytes(sites, samples, events, trace=trace)
    sizes = [held.get((file, line), np.nan) for file, line in zip(shown["file"], shown["line"], strict=True)]
    known = pd.Series(sizes, index=shown.index, dtype="float64")
    is_to_end = shown["judged_to"] == last_table
    end = max(shown["judged_to"].max(), samples["timestamp"].max()) if len(samples) else shown["judged_to"]
    if trace == "windows":
        unknown = pd.Series(pd.NaT, index=shown.index)
        used = shown.assign(first_bytes=0.0, last_bytes=known, growth_bytes=known, judged_from=unknown, judged_to=end)
        return used.assign(peak_bytes=known) if "peak_bytes" in shown else used
    first, judged_last = (shown[name].astype("float64") for name in ("first_bytes", "last_bytes"))
    last = known.fillna(judged_last)
    used = shown.assign(
        last_bytes=last,
        growth_bytes=last.where(is_to_end, judged_last) - first,
        judged_to=shown["judged_to"].where(~is_to_end, end),
    )
    return (
        used.assign(peak_bytes=shown["peak_bytes"].astype("float64").clip(lower=last))
        if "peak_bytes" in shown
        else used
    )


def _sum_over_windows(events: pd.DataFrame, name: str) -> float:
    """Return what the tracing windows of a run measured, in bytes, where that is above zero."""
    data = [row for row in events.loc[events["kind"] == "window", "data"] if isinstance(row, Mapping)]
    known = [finite_float(row.get(name)) for row in data]
    return float(sum(size for size in known if size is not None and size > 0))
