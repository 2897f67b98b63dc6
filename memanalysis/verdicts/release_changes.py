"""What each release of a service changed against the one before it, and the line that became worse with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pandas as pd

from memanalysis.analysis.comparison import (
    WORSE,
    ServiceChange,
    contrast_samples,
    contrast_sites,
    judge_samples,
    judge_sites,
)

__all__ = [
    "CHANGE_COLUMNS",
    "LINE_COLUMNS",
    "LineContrast",
    "ReleaseContrast",
    "add_worse_lines",
    "contrast_lines",
    "contrast_releases",
    "judge_releases",
    "list_worse",
]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseContrast:
    """A release of a service beside the one before it, not yet judged: that takes all releases of all services.

    Parameters
    ----------
    service, release_before, release : str
        What is compared.
    first : Timestamp
        The first sample of the release.
    changes : list of ServiceChange
        Of its level and growth; none where either release has too few samples.
    """

    service: str
    release_before: str
    release: str
    first: pd.Timestamp
    changes: list[ServiceChange]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineContrast:
    """The lines of a release of a service beside those of the one before it, not yet judged."""

    service: str
    release_before: str
    release: str
    changes: list[ServiceChange]


def contrast_releases(samples: pd.DataFrame, releases: "pd.Series[Any]") -> list[ReleaseContrast]:
    """Contrast each release of each service with the one before it.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples``, all that there are of their services.
    releases : Series
        The release of each row; rows without one are left out.
    """
    known = samples.assign(release=releases)[releases.notna()]
    starts = known.groupby(["service", "release"], observed=True)["timestamp"].min().sort_values()
    found = []
    for service, moments in starts.groupby("service", observed=True):
        own = known[known["service"] == service]
        for pair in list(pairwise(moments.index.get_level_values("release")))[-MAX_CHANGES:]:
            sides = [own[own["release"] == release] for release in pair]
            contrast = ReleaseContrast(
                service=str(service),
                release_before=pair[0],
                release=pair[1],
                first=starts[service, pair[1]],
                changes=contrast_samples(*sides),
            )
            found.append(contrast)
    return found


def judge_releases(contrasts: Iterable[ReleaseContrast]) -> pd.DataFrame:
    """Return what each release changed, the latest releases first.

    Parameters
    ----------
    contrasts : iterable of ReleaseContrast
        Of all services, in whatever order services come.

    Returns
    -------
    DataFrame
        ``CHANGE_COLUMNS``. What may be noise is ``same``: chance is judged over all that is compared.
    """
    known = [contrast for contrast in sorted(contrasts, key=lambda one: one.service) if contrast.changes]
    if not known:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    changes = judge_samples(_number_changes([contrast.changes for contrast in known]))
    compared = [known[int(number)] for number in changes["service"]]
    named = changes.assign(
        service=[one.service for one in compared],
        release_before=[one.release_before for one in compared],
        release=[one.release for one in compared],
        first=pd.to_datetime([one.first for one in compared], utc=True),
    )
    ordered = named.sort_values(["first", "service"], ascending=[False, True], kind="stable")
    return ordered[list(CHANGE_COLUMNS)].reset_index(drop=True)


def list_worse(changes: pd.DataFrame) -> pd.DataFrame:
    """Return ``service``, ``release_before`` and ``release`` of the releases with which a service became worse."""
    worse = changes[changes["verdict"].isin(WORSE)]
    return worse[["service", "release_before", "release"]].drop_duplicates(ignore_index=True)


def contrast_lines(worse: pd.DataFrame, sites: pd.DataFrame, releases: "pd.Series[Any]") -> list[LineContrast]:
    """Contrast the lines of releases with those of the ones before.

    Parameters
    ----------
    worse : DataFrame
        Rows of `list_worse`.
    sites : DataFrame
        Rows of the table ``sites``, all that there are of the services in ``worse``.
    releases : Series
        The release of each row of ``sites``.
    """
    found = []
    for row in worse.to_dict("records"):
        own = sites["service"] == row["service"]
        sides = [sites[own & (releases == row[side])] for side in ("release_before", "release")]
        names = {str(name): str(value) for name, value in row.items()}
        found.append(LineContrast(**names, changes=contrast_sites(*sides, changed=[names["service"]])))
    return found


def add_worse_lines(changes: pd.DataFrame, contrasts: Sequence[LineContrast]) -> pd.DataFrame:
    """Return changes with ``LINE_COLUMNS``.

    Parameters
    ----------
    changes : DataFrame
        As `judge_releases` gives them.
    contrasts : sequence of LineContrast
        Of all rows of `list_worse`.
    """
    worse = list_worse(changes)
    if worse.empty:
        return _join_lines(changes, worse.reindex(columns=[*worse.columns, *LINE_COLUMNS]))
    names = [(one.service, one.release_before, one.release) for one in contrasts]
    compared = judge_sites(_number_changes([contrast.changes for contrast in contrasts]))
    grown = compared[compared["verdict"].isin(WORSE)].drop_duplicates("service")  # the largest change is the first
    lines = grown.set_index("service").rename(columns={"change": "line_change_bytes"})[list(LINE_COLUMNS)]
    numbers = [_number(place) for place in range(len(names))]
    named = pd.DataFrame(names, columns=worse.columns)
    return _join_lines(changes, pd.concat([named, lines.reindex(numbers).reset_index(drop=True)], axis="columns"))


def _number_changes(of_pairs: Sequence[Sequence[ServiceChange]]) -> list[ServiceChange]:
    """Return the changes of all pairs, each as of a service of its own, whose name is the number of the pair."""
    return [
        replace(change, row=change.row | {"service": _number(place)})
        for place, changes in enumerate(of_pairs)
        for change in changes
    ]


def _number(place: int) -> str:
    return f"{place:06}"


def _join_lines(changes: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    joined = changes.merge(lines.astype(object), on=["service", "release_before", "release"], how="left")
    return joined.astype({"file": object, "line": "Int64", "function": object, "line_change_bytes": "float64"})
