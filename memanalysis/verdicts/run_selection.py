"""Which runs of a ledger are asked about: of some services, since a moment, or the latest of each service."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from re import fullmatch

import pandas as pd

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import WHOLE, LedgerPart
from memanalysis.policy.places import nearest
from memanalysis.verdicts.engines import IN_PROCESS, Engine
from memanalysis.verdicts.run_ends import Cause, RunEnd
from memanalysis.verdicts.run_spans import Moment, read_spans

__all__ = ["RunSelection", "find_deaths", "find_latest", "parse_since", "select_runs"]

_KEYS = ["service", "run_id"]

MAX_NAMES = 20
"""Services that an error names; the others are counted."""

TOGETHER_S = 5.0
"""Seconds between the last samples of processes that died of one thing: workers are sampled every few seconds."""

RECENT_S = 7 * 86_400.0
"""A death before a restart is named for a week, counted to the last sample of the service. `trend` lists all."""

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSelection:
    """Runs that are asked about; all of them where nothing is set.

    Parameters
    ----------
    services : collection of str, optional
        Runs of these services.
    since : float, str or datetime, optional
        Runs that were still recorded then or later; see `memanalysis.verdicts.run_spans.Moment`.
    only_latest : bool
        Of each service the run that was recorded last, and those that were recorded beside it, such as workers.
    """

    services: Collection[str] | None = None
    since: Moment | None = None
    only_latest: bool = False

    @property
    def is_all(self) -> bool:
        """Whether every run is asked about."""
        return self.services is None and self.since is None and not self.only_latest


def parse_since(text: str, now: datetime) -> str:
    """Return the moment of ``7d``, ``12h``, ``30m`` or ``6w`` before `now` in ISO 8601, and other text as it is."""
    found = fullmatch(r"(\d+)([mhdw])", text.strip())
    if found is None:
        return text
    return (now.astimezone(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})).isoformat()


def select_runs(
    ledger: Ledger,
    selection: RunSelection,
    *,
    parts: Sequence[LedgerPart] = (WHOLE,),
    engine: Engine = IN_PROCESS,
) -> pd.DataFrame:
    """Return service and run_id of the runs that are asked about, part by part read by an engine.

    Raises
    ------
    InvalidArgumentError
        The ledger has no such service, or ``since`` is no moment.
    """
    if selection.services is not None:
        unknown = sorted(set(selection.services) - set(ledger.services))
        if unknown:
            meant = nearest(unknown[0], ledger.services)
            raise InvalidArgumentError(
                f"The ledger {ledger.path} has no service {', '.join(map(repr, unknown))}. It has "
                f"{_list_names(ledger.services)}." + (f" Did you mean {meant!r}?" if meant else "")
            )
    spans = read_spans(ledger, services=selection.services, since=selection.since, parts=parts, engine=engine)
    return (find_latest(spans) if selection.only_latest else spans)[_KEYS].reset_index(drop=True)


def _list_names(names: Collection[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - MAX_NAMES
    shown = ", ".join(map(repr, list(names)[:MAX_NAMES])) or "none"
    return f"{shown} and {more:,} more" if more > 0 else shown


def find_deaths(
    spans: pd.DataFrame, verdicts: pd.DataFrame, ends: Mapping[tuple[str, str], RunEnd]
) -> dict[str, RunEnd]:
    """Return by service the run that died last, where that is its latest run or was recorded beside it.

    A service that was started again died nevertheless: where no run of its latest start died, it is the run before
    that did, as `_find_earlier_death` states it. Of several that died together, as a master and its workers do, it is
    the one that held the most. The service whose run died last comes first.

    Parameters
    ----------
    spans : DataFrame
        As `read_spans` gives them, of the runs that may be named.
    verdicts : DataFrame
        As `assess` gives them. A service without a verdict in it is left out.
    ends : mapping
        As `read_run_ends` gives them.
    """
    judged = set(verdicts["service"].dropna())
    dead = {key: end for key, end in ends.items() if end.is_death and key[0] in judged}
    if not dead:
        return {}
    spans = spans[spans["service"].isin({service for service, _ in dead})]
    times = {(row["service"], row["run_id"]): row["last"] for row in spans.to_dict("records")}
    sizes = {(row["service"], row["run_id"]): row["latest_bytes"] for row in verdicts.to_dict("records")}
    latest = {(service, run_id) for service, run_id in find_latest(spans)[_KEYS].itertuples(index=False, name=None)}
    named = {key for key in latest if key in dead}
    for service in {service for service, _ in latest} - {service for service, _ in named}:
        own = sorted((key for key in times if key[0] == service), key=lambda key: times[key], reverse=True)
        named |= _find_earlier_death(own, ends, times)
    found = sorted(named, key=lambda key: times[key], reverse=True)
    deaths: dict[str, tuple[str, str]] = {}
    for key in found:
        first = deaths.setdefault(key[0], key)
        is_together = (times[first] - times[key]).total_seconds() <= TOGETHER_S
        if is_together and sizes.get(key, 0) > sizes.get(first, 0):
            deaths[key[0]] = key
    return {service: dead[key] for service, key in deaths.items()}


def _find_earlier_death(
    newest_first: Sequence[tuple[str, str]],
    ends: Mapping[tuple[str, str], RunEnd],
    times: Mapping[tuple[str, str], pd.Timestamp],
) -> set[tuple[str, str]]:
    """Return the runs of a service that died together before it was started again, unless that is long ago or settled.

    It is settled once a later run has ended in order. One that goes on, that was asked to end, or that left to be
    started again settles nothing.
    """
    found: list[tuple[str, str]] = []
    for key in newest_first:
        end = ends.get(key)
        if end is None or (times[newest_first[0]] - times[key]).total_seconds() > RECENT_S:
            continue
        if found:
            if (times[found[0]] - times[key]).total_seconds() > TOGETHER_S:
                break
            found += [key] * end.is_death
        elif end.cause is Cause.RETURNED and not end.is_worker and not end.was_asked:
            break
        elif end.is_death and not end.was_asked:
            found = [key]
    return set(found)


def find_latest(spans: pd.DataFrame) -> pd.DataFrame:
    """Return of each service the run that ended last, and each that overlaps one that is returned.

    The workers of a program are recorded beside it, so they are returned together; an earlier start of the program is
    not. Runs whose times are not known are returned too.

    Parameters
    ----------
    spans : DataFrame
        ``service``, ``run_id``, ``first`` and ``last`` of each run.
    """
    ordered = spans.sort_values(["service", "last"], ascending=[True, False], kind="stable", na_position="first")
    began = ordered.groupby("service", dropna=False, observed=True)["first"].cummin()
    earlier_begin = began.groupby(ordered["service"], dropna=False, observed=True).shift()
    gap = (ordered["last"] < earlier_begin).groupby(ordered["service"], dropna=False, observed=True).cummax()
    return ordered[~gap.astype(bool)]
