"""The two sides of a comparison: two ledgers, or one that is cut at a mark or by release, each service on its own."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import WHOLE, LedgerPart
from memanalysis.verdicts.run_ends import read_runs

__all__ = [
    "Cut",
    "MarkCut",
    "ReleaseCut",
    "Side",
    "TwoLedgers",
    "cut_at_mark",
    "cut_by_release",
    "cut_since_release",
    "find_releases",
]

SAMPLE_COLUMNS = ("run_id", "service", "timestamp", "elapsed_s", "label", "rss_bytes", "traced_bytes")
"""The columns of ``samples`` that are compared."""

RELEASE_COLUMNS = ("release", "git_commit")
"""The columns of ``runs`` that name the release of a run, the preferred one first."""

MIN_COMMIT_DIGITS = 4
"""Digits of a commit that stand for all of it, as in Git."""

START_SHARE = 0.1
"""A program starts in no more than this share of a run."""

_NUMBERED = re.compile(r"\S*\d\S*")
"""Words that differ from one release to the next: those with a digit."""


@dataclass(frozen=True, slots=True)
class Side:
    """What is compared: rows of ``samples`` and of ``sites``."""

    samples: pd.DataFrame
    sites: pd.DataFrame


class Cut(Protocol):
    """Where the two sides come from; another process can read them too."""

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        """The ledgers that are read."""

    def read(self, part: LedgerPart) -> tuple[Side, Side]:
        """Return both sides of the services of a part."""


@dataclass(frozen=True, slots=True)
class TwoLedgers:
    """Each side is all that a ledger holds."""

    before: Ledger
    after: Ledger

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        """Both."""
        return self.before, self.after

    def read(self, part: LedgerPart) -> tuple[Side, Side]:
        """Return both sides of the services of a part."""
        return _read_side(self.before, part), _read_side(self.after, part)


@dataclass(frozen=True, slots=True)
class MarkCut:
    """What each service holds before its mark, and from it on.

    A service is cut where it has this mark first: one that is set again by a restart moves nothing. A run that began
    before and has the mark itself, such as a worker that is replaced later than others, is cut at its own. A mark that
    a program sets while it starts counts from its first sample.

    The sides end at the neighbouring marks of the same kind, which differ in nothing but words with digits: between
    ``deploy 1.3`` and ``deploy 1.5`` the mark ``deploy 1.4`` compares 1.3 with 1.4. Services without the mark are left
    out.
    """

    ledger: Ledger
    mark: str

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        """The one that is cut."""
        return (self.ledger,)

    def read(self, part: LedgerPart) -> tuple[Side, Side]:
        """Return both sides of the services of a part."""
        marks = _read_marks(self.ledger, part)
        whole = _read_side(self.ledger, part)
        chosen = marks[_are_called(marks, self.mark)]
        marks = _move_to_start(marks, whole.samples)
        chosen = marks.loc[chosen.index]
        began = whole.samples.groupby(["service", "run_id"], observed=True)["timestamp"].min()
        kind = marks["message"].dropna().map(_find_kind).eq(_find_kind(self.mark))
        neighbours = marks.loc[kind[kind].index].drop(index=chosen.index, errors="ignore")
        sides: list[list[Side]] = [[], []]
        for service, own in chosen.groupby("service", observed=True):
            cut = own["timestamp"].min()
            ends = _find_ends(neighbours[neighbours["service"].eq(service)], cut)
            cuts = {
                run: moment
                for run, moment in own.groupby("run_id", observed=True)["timestamp"].min().items()
                if began.get((service, run), cut) < cut
            }
            for side, rows in zip(sides, _cut_service(whole, service, cuts, cut, ends), strict=True):
                side.append(rows)
        nothing = Side(whole.samples.iloc[:0], whole.sites.iloc[:0])
        before, after = (_join(side or [nothing]) for side in sides)
        return before, after


@dataclass(frozen=True, slots=True)
class ReleaseCut:
    """The runs of one release or of some, and those of others: ``service`` and ``run_id`` of each."""

    ledger: Ledger
    before: pd.DataFrame
    after: pd.DataFrame

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        """The one that holds both."""
        return (self.ledger,)

    def read(self, part: LedgerPart) -> tuple[Side, Side]:
        """Return both sides of the services of a part."""
        whole = _read_side(self.ledger, part)
        before, after = (
            Side(*(rows.merge(keys, on=["service", "run_id"]) for rows in (whole.samples, whole.sites)))
            for keys in (self.before, self.after)
        )
        return before, after


def cut_at_mark(ledger: Ledger, mark: str) -> MarkCut:
    """Cut a ledger at a mark.

    Raises
    ------
    InvalidArgumentError
        No service has the mark.
    """
    marks = _read_marks(ledger, WHOLE)
    if not _are_called(marks, mark).any():
        there = sorted(marks["message"].dropna().unique())
        raise InvalidArgumentError(
            f"compare needs a mark called {mark!r} in {ledger.path}, but it has {there or 'none'}. "
            "Set one with recorder.mark(text)."
        )
    return MarkCut(ledger, mark)


def cut_by_release(ledger: Ledger, before: str, after: str) -> ReleaseCut:
    """Cut a ledger into the runs of one release and those of another.

    Parameters
    ----------
    ledger : Ledger
        Holds the runs of both.
    before, after : str
        Values of the column ``release`` of ``runs``, or commits, whose first digits suffice.

    Raises
    ------
    InvalidArgumentError
        No run is of one of them, or both are the same.
    """
    runs = find_releases(read_runs(ledger))
    chosen = [_find_release(ledger, runs, name) for name in (before, after)]
    if set(chosen[0].index) & set(chosen[1].index):
        raise InvalidArgumentError(
            f"compare needs two releases, but {before!r} and {after!r} have runs in common. Write more of their names."
        )
    return ReleaseCut(ledger, *map(_read_keys, chosen))


def cut_since_release(ledger: Ledger, release: str) -> ReleaseCut:
    """Cut a ledger into the runs before a release, and those of it and of all later ones.

    What is later follows from time: each service is cut where its first run of the release started. A commit has no
    other order. Services without the release are left out.

    Parameters
    ----------
    ledger : Ledger
        Holds the runs.
    release : str
        A value of the column ``release`` of ``runs``, or a commit, whose first digits suffice.

    Raises
    ------
    InvalidArgumentError
        No run is of it, or none started before it.
    """
    runs = find_releases(read_runs(ledger))
    starts = _find_release(ledger, runs, release).groupby("service", observed=True)["started"].min()
    begins = runs["started"].sub(pd.to_datetime(runs["service"].map(starts), utc=True)).dt.total_seconds()
    if not (begins < 0).any():
        raise InvalidArgumentError(
            f"compare needs runs from before the release {release!r} in {ledger.path}, but has none. Name a later one."
        )
    return ReleaseCut(ledger, _read_keys(runs[begins < 0]), _read_keys(runs[begins >= 0]))


def find_releases(runs: pd.DataFrame) -> pd.DataFrame:
    """Return ``service``, ``run_id``, ``started``, ``release`` and ``git_commit`` of rows of the table ``runs``.

    ``name`` is what a run is called by: its release, or where none is known its commit.
    """
    frame = runs[["service", "run_id", "started", *RELEASE_COLUMNS]].copy()
    frame["name"] = frame["release"].fillna(frame["git_commit"].str[:12])
    return frame


def _find_release(ledger: Ledger, runs: pd.DataFrame, name: str) -> pd.DataFrame:
    found = runs[_are_of(runs, name)]
    if found.empty:
        known = list(dict.fromkeys(runs["name"].dropna()))
        raise InvalidArgumentError(
            f"compare needs runs of the release {name!r} in {ledger.path}, but it has "
            f"{', '.join(map(repr, known)) or 'runs without a release or commit only'}. "
            "Name one of these, or cut the ledger with mark=."
        )
    return found


def _read_keys(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[["service", "run_id"]].drop_duplicates()


def _read_side(ledger: Ledger, part: LedgerPart) -> Side:
    return Side(ledger.read("samples", columns=SAMPLE_COLUMNS, part=part), ledger.read("sites", part=part))


def _read_marks(ledger: Ledger, part: LedgerPart) -> pd.DataFrame:
    events = ledger.read("events", columns=["service", "run_id", "timestamp", "kind", "message"], part=part)
    return events[events["kind"].eq("mark").fillna(value=False).astype(bool) & events["timestamp"].notna()]


def _are_called(marks: pd.DataFrame, mark: str) -> "pd.Series[bool]":
    return marks["message"].eq(mark).fillna(value=False).astype(bool)


def _are_of(runs: pd.DataFrame, name: str) -> "pd.Series[bool]":
    exact = runs["release"].eq(name).fillna(value=False).astype(bool)
    if exact.any() or len(name) < MIN_COMMIT_DIGITS:
        return exact
    return runs["git_commit"].astype("string").str.lower().str.startswith(name.lower(), na=False).astype(bool)


def _find_ends(neighbours: pd.DataFrame, cut: Any) -> tuple[Any, Any]:
    """Return where the stretch before a cut began, and where the one after it ends; NaT where it goes on."""
    earlier = neighbours[neighbours["timestamp"] < cut].sort_values("timestamp")
    other = earlier[earlier["message"] != earlier["message"].iloc[-1]] if len(earlier) else earlier
    repeated = earlier[earlier["timestamp"] > other["timestamp"].max()] if len(other) else earlier
    return repeated["timestamp"].min(), neighbours.loc[neighbours["timestamp"] > cut, "timestamp"].min()


def _move_to_start(marks: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Return the marks with those that a program sets while it starts at the time of its first sample."""
    keys = ["service", "run_id"]
    spans = samples.groupby(keys, observed=True)["timestamp"].agg(began="min", ended="max").reset_index()
    times = marks[keys].merge(spans, on=keys, how="left").set_index(marks.index)
    is_start = (marks["timestamp"] - times["began"]) <= START_SHARE * (times["ended"] - times["began"])
    return marks.assign(timestamp=marks["timestamp"].mask(is_start, times["began"]))


def _find_kind(mark: str) -> str:
    return _NUMBERED.sub("#", mark)


def _cut_service(whole: Side, service: Any, cuts: dict[Any, Any], cut: Any, ends: tuple[Any, Any]) -> list[Side]:
    """Cut the rows of one service at the moment of each run, between two ends, either of them NaT where it is open."""
    parts: list[list[pd.DataFrame]] = [[], []]
    for rows in (whole.samples, whole.sites):
        own = rows[rows["service"].eq(service).fillna(value=False).astype(bool) & rows["timestamp"].notna()]
        moments = own["run_id"].map(cuts).fillna(cut) if cuts else cut
        is_before = own["timestamp"] < moments
        from_start = own["timestamp"] >= ends[0] if pd.notna(ends[0]) else True
        to_end = own["timestamp"] < ends[1] if pd.notna(ends[1]) else True
        parts[0].append(own[is_before & from_start])
        parts[1].append(own[~is_before & to_end])
    return [Side(*part) for part in parts]


def _join(sides: Collection[Side]) -> Side:
    return Side(
        *(pd.concat(rows, ignore_index=True) for rows in zip(*((s.samples, s.sites) for s in sides), strict=True))
    )
