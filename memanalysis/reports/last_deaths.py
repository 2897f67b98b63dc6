"""Which of the services that were judged died, each in the first sentence of its post-mortem."""

from dataclasses import dataclass

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.reports.death_words import describe_cause
from memanalysis.reports.post_mortem import write_death_sentence
from memanalysis.reports.reading import ServiceReader
from memanalysis.verdicts.run_ends import RunEnd, read_run_ends
from memanalysis.verdicts.run_selection import find_deaths
from memanalysis.verdicts.run_spans import read_spans
from memanalysis.verdicts.unreadable import is_unreadable

__all__ = ["LastDeaths", "read_last_deaths"]

_TABLES = ("samples", "sites", "events")


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDeaths:
    """Services whose latest run did not end in order.

    Parameters
    ----------
    sentences : list of str
        On those that died last.
    count : int
        How many died in all.
    """

    sentences: list[str]
    count: int


def read_last_deaths(ledger: Ledger, verdicts: pd.DataFrame, *, top: int) -> LastDeaths:
    """Return the number of services that died, with a sentence on each of the `top` that died last.

    Parameters
    ----------
    ledger : Ledger
    verdicts : DataFrame
        What `assess` gives for it. A run without a verdict in it is left out.
    top : int
        How many sentences are wanted; each reads the rows of one run.
    """
    judged = verdicts[~is_unreadable(verdicts)]
    ends = read_run_ends(ledger)
    dead = sorted({service for (service, _), end in ends.items() if end.is_death and isinstance(service, str)})
    deaths = find_deaths(read_spans(ledger, services=dead), judged, ends) if dead else {}
    read = ServiceReader(ledger)
    sentences = [_write_sentence(read, end, judged) for end in list(deaths.values())[:top]]
    return LastDeaths(sentences=sentences, count=len(deaths))


def _write_sentence(read: ServiceReader, end: RunEnd, verdicts: pd.DataFrame) -> str:
    service, run_id = end.run["service"], end.run["run_id"]
    own = verdicts[verdicts["service"].eq(service) & verdicts["run_id"].eq(run_id)]
    verdict = {str(name): value for name, value in own.iloc[0].items()}
    try:
        return write_death_sentence(
            end, verdict=verdict, tables={table: read.run(table, service, run_id) for table in _TABLES}
        )
    except Exception:  # the boundary of a run: whatever its tables hold, the death is reported
        return f"{make_printable(service)} {describe_cause(end, limit_share=None, short=True)}."
