"""The records of a report: the verdicts, and for every service what is drawn and listed beside its verdict.

HTML, Markdown, JSON and the notebook show the same record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.analysis.fleet_overview import FleetOverview
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.reports.drawn_series import FittedLine
from memanalysis.reports.growth_split import GrowthSplit
from memanalysis.reports.open_cell import OpenCell
from memanalysis.reports.post_mortem import PostMortem

__all__ = ["ReportModel", "ServiceSection", "find_leading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSection:
    """One service: its worst run's verdict, and what goes with it.

    Parameters
    ----------
    verdict : mapping
        Row of the verdict frame; ``other_verdicts`` has those of the service's other runs.
    series : DataFrame
        ``elapsed_s`` and ``size_bytes`` of the judged metric, thinned.
    line : FittedLine or None
        Fitted growth or baselines, to draw over the series.
    sites : DataFrame
        The run's leading lines of code, as `choose_sites` gives them.
    site_lines : DataFrame
        ``file, line, elapsed_s, size_bytes`` of the first few of them.
    marks : sequence of (float, str)
        Moments that the run marked, in seconds since its first sample, with their names.
    is_traced : bool
        Whether tracemalloc followed the run.
    trace : str or None
        What found its lines: a cell of ``runs``.
    open_cell : OpenCell or None
        The notebook cell that ran when the record ends.
    post_mortem : PostMortem or None
        How the run ended, where it did not end in order.
    forecast : DataFrame
        When the run next reaches each level of its budget, as `forecast_breaches` gives it; empty without a budget
        and for what has ended.
    growth_split : GrowthSplit or None
        What resident memory grew by in the time of the table of lines, and Python's part of it.
    n_sites, n_breaches, n_events : int
        How many there are in all; the frames hold the first (of the events: the last) few.
    """

    service: str
    run_id: str
    verdict: Mapping[str, Any]
    other_verdicts: pd.DataFrame
    series: pd.DataFrame
    line: FittedLine | None
    sites: pd.DataFrame
    site_lines: pd.DataFrame
    n_sites: int
    growth_split: GrowthSplit | None
    breaches: pd.DataFrame
    n_breaches: int
    forecast: pd.DataFrame
    events: pd.DataFrame
    n_events: int
    marks: Sequence[tuple[float, str]]
    budget: Budget | None
    is_traced: bool
    trace: str | None
    open_cell: OpenCell | None
    post_mortem: PostMortem | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportModel:
    """What a ledger shows, ready to be rendered.

    Parameters
    ----------
    title, ledger, headline : str
        What it is about, where it comes from, and its result in one or two sentences.
    started, ended : datetime or None
        First and last sample, UTC.
    verdicts : DataFrame
        As `assess` gives them, the worst first.
    sections : sequence of ServiceSection
        One a service, the worst first.
    damage : sequence of SkippedRows
        What of the ledger could not be read, file by file, with the reasons.
    fleet : FleetOverview or None
        What the services show together, where there are several.
    has_policy : bool
        Whether budgets and thresholds came from a policy.
    """

    title: str
    ledger: str
    headline: str
    started: datetime | None
    ended: datetime | None
    verdicts: pd.DataFrame
    sections: Sequence[ServiceSection]
    n_services: int
    damage: Sequence[SkippedRows]
    has_policy: bool
    fleet: FleetOverview | None


def find_leading(report: ReportModel) -> PostMortem | None:
    """Return the post-mortem whose sentence is the headline of a report; None where it reports no death."""
    found = (section.post_mortem for section in report.sections if section.post_mortem is not None)
    return next((post_mortem for post_mortem in found if report.headline.startswith(post_mortem.sentence)), None)
