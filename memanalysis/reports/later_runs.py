"""What became of a service after a run of it died? Whether it was started again, and goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.reports.death_words import describe_cause
from memanalysis.units import format_duration
from memanalysis.verdicts.run_ends import RunEnd

__all__ = ["LaterRuns", "find_later_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterRuns:
    """The starts of a service after one of its runs.

    Parameters
    ----------
    count : int
        How many there were.
    after_s : float or None
        Seconds from the end of that run to the first of them.
    run_id : str
        Of the latest.
    state : str
        What is known of it, to follow its name.
    """

    count: int
    after_s: float | None
    run_id: str
    state: str

    def write_sentence(self) -> str:
        """Return the sentence that follows the one on the death."""
        after = "" if self.after_s is None else f" {format_duration(self.after_s)} later"
        if self.count == 1:
            return f"It was started again{after}, as run {self.run_id}, which {self.state}."
        return f"It was started again {self.count} times, first{after}, last as run {self.run_id}, which {self.state}."


def find_later_runs(death: RunEnd, spans: pd.DataFrame, ends: Mapping[tuple[str, str], RunEnd]) -> LaterRuns | None:
    """Return the programs of the service that were started after a run had died; None where there are none.

    Parameters
    ----------
    death : RunEnd
    spans : DataFrame
        As `read_spans` gives them, with the run itself.
    ends : mapping
        As `read_run_ends` gives them.
    """
    service, run_id = death.run["service"], death.run["run_id"]
    own = spans[spans["service"].eq(service).fillna(value=False)]
    died = own.loc[own["run_id"] == run_id, "last"].max()
    later = own[own["first"] > died].sort_values("last", kind="stable")
    programs = [key for key in later["run_id"] if (service, key) in ends and not ends[service, key].is_worker]
    if not programs:
        return None
    latest = ends[service, programs[-1]]
    since: datetime = death.run["ended"] or died
    first = later.loc[later["run_id"].isin(programs), "first"].min()
    return LaterRuns(
        count=len(programs),
        after_s=max(0.0, (first - since).total_seconds()),
        run_id=make_printable(programs[-1]),
        state="goes on as far as is known"
        if not latest.has_ended
        else describe_cause(latest, limit_share=None, short=True),
    )
