"""The day on which each service reaches its limit, if it goes on as it does; none for what has ended."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from memanalysis.analysis.budgets.breach_forecast import LATEST, forecast_breaches
from memanalysis.analysis.budgets.budget_breaches import Budget

__all__ = ["FORECAST_COLUMNS", "forecast_services"]

FORECAST_COLUMNS = ("service", "run_id", "limit_bytes", "method", "next", "next_low", "next_high")
"""``growth`` extends a leak, ``recurrence`` what came and went. ``next_low`` and ``next_high`` are the ends of the 90 %
interval; NaT where it has none."""


def forecast_services(
    services: pd.DataFrame,
    latest: pd.DataFrame,
    verdicts: pd.DataFrame,
    samples: pd.DataFrame,
    budgets: Mapping[str, Budget],
) -> pd.DataFrame:
    """Return when each service that goes on reaches its budget or limit, the soonest first.

    Parameters
    ----------
    services : DataFrame
        ``service`` of those that are forecast.
    latest : DataFrame
        The latest runs, with ``last`` and ``is_running``.
    verdicts : DataFrame
        As `assess` gives them.
    samples : DataFrame
        What comes and goes is forecast from these.
    budgets : mapping
        The budget of each service that has one.
    """
    running = latest[latest["is_running"] & latest["service"].isin(services["service"])]
    ends = running.set_index(["service", "run_id"])["last"].to_dict()
    rows = []
    leaks = verdicts[verdicts["is_leak"].astype(bool) & verdicts["time_to_exhaustion_s"].notna()]
    for row in leaks.to_dict("records"):
        run_id = row["family_id"] if row["role"] == "family" else row["run_id"]
        if (row["service"], run_id) in ends:
            last = ends[row["service"], run_id]
            times = (row[f"time_to_exhaustion_{end}s"] for end in ("", "low_", "high_"))
            moments = [_find_moment(last, float(in_s)) for in_s in times]
            rows.append((row["service"], run_id, row["limit_bytes"], "growth", *moments))
    own = samples.merge(running[["service", "run_id"]], on=["service", "run_id"])
    own = own[~own["service"].isin({row[0] for row in rows})]
    if budgets and not own.empty:
        returns = forecast_breaches(own, budgets)
        returns = returns[(returns["method"] == "recurrence") & (returns["level"] == "budget")]
        rows += returns[list(FORECAST_COLUMNS)].itertuples(index=False, name=None)
    frame = pd.DataFrame(rows, columns=list(FORECAST_COLUMNS))
    for name in ("next", "next_low", "next_high"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    known = frame[frame["next"].notna()].sort_values(["next", "service"], kind="stable")
    return known.drop_duplicates("service").reset_index(drop=True)


def _find_moment(last: pd.Timestamp, in_s: float) -> Any:
    """Return the moment this many seconds after the last sample; NaT where it is never, or beyond any calendar."""
    if not in_s < (LATEST - last).total_seconds():
        return pd.NaT
    return (last + pd.Timedelta(seconds=in_s)).round("s")
