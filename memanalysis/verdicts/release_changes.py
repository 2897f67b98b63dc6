"""What each release of a service changed against the one before it."""

from itertools import pairwise
from typing import Any

import pandas as pd

from memanalysis.analysis.comparison import compare_samples

__all__ = ["CHANGE_COLUMNS", "compare_releases"]

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
