"""Make what the explorer shows of a selected stretch: series, fit, windows, budgets, breaches and verdict. Pure.

The verdict is that of `assess_samples` on the samples, sites and events of the stretch alone, by the thresholds that
are set; of a metric on which no run is judged it is that of `assess_series`.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from memanalysis._text import make_printable
from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.budgets.budget_breaches import Budget, find_breaches
from memanalysis.analysis.comparison import compare_samples
from memanalysis.analysis.input_frames import known_floats, with_elapsed
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.reports.chart_records import Level, Span
from memanalysis.reports.drawn_series import FittedLine, Series, fit_line, read_series
from memanalysis.reports.series_thinning import thin_series
from memanalysis.widgets.run_rows import RunRows, SampleRuns
from memanalysis.widgets.state import Selection

__all__ = [
    "Judging",
    "RunTables",
    "View",
    "compare_stretches",
    "cut_stretch",
    "make_view",
    "read_points",
    "read_run_tables",
]

MAX_MARKS = 12
"""Names beside each other in one picture: more would cover each other."""

MAX_SPANS = 40
"""Breaches that are shaded."""

MAX_JUDGED = 8
"""Verdicts and breaches that are kept of a run: those of two ranges before and after a change."""

MARKED_KINDS = ("mark", "cell", "breach", "alert", "cleanup", "restart", "error")
"""Events that are drawn: those that something may have happened to memory with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Thresholds by which a stretch is judged: those of a policy, or where the sliders stand."""

    budget: Budget | None = None
    rules: SeverityRules = field(default_factory=SeverityRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTables:
    """The rows of one run, read once for all that is shown of it.

    Parameters
    ----------
    samples, events : DataFrame
    elapsed_s : array of float
        Seconds of each row of ``samples`` since the run's first sample.
    started : Timestamp or None
        When the run's clock was at zero.
    read_sites : callable
        Gives the rows of ``sites``; asked only where there is a leak.
    judged : dict
        The last verdicts and breaches by range and thresholds: another metric of the same range is judged alike.
    series : dict
        The metrics that were drawn, in the order of time.
    """

    samples: pd.DataFrame
    events: pd.DataFrame
    elapsed_s: FloatArray
    started: pd.Timestamp | None
    read_sites: Callable[[], pd.DataFrame]
    judged: dict[Hashable, pd.DataFrame] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is drawn and written of a selection.

    Parameters
    ----------
    elapsed_s, values : arrays of float
        The selected stretch, thinned to what a picture can show.
    line : FittedLine or None
        The fitted growth or the baselines, with the baselines of the windows.
    levels, breaches : sequence of Level, Span
        Budgets, and the stretches in which a budget was reached.
    marks : sequence of (seconds, name)
        Events of the stretch.
    verdict : DataFrame
        One row, as `assess` gives it, on this stretch alone.
    sentence : str
        The verdict on the selected metric.
    started : Timestamp or None
        When the run's clock was at zero.
    """

    selection: Selection
    elapsed_s: FloatArray
    values: FloatArray
    line: FittedLine | None
    levels: Sequence[Level]
    breaches: Sequence[Span]
    marks: Sequence[tuple[float, str]]
    verdict: pd.DataFrame
    sentence: str
    started: pd.Timestamp | None


def read_run_tables(
    samples: SampleRuns, events: RunRows, selection: Selection, *, read_sites: Callable[[], RunRows]
) -> RunTables:
    """Take the rows of the selected run out of the tables of a ledger."""
    run = samples.find(selection.service, selection.run_id)
    # once for all judgements of the run: names as numbers
    run = run.astype({column: "category" for column in ("service", "run_id") if column in run})
    elapsed_s = with_elapsed(run)
    zero_s = float(elapsed_s[np.isfinite(elapsed_s)].min(initial=np.inf))
    return RunTables(
        samples=run,
        events=events.find(selection.service, selection.run_id),
        elapsed_s=elapsed_s - zero_s,
        started=_find_start(run, elapsed_s - zero_s),
        read_sites=lambda: read_sites().find(selection.service, selection.run_id),
    )


def cut_stretch(tables: RunTables, selection: Selection) -> pd.DataFrame:
    """Return the samples of the selected stretch; those that lie together are not copied."""
    places = np.flatnonzero(_are_inside(tables.elapsed_s, selection))
    if places.size and places[-1] - places[0] + 1 == places.size:
        return tables.samples.iloc[places[0] : places[-1] + 1]
    return tables.samples.iloc[places]


def read_points(tables: RunTables, selection: Selection) -> tuple[FloatArray, FloatArray]:
    """Return seconds and values of the selected stretch, thinned to what a picture can show."""
    series = _cut_series(tables, selection)
    return thin_series(series.elapsed_s, series.values)


def make_view(tables: RunTables, selection: Selection, judging: Judging) -> View:
    """Return what is drawn and written of a selection."""
    series = _cut_series(tables, selection)
    stretch = cut_stretch(tables, selection)
    verdict = _keep(tables, ("verdict", selection, judging), lambda: _judge(tables, selection, stretch, judging))
    limit_bytes = _find_limit(stretch, judging)
    row: Mapping[str, object] = {} if verdict.empty else {str(name): each for name, each in verdict.iloc[0].items()}
    if row.get("metric") != selection.metric:
        row = asdict(assess_series(series.elapsed_s, series.values, limit_bytes=limit_bytes, rules=judging.rules))
    thin_s, thin_values = thin_series(series.elapsed_s, series.values)
    return View(
        selection=selection,
        elapsed_s=thin_s,
        values=thin_values,
        line=fit_line(series, row),
        levels=_list_levels(stretch, judging),
        breaches=_find_spans(tables, selection, stretch, judging),
        marks=_find_marks(tables, selection),
        verdict=verdict,
        sentence=str(row["sentence"]),
        started=tables.started,
    )


