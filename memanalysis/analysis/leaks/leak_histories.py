"""When each leak was seen first and last, and whether it is new, lasts, is gone, or has returned."""

from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.input_frames import require_columns
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.verdict import UNREADABLE

__all__ = ["HISTORY_COLUMNS", "OPEN_STATUSES", "STATUSES", "find_leak_histories"]

STATUSES = ("new", "returned", "lasting", "unseen", "gone")
"""From the one that needs somebody most to the one that needs nobody."""

OPEN_STATUSES = STATUSES[:3]
"""Of a leak that goes on as far as is known."""

_DESCRIBED = (
    "known",
    "severity",
    "slope_bytes_per_s",
    "low_bytes_per_s",
    "high_bytes_per_s",
    "origin",
    "responsible_file",
    "responsible_line",
    "responsible_function",
    "sentence",
)

HISTORY_COLUMNS = (
    "service",
    "fingerprint",
    "status",
    "first_seen",
    "last_seen",
    "gone_since",
    "runs",
    "first_release",
    "last_release",
    "gone_in_release",
    *_DESCRIBED,
)
"""Columns of the frame: a row a leak. What describes it is of the run that showed it last."""


def find_leak_histories(
    verdicts: pd.DataFrame, runs: pd.DataFrame, *, recent: pd.Timestamp, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> pd.DataFrame:
    """Return the history of each leak, by its fingerprint.

    Parameters
    ----------
    verdicts : DataFrame
        As `assess` gives them, of all runs.
    runs : DataFrame
        ``service``, ``run_id``, ``first``, ``last`` (moments of its samples) and ``release`` (or None) of each run.
    recent : Timestamp
        A leak that was seen first after this is new, and one that was seen last before it is unseen.
    thresholds : Thresholds, optional
        The numbers to judge by.

    Returns
    -------
    DataFrame
        ``HISTORY_COLUMNS``, by status, the fastest first. ``gone``: a later run of the service was long enough to show
        the leak and does not. ``returned``: such a run lies between two that show it. ``unseen``: neither a run that
        shows it nor one that shows that it is gone is recent. A run is long enough from
        ``HistoryThresholds.min_healthy_share`` of the shortest run that shows the leak. A run that shows the leak
        without its line is counted with the leak whose line is named, where the service has one such leak alone.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    """
    require_columns("trend", verdicts, ["service", "run_id", "fingerprint", "is_leak"])
    judged = _join_unnamed(_join_runs(verdicts, runs))
    leaks = judged[judged["is_leak"].astype(bool) & judged["fingerprint"].notna()]
    groups = judged[judged["service"].isin(leaks["service"])].groupby("service", observed=True)
    by_service = {str(service): own for service, own in groups}
    rows = [
        {
            "service": service,
            "fingerprint": fingerprint,
            **_follow(seen.sort_values("first"), by_service[str(service)], recent, thresholds),
        }
        for (service, fingerprint), seen in leaks.groupby(["service", "fingerprint"], observed=True)
    ]
    frame = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS)).astype({"responsible_line": "Int64"})
    rank = frame["status"].map(STATUSES.index).astype(float)
    order = frame.assign(rank=rank).sort_values(["rank", "slope_bytes_per_s"], ascending=[True, False], kind="stable")
    return order[list(HISTORY_COLUMNS)].reset_index(drop=True)


