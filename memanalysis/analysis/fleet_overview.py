"""What the verdicts on many services show together: what grows most, which budget breaks first, which leaks are new.

And which processes differ from their peers: runs of one service should use about the same memory.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.leak_pivot import LeakPivot
from memanalysis.analysis.leaks.accepted_leaks import are_unaccepted
from memanalysis.analysis.row_statistics import MAD_TO_SIGMA
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, PeerThresholds

__all__ = ["FleetOverview", "summarize_fleet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOverview:
    """What a fleet shows as a whole; every frame has the worst first.

    Parameters
    ----------
    pivot : LeakPivot
        Which label explains the leaks.
    budgets : DataFrame
        Leaking services by the time to the limit of their first run: ``service, run_id, host, limit_bytes,
        time_to_exhaustion_s`` and the ends of its interval.
    growth : DataFrame
        Leaking services by what their runs grow together: ``service, runs, leaking_runs, slope_bytes_per_s``.
    leaks : DataFrame
        New leaks by line, over all services: ``file, line, function, services, runs, hosts, slope_bytes_per_s,
        fingerprints``. File, line and function are None where no line is known.
    peers : DataFrame
        Runs whose memory differs from that of the other runs of their service: ``service, run_id, host, latest_bytes,
        median_bytes, peers``.
    """

    pivot: LeakPivot
    budgets: pd.DataFrame
    growth: pd.DataFrame
    leaks: pd.DataFrame
    peers: pd.DataFrame


def summarize_fleet(
    verdicts: pd.DataFrame,
    hosts: pd.DataFrame,
    pivot: LeakPivot,
    *,
    rules: PeerThresholds = DEFAULT_THRESHOLDS.peer,
) -> FleetOverview:
    """Return what the verdicts show together.

    Parameters
    ----------
    verdicts : DataFrame
        As `assess` gives them.
    hosts : DataFrame
        ``service``, ``run_id`` and ``host`` of each run.
    pivot : LeakPivot
        What explains the leaks of the same runs.
    rules : PeerThresholds, optional
        When a run differs.

    Notes
    -----
    A run differs by the modified z-score of Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers, ASQC.
    """
    runs = verdicts[~verdicts["role"].eq("family").fillna(value=False).astype(bool)]
    runs = runs.merge(hosts[["service", "run_id", "host"]], on=["service", "run_id"], how="left")
    leaks = runs[runs["is_leak"].astype(bool) & are_unaccepted(runs)]
    return FleetOverview(
        pivot=pivot,
        budgets=_find_first_budgets(leaks),
        growth=_find_top_growth(runs, leaks),
        leaks=_find_new_leaks(leaks),
        peers=_find_different_peers(runs, rules),
    )


def _find_first_budgets(leaks: pd.DataFrame) -> pd.DataFrame:
    """Return of each service the run that reaches its limit first."""
    times = [f"time_to_exhaustion{end}_s" for end in ("", "_low", "_high")]
    known = leaks[np.isfinite(leaks[times[0]].astype(float)) & ~leaks["has_ended"].astype(bool)]
    columns = ["service", "run_id", "host", "limit_bytes", *times]
    return known.sort_values(times[0], kind="stable").drop_duplicates("service")[columns].reset_index(drop=True)


def _find_top_growth(runs: pd.DataFrame, leaks: pd.DataFrame) -> pd.DataFrame:
    """Return what the leaking runs of a service grow by together: those that go on, or all where none does."""
    lives = ~leaks["has_ended"].astype(bool)
    grouped = leaks[lives | ~leaks["service"].isin(leaks.loc[lives, "service"])].groupby("service")["slope_bytes_per_s"]
    found = grouped.agg(leaking_runs="size", slope_bytes_per_s="sum").reset_index()
    found.insert(1, "runs", found["service"].map(runs.groupby("service").size()))
    return found.sort_values("slope_bytes_per_s", ascending=False, kind="stable", ignore_index=True)


def _find_new_leaks(leaks: pd.DataFrame) -> pd.DataFrame:
    """Return a row a line; where no line is known, a fingerprint is one."""
    place = ["responsible_file", "responsible_line", "responsible_function"]
    keys = leaks["fingerprint"].where(leaks["responsible_file"].isna(), None)
    rows: list[dict[str, Any]] = []
    for _, own in leaks.groupby([keys.rename("_key"), *place], dropna=False, sort=False):
        first = own.iloc[0]
        rows.append(
            {
                "file": first["responsible_file"],
                "line": first["responsible_line"],
                "function": first["responsible_function"],
                "services": sorted(own["service"].unique()),
                "runs": len(own),
                "hosts": int(own["host"].nunique()),
                "slope_bytes_per_s": float(own["slope_bytes_per_s"].sum()),
                "fingerprints": sorted(own["fingerprint"].dropna().unique()),
            }
        )
    columns = ["file", "line", "function", "services", "runs", "hosts", "slope_bytes_per_s", "fingerprints"]
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values(["runs", "slope_bytes_per_s"], ascending=False, kind="stable", ignore_index=True)


def _find_different_peers(runs: pd.DataFrame, rules: PeerThresholds) -> pd.DataFrame:
    known = runs[runs["latest_bytes"].notna() & runs["shape"].ne("inconclusive")]
    levels = known["latest_bytes"].astype(float)
    medians = levels.groupby(known["service"]).transform("median")
    away = (levels - medians).abs()
    spread = away.groupby(known["service"]).transform("median") * MAD_TO_SIGMA
    counts = levels.groupby(known["service"]).transform("size")
    is_far = (away > rules.min_z_score * spread) & (away >= rules.min_share * medians)
    found = known.assign(median_bytes=medians, peers=counts - 1, away=away / medians)
    found = found[is_far & (counts > rules.min_peers)].sort_values("away", ascending=False, kind="stable")
    return found[["service", "run_id", "host", "latest_bytes", "median_bytes", "peers"]].reset_index(drop=True)
