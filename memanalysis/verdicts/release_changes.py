"""What each release of a service changed against the one before it, and the line that became worse with it."""

from itertools import pairwise
from typing import Any

import pandas as pd

from memanalysis.analysis.comparison import WORSE, compare_samples, compare_sites

__all__ = ["CHANGE_COLUMNS", "LINE_COLUMNS", "add_worse_lines", "compare_releases", "list_worse"]

MAX_CHANGES = 12
"""Releases of one service that are compared with the one before, the latest."""

CHANGE_COLUMNS = (
    "service",
    "release_before",
    "release",
    "first",
    "what",
    "before",
    "after",
    "change",
    "low",
    "high",
    "p_value",
    "verdict",
    "runs_before",
    "runs_after",
)
"""A row a figure that is compared: ``what`` is ``level_bytes`` or ``slope_bytes_per_s``, ``first`` the first sample of
the release, and the others as `compare` gives them."""

LINE_COLUMNS = ("file", "line", "function", "line_change_bytes")
"""The line that holds more since the release, the one that grew most, and by how much; unknown where none is shown."""


def compare_releases(samples: pd.DataFrame, releases: "pd.Series[Any]") -> pd.DataFrame:
    """Compare each release of each service with the one before it, the latest releases first.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples``.
    releases : Series
        The release of each row; rows without one are left out.

    Returns
    -------
    DataFrame
        ``CHANGE_COLUMNS``. What may be noise is ``same``: chance is judged over all that is compared.
    """
    known = samples.assign(release=releases)[releases.notna()]
    starts = known.groupby(["service", "release"], observed=True)["timestamp"].min().sort_values()
    pairs = [
        (str(service), *pair)
        for service, own in starts.groupby("service", observed=True)
        for pair in list(pairwise(own.index.get_level_values("release")))[-MAX_CHANGES:]
    ]
    sides: list[list[pd.DataFrame]] = [[], []]
    for number, (service, *pair) in enumerate(pairs):
        own = known[known["service"] == service]
        for side, release in zip(sides, pair, strict=True):
            side.append(own[own["release"] == release].assign(service=f"{number:06}"))
    if not pairs:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    changes = compare_samples(*(pd.concat(side, ignore_index=True) for side in sides))
    compared = [pairs[int(number)] for number in changes["service"]]
    named = changes.assign(
        service=[service for service, _, _ in compared],
        release_before=[before for _, before, _ in compared],
        release=[after for _, _, after in compared],
        first=pd.to_datetime([starts[service, after] for service, _, after in compared], utc=True),
    )
    ordered = named.sort_values(["first", "service"], ascending=[False, True], kind="stable")
    return ordered[list(CHANGE_COLUMNS)].reset_index(drop=True)


def list_worse(changes: pd.DataFrame) -> pd.DataFrame:
    """Return ``service``, ``release_before`` and ``release`` of the releases with which a service became worse."""
    worse = changes[changes["verdict"].isin(WORSE)]
    return worse[["service", "release_before", "release"]].drop_duplicates(ignore_index=True)


def add_worse_lines(changes: pd.DataFrame, sites: pd.DataFrame, releases: "pd.Series[Any]") -> pd.DataFrame:
    """Return changes with ``LINE_COLUMNS``.

    Parameters
    ----------
    changes : DataFrame
        As `compare_releases` gives them.
    sites : DataFrame
        Rows of the table ``sites``, of all services of `list_worse`.
    releases : Series
        The release of each row of ``sites``.
    """
    worse = list_worse(changes)
    if worse.empty:
        return _join_lines(changes, worse.reindex(columns=[*worse.columns, *LINE_COLUMNS]))
    numbers = [f"{number:06}" for number in range(len(worse))]
    sides = [
        pd.concat(
            [
                sites[(sites["service"] == row["service"]) & (releases == row[side])].assign(service=number)
                for number, row in zip(numbers, worse.to_dict("records"), strict=True)
            ],
            ignore_index=True,
        )
        for side in ("release_before", "release")
    ]
    compared = compare_sites(*sides, changed=numbers)
    grown = compared[compared["verdict"].isin(WORSE)].drop_duplicates("service")  # the largest change is the first
    lines = grown.set_index("service").rename(columns={"change": "line_change_bytes"})[list(LINE_COLUMNS)]
    return _join_lines(changes, pd.concat([worse, lines.reindex(numbers).reset_index(drop=True)], axis="columns"))


def _join_lines(changes: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    joined = changes.merge(lines.astype(object), on=["service", "release_before", "release"], how="left")
    return joined.astype({"file": object, "line": "Int64", "function": object, "line_change_bytes": "float64"})
