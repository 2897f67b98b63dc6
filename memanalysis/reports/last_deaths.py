"""Which of the services that were judged died, each in the first sentence of its post-mortem."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.reports.death_words import describe_cause
from memanalysis.reports.later_runs import find_later_runs
from memanalysis.reports.post_mortem import write_death_sentence
from memanalysis.reports.reading import RunReader
from memanalysis.verdicts.run_ends import RunEnd
from memanalysis.verdicts.run_selection import find_deaths
from memanalysis.verdicts.run_spans import Moment, read_spans
from memanalysis.verdicts.unreadable import is_unreadable

__all__ = ["LastDeaths", "read_last_deaths"]

_TABLES = ("samples", "sites", "events")

UNJUDGED: Mapping[str, Any] = {"limit_bytes": None, "onset_s": None}
"""Of a run before a restart, which has no verdict where only the latest run of a service is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDeaths:
    """Services whose latest run did not end in order, or the one before it.

    Parameters
    ----------
    sentences : list of str
        On those that died last.
    count : int
        How many died in all.
    """

    sentences: list[str]
    count: int


def read_last_deaths(
    ledger: Ledger,
    verdicts: pd.DataFrame,
    ends: Mapping[tuple[str, str], RunEnd],
    *,
    top: int,
    since: Moment | None = None,
) -> LastDeaths:
    """Return the number of services that died, with a sentence on each of the `top` that died last.

    Parameters
    ----------
    ledger : Ledger
    verdicts : DataFrame
        What `assess` gives for it. A service without a verdict in it is left out.
    ends : mapping
        As `read_run_ends` gives them for it.
    top : int
        How many sentences are wanted; each reads the rows of one run.
    since : float, str or datetime, optional
        Of runs that were still recorded then or later.
    """
    judged = verdicts[~is_unreadable(verdicts)]
    dead = sorted({service for (service, _), end in ends.items() if end.is_death and isinstance(service, str)})
    if not dead:
        return LastDeaths(sentences=[], count=0)
    spans = read_spans(ledger, services=dead, since=since)
    deaths = find_deaths(spans, judged, ends)
    named = list(deaths.values())[:top]
    read = RunReader(ledger, run_ids=[end.run["run_id"] for end in named])
    sentences = []
    for end in named:
        later = find_later_runs(end, spans, ends)
        sentences.append(_write_sentence(read, end, judged) + ("" if later is None else f" {later.write_sentence()}"))
    return LastDeaths(sentences=sentences, count=len(deaths))


def _write_sentence(read: RunReader, end: RunEnd, verdicts: pd.DataFrame) -> str:
    service, run_id = end.run["service"], end.run["run_id"]
    own = verdicts[verdicts["service"].eq(service) & verdicts["run_id"].eq(run_id)]
    verdict = {str(name): value for name, value in own.iloc[0].items()} if len(own) else UNJUDGED
    try:
        return write_death_sentence(
            end, verdict=verdict, tables={table: read.run(table, service, run_id) for table in _TABLES}
        )
    except Exception:  # the boundary of a run: whatever its tables hold, the death is reported
        return f"{make_printable(service)} {describe_cause(end, limit_share=None, short=True)}."
