"""Which line is responsible for each leak, and what holds it.

The line is the one of the user's code that retains what leaked, or for which most of it is allocated. What holds it are
the chains of references that the recorder found.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from memanalysis.analysis.thresholds import Thresholds
from memanalysis.analysis.verdict import Reason, VerdictFrame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SiteSource", "TableSource", "find_responsible", "read_table"]

TableSource: TypeAlias = "pd.DataFrame | Callable[[], pd.DataFrame] | None"
"""A table, what reads it, or nothing."""

SiteSource: TypeAlias = "pd.DataFrame | Callable[[Sequence[str | None]], pd.DataFrame] | None"
"""The table ``sites``, what reads its rows of some runs, or nothing."""

_SOURCES = {f"responsible_{name}": name for name in ("file", "line", "function", "share")} | {
    name: name for name in ("allocated_file", "allocated_line", "allocated_function", "allocated_share")
}
"""Columns of a verdict by those of ``pick_responsible_lines``."""

_REASONS = {
    "allocates": Reason.ALLOCATED_BY_LINE,
    "calls": Reason.ALLOCATED_FOR_LINE,
    "retains": Reason.RETAINED_BY_LINE,
}
"""Reasons by the role of the line that is named."""


def find_responsible(
    frame: VerdictFrame, thresholds: Thresholds, *, sites: SiteSource = None, events: TableSource = None
) -> VerdictFrame:
    """Add to each leak the line that is responsible for it, and what holds it.

    Parameters
    ----------
    frame : VerdictFrame
        Verdicts with ``is_leak`` and ``reasons``, and where there are sites ``service`` and ``run_id``.
    thresholds : Thresholds
        The numbers to judge by; its groups ``site`` and ``retainer``.
    sites : DataFrame or callable, optional
        Rows of the table ``sites``; a callable is given the ids of the runs that leak.
    events : DataFrame or callable, optional
        Rows of the table ``events``: those of kind ``holders`` have the chains that hold what grows.

    Returns
    -------
    VerdictFrame
        With the columns ``responsible_``, ``allocated_`` and ``held_by``, None where that is not known. A native leak
        has no line where little of it is traced.
    """
    leaks = np.flatnonzero(frame["is_leak"])
    columns = {name: np.full(len(frame["is_leak"]), None, dtype=object) for name in _SOURCES}
    reasons = frame["reasons"].copy()
    table = _read_sites(sites, frame, leaks) if leaks.size else None
    if table is not None and len(table):
        lines = _lines_of_runs(frame, leaks, table, thresholds)
        for i in leaks.tolist():
            line = lines.get(_run_key(frame, i))
            if line is None or not _explains(frame, i, line, thresholds.origin.min_traced_share):
                continue
            for name, source in _SOURCES.items():
                columns[name][i] = line[source]
            reasons[i] = (*reasons[i], _REASONS[line["role"]])
    columns["held_by"] = np.full(len(frame["is_leak"]), None, dtype=object)
    chains = _chains_of_runs(read_table(events) if leaks.size and "service" in frame else None)
    for i in leaks.tolist() if chains else ():
        if (chain := chains.get(_run_key(frame, i))) is not None:
            columns["held_by"][i] = chain
            reasons[i] = (*reasons[i], Reason.HELD_BY_CHAIN)
    return frame | columns | {"reasons": reasons}


def _explains(frame: VerdictFrame, i: int, line: Mapping[Any, Any], min_share: float) -> bool:
    """Return whether what is traced is a part of the growth worth a line.

    Of what is not native it is taken to be, where more than one table shows that it grows.
    """
    has_one_table = bool(np.isnan(line["slope_bytes_per_s"]))
    if "origin" not in frame or (frame["origin"][i] != "native" and not has_one_table):
        return True
    part = max(line["share"], 1e-9)
    if np.isfinite(frame["window_rss_growth_bytes"][i]):
        grown, traced = frame["window_rss_growth_bytes"][i], frame["window_retained_bytes"][i]
    elif has_one_table:
        grown, traced = frame["growth_bytes"][i], line["fitted_growth_bytes"] / part
    else:
        grown, traced = frame["slope_bytes_per_s"][i], line["slope_bytes_per_s"] / part
    return bool(traced >= min_share * grown)


def _chains_of_runs(events: "pd.DataFrame | None") -> dict[tuple[Any, Any], str]:
    """Return by service and run the most common chain of references, of the last time that they were looked for."""
    if events is None or not {"service", "run_id", "kind", "data", "timestamp"} <= set(events):
        return {}
    from memanalysis.analysis.input_frames import run_key

    found = events[events["kind"] == "holders"].sort_values("timestamp", kind="stable")
    chains: dict[tuple[Any, Any], str] = {}
    for row in found.to_dict("records"):
        if (chain := _read_chain(row["data"])) is not None:
            chains[run_key(row)] = chain
    return chains


def _read_chain(data: Any) -> str | None:
    """Return the first chain of a ``holders`` event, None where its data is no such list."""
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            return None
    first = data[0] if isinstance(data, list) and data else None
    chain = first.get("chain") if isinstance(first, dict) else None
    return chain if isinstance(chain, str) and chain else None


def read_table(source: TableSource) -> "pd.DataFrame | None":
    """Return the table, read now where it was not yet."""
    return source() if callable(source) else source


def _read_sites(source: SiteSource, frame: VerdictFrame, leaks: Any) -> "pd.DataFrame | None":
    """Return the table, read now of the runs that leak where it was not yet."""
    return source(list(dict.fromkeys(frame["run_id"][leaks].tolist()))) if callable(source) else source


def _lines_of_runs(
    frame: VerdictFrame, leaks: Any, sites: "pd.DataFrame", thresholds: Thresholds
) -> dict[tuple[Any, Any], dict[Any, Any]]:
    """Return by service and run the line that is responsible."""
    import pandas as pd

    from memanalysis.analysis.input_frames import require_columns, run_key
    from memanalysis.analysis.leaks.site_ranking import count_from_start, pick_responsible_lines, rank_sites

    runs = pd.Series(frame["run_id"][leaks], dtype=object)
    if "run_id" not in sites and runs.isna().all():  # the samples have none either
        sites = sites.assign(run_id=None)
    require_columns("assess", sites, ["service", "run_id"])
    nameless = sites["run_id"].isna() & bool(runs.isna().any())
    own = sites[sites["run_id"].isin(runs.dropna()) | nameless]
    ranked = count_from_start(rank_sites(own, thresholds=thresholds), own)
    ranked = _without_loaded(ranked, frame, leaks, thresholds)
    rows = pick_responsible_lines(ranked).to_dict("records")
    for row in rows:
        for name in ("function", "allocated_function"):
            row[name] = row[name] if isinstance(row[name], str) else None
    return {run_key(row): row for row in rows}


def _without_loaded(ranked: "pd.DataFrame", frame: VerdictFrame, leaks: Any, thresholds: Thresholds) -> "pd.DataFrame":
    """Return the ranking without lines that hold far more in their only table than leaked: what was loaded at first."""
    import pandas as pd

    from memanalysis.analysis.input_frames import run_key

    if "growth_bytes" not in frame:
        return ranked
    most = {_run_key(frame, i): thresholds.site.max_held_of_growth * frame["growth_bytes"][i] for i in leaks.tolist()}
    bounds = [most.get(run_key(row), np.nan) for row in ranked[["service", "run_id"]].to_dict("records")]
    is_loaded = ranked["slope_bytes_per_s"].isna() & (
        ranked["fitted_growth_bytes"] > pd.Series(bounds, index=ranked.index)
    )
    return ranked[~is_loaded]


def _run_key(frame: VerdictFrame, i: int) -> tuple[Any, Any]:
    from memanalysis.analysis.input_frames import run_key

    return run_key({"service": frame["service"][i], "run_id": frame["run_id"][i]})
