"""The day on which each service reaches its limit, if it goes on as it does; none for what has ended."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from memanalysis.analysis.budgets.breach_forecast import LATEST, forecast_breaches
from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.verdicts.family_runs import list_runs
from memanalysis.verdicts.part_verdicts import pick_runs

__all__ = ["FORECAST_COLUMNS", "find_returns", "forecast_services"]

FORECAST_COLUMNS = ("service", "run_id", "limit_bytes", "method", "next", "next_low", "next_high")
"""``growth`` extends a leak, ``recurrence`` what came and went. ``next_low`` and ``next_high`` are the ends of the 90 %
interval; NaT where it has none."""


def find_returns(samples: pd.DataFrame, running: pd.DataFrame, budgets: Mapping[str, Budget]) -> pd.DataFrame:
    """Return when runs that come and go reach their budget, as ``FORECAST_COLUMNS`` in the order of the runs.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples``.
    running : DataFrame
        ``service`` and ``run_id`` of the runs that go on; of others nothing is forecast.
    budgets : mapping
        The budget of each service that has one.
    """
    own = pick_runs(samples, running) if budgets else samples.iloc[:0]
    if own.empty:
        return pd.DataFrame(columns=list(FORECAST_COLUMNS))
    returns = forecast_breaches(own, budgets)
    returns = returns[(returns["method"] == "recurrence") & (returns["level"] == "budget")]
    return returns[list(FORECAST_COLUMNS)].reset_index(drop=True)


def forecast_services(
    services: pd.DataFrame, latest: pd.DataFrame, verdicts: pd.DataFrame, returns: pd.DataFrame
) -> pd.DataFrame:
    """Return when each service that goes on reaches its budget or limit, the soonest first.

    Parameters
    ----------
    services : DataFrame
        ``service`` of those that are forecast.
    latest : DataFrame
        The latest runs, with ``last`` and ``is_running``.
    verdicts : DataFrame
        As `assess` gives them. A family without a recorded master goes on while one of its members does, and has the
        run of the one that was recorded last.
    returns : DataFrame
        As `find_returns` gives them. They count where a service has no leak.
    """
    running = latest[latest["is_running"] & latest["service"].isin(services["service"])]
    ends = running.set_index(["service", "run_id"])["last"].to_dict()
    rows = []
    is_dated = (verdicts["is_leak"].astype(bool) & verdicts["time_to_exhaustion_s"].notna()).to_list()
    for row, runs, is_wanted in zip(verdicts.to_dict("records"), list_runs(verdicts), is_dated, strict=True):
        going_on = [key for key in runs if key in ends] if is_wanted else []
        if going_on:
            run_id = max(going_on, key=lambda key: (ends[key], key[1]))[1]
            last = ends[row["service"], run_id]
            times = (row[f"time_to_exhaustion_{end}s"] for end in ("", "low_", "high_"))
            moments = [_find_moment(last, float(in_s)) for in_s in times]
            rows.append((row["service"], run_id, row["limit_bytes"], "growth", *moments))
    are_left = returns["service"].isin(services["service"]) & ~returns["service"].isin({row[0] for row in rows})
    rows += returns[are_left].itertuples(index=False, name=None)
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