def _join_runs(verdicts: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts that decide something, with the times of their runs.

    A family has those of its master, and those of its members together where its master was not recorded.
    """
    keys = ["service", "run_id"]
    types = dict.fromkeys(keys, object)
    times = runs[[*keys, "first", "last", "release"]].drop_duplicates(keys).astype(types)
    is_family = _are_families(verdicts)
    members = verdicts.loc[~is_family & verdicts["family_id"].notna(), [*keys, "family_id"]]
    of_members = members.astype(types).merge(times, on=keys).sort_values("last", kind="stable")
    if len(of_members):
        spans = of_members.groupby(["service", "family_id"], sort=False).agg(
            first=("first", "min"), last=("last", "max"), release=("release", "last")
        )
        together = spans.reset_index().rename(columns={"family_id": "run_id"})
        times = pd.concat([times, together]).drop_duplicates(keys)
    keyed = verdicts.assign(run_id=verdicts["run_id"].where(~is_family, verdicts["family_id"]))
    decided = keyed[~keyed["shape"].isin([UNREADABLE, "inconclusive"])]
    return decided.astype(types).merge(times, on=keys)


def _are_families(verdicts: pd.DataFrame) -> "pd.Series[bool]":
    return verdicts["role"].eq("family").fillna(value=False).astype(bool)


def _join_unnamed(judged: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts in which a leak without a line has the fingerprint of the only one that has its line."""
    leaks = judged[judged["is_leak"].astype(bool) & judged["fingerprint"].notna()]
    named = leaks[leaks["responsible_file"].notna()]
    fingerprints = named.groupby("service", observed=True)["fingerprint"]
    only = fingerprints.first()[fingerprints.nunique() == 1]
    is_unnamed = judged.index.isin(leaks.index.difference(named.index)) & judged["service"].isin(only.index)
    return judged.assign(fingerprint=judged["fingerprint"].mask(is_unnamed, judged["service"].map(only.to_dict())))


def _follow(
    seen: pd.DataFrame, of_service: pd.DataFrame, recent: pd.Timestamp, thresholds: Thresholds
) -> dict[str, Any]:
    """Return the history of one leak from the runs that show it, in the order of time, and those of its service."""
    healthy = _find_healthy(seen, of_service, thresholds)
    last_seen = seen["last"].max()
    after = healthy[healthy["middle"] > last_seen].sort_values("first")
    returned = bool(((healthy["middle"] > seen["first"].iloc[0]) & (healthy["middle"] < last_seen)).any())
    onset_s = seen["onset_s"].iloc[0]
    first_seen = seen["first"].iloc[0] + pd.Timedelta(seconds=0.0 if pd.isna(onset_s) else float(onset_s))
    if len(after):
        status = "gone"
    elif last_seen < recent:
        status = "unseen"
    elif returned:
        status = "returned"
    else:
        status = "new" if first_seen >= recent else "lasting"
    named = seen[seen["responsible_file"].notna()]
    latest = _take_last(seen if named.empty else named)
    return {
        "status": status,
        "first_seen": first_seen.round("s"),
        "last_seen": last_seen,
        "gone_since": after["first"].iloc[0] if len(after) else pd.NaT,
        "runs": int(seen["run_id"].nunique()),
        "first_release": seen["release"].iloc[0],
        "last_release": seen.sort_values("last")["release"].iloc[-1],
        "gone_in_release": after["release"].iloc[0] if len(after) else None,
        **{name: latest[name] for name in _DESCRIBED},
    }


def _take_last(seen: pd.DataFrame) -> "pd.Series[Any]":
    """Return the row of the run that ended last; that of its whole family, where that shows the leak too."""
    last = seen.sort_values("last").iloc[-1]
    families = seen[_are_families(seen) & (seen["family_id"] == last["family_id"])]
    return last if families.empty else families.iloc[-1]


def _find_healthy(seen: pd.DataFrame, of_service: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    """Return the runs that were long enough to show a leak and do not, and whose ``middle`` lies in none that does.

    A leak without a line may be any, so a run that shows one proves nothing, nor does another leak prove that one
    without a line is gone. Workers that are healthy beside one that leaks prove nothing either.
    """
    enough_s = thresholds.history.min_healthy_share * float(seen["judged_s"].min())
    is_named = seen["responsible_file"].notna().any()
    doubtful = of_service["is_leak"].astype(bool)
    if is_named:
        doubtful &= of_service["responsible_file"].isna() | of_service["fingerprint"].isin(seen["fingerprint"])
    shows = of_service["run_id"].isin(set(of_service.loc[doubtful, "run_id"]) | set(seen["run_id"]))
    healthy = of_service[~shows & (of_service["judged_s"] >= enough_s)]
    healthy = healthy.assign(middle=healthy["first"] + (healthy["last"] - healthy["first"]) / 2)
    middles, begins, ends = (frame.to_numpy() for frame in (healthy["middle"], seen["first"], seen["last"]))
    is_beside = ((middles[:, None] >= begins) & (middles[:, None] <= ends)).any(axis=1)
    return healthy[~np.asarray(is_beside, dtype=bool)]