def compare_stretches(tables: RunTables, first: Selection, second: Selection) -> pd.DataFrame:
    """Compare level and growth of two stretches of a run, as ``memanalysis.compare`` compares two recordings."""
    stretches = [cut_stretch(tables, selection) for selection in (first, second)]
    return compare_samples(
        *(
            frame.assign(run_id=name, elapsed_s=frame["elapsed_s"] - frame["elapsed_s"].min())
            for name, frame in zip(("first", "second"), stretches, strict=True)
        )
    )


def _cut_series(tables: RunTables, selection: Selection) -> Series:
    if selection.metric not in tables.series:
        tables.series[selection.metric] = read_series(tables.samples, selection.metric)
    whole = tables.series[selection.metric]
    first = int(np.searchsorted(whole.elapsed_s, selection.start_s, side="left"))
    past = int(np.searchsorted(whole.elapsed_s, selection.end_s, side="right"))
    return Series(elapsed_s=whole.elapsed_s[first:past], values=whole.values[first:past], zero_s=whole.zero_s)


def _judge(tables: RunTables, selection: Selection, stretch: pd.DataFrame, judging: Judging) -> pd.DataFrame:
    def cut(table: pd.DataFrame) -> pd.DataFrame:
        if tables.started is None or table.empty:
            return table
        at_s = (table["timestamp"] - tables.started).dt.total_seconds().to_numpy(dtype=np.float64)
        return table[_are_inside(at_s, selection)]

    budgets = {} if judging.budget is None else {selection.service: judging.budget.max_bytes}
    return assess_samples(
        stretch,
        sites=lambda _: cut(tables.read_sites()),
        events=lambda: cut(tables.events),
        budgets_bytes=budgets,
        rules=judging.rules,
    )


def _keep(
    tables: RunTables, question: tuple[str, Selection, Hashable], answer: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """Give what was answered before to the same question about the same range, whatever its metric."""
    about, selection, rest = question
    key = (about, selection.start_s, selection.end_s, rest)
    if key not in tables.judged:
        for oldest in list(tables.judged)[: 1 - MAX_JUDGED]:
            del tables.judged[oldest]
        tables.judged[key] = answer()
    return tables.judged[key]


def _are_inside(at_s: np.ndarray[Any, Any], selection: Selection) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    inside: np.ndarray[tuple[int], np.dtype[np.bool_]] = (at_s >= selection.start_s) & (at_s <= selection.end_s)
    return inside


def _find_limit(stretch: pd.DataFrame, judging: Judging) -> float | None:
    """The lower of budget and recorded limit."""
    recorded = known_floats(stretch, "limit_bytes")
    known = recorded[np.isfinite(recorded)]
    limits = [float(known[-1])] if known.size else []
    limits += [judging.budget.max_bytes] if judging.budget is not None else []
    return min(limits, default=None)


def _list_levels(stretch: pd.DataFrame, judging: Judging) -> list[Level]:
    levels = []
    if judging.budget is not None:
        budget = judging.budget
        levels = [Level("warning", budget.warning_bytes), Level("critical", budget.critical_bytes)]
        levels.append(Level("budget", budget.max_bytes))
    recorded = known_floats(stretch, "limit_bytes")
    known = recorded[np.isfinite(recorded)]
    return levels + ([Level("container limit", float(known[-1]))] if known.size else [])


def _find_spans(tables: RunTables, selection: Selection, stretch: pd.DataFrame, judging: Judging) -> list[Span]:
    """Breaches of the stretch, where the selected metric is the one that counts against the budget."""
    if judging.budget is None or tables.started is None:
        return []
    budgets = {selection.service: judging.budget}
    found = _keep(tables, ("breaches", selection, judging.budget), lambda: find_breaches(stretch, budgets))
    found = found[found["metric"] == selection.metric].head(MAX_SPANS)
    return [
        Span(str(level), (first - tables.started).total_seconds(), (last - tables.started).total_seconds(), True)
        for level, first, last in found[["level", "first", "last"]].itertuples(index=False)
    ]


def _find_start(run: pd.DataFrame, elapsed_s: FloatArray) -> pd.Timestamp | None:
    """When the run's clock was at the zero of ``elapsed_s``."""
    known = np.flatnonzero(run["timestamp"].notna().to_numpy(dtype=bool))
    if not known.size:
        return None
    first = known[0]
    ahead_s = elapsed_s[first] if np.isfinite(elapsed_s[first]) else 0.0
    zero: pd.Timestamp = run["timestamp"].iloc[first] - pd.Timedelta(seconds=float(ahead_s))
    return zero


def _find_marks(tables: RunTables, selection: Selection) -> list[tuple[float, str]]:
    """The last few events of the stretch, by their time in the run."""
    events = tables.events
    if tables.started is None or events.empty:
        return []
    own = events[events["kind"].isin(MARKED_KINDS)].dropna(subset=["timestamp"])
    at_s = (own["timestamp"] - tables.started).dt.total_seconds().to_numpy(dtype=np.float64)
    inside = _are_inside(at_s, selection)
    names = [_name_event(*event) for event in own.loc[inside, ["kind", "message", "data"]].itertuples(index=False)]
    return list(zip(map(float, at_s[inside]), names, strict=True))[-MAX_MARKS:]


def _name_event(kind: object, message: object, data: object) -> str:
    if kind == "cell" and isinstance(data, Mapping) and isinstance(data.get("cell"), str):
        return make_printable(data["cell"])
    return make_printable(message if kind == "mark" and isinstance(message, str) else kind)
