"""Read what the dashboard shows of a run: its verdict, figures, picture, growing lines and events. No widgets.

The verdict is that of ``Recorder.assess()``. Nothing is judged here: the forecast extends the verdict's own slope.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from memanalysis._tables import Cell, CellText, Column, Table
from memanalysis._text import make_printable
from memanalysis.analysis.verdict import Verdict
from memanalysis.policy.model import Policy
from memanalysis.reports.chart_records import Level
from memanalysis.reports.verdict_cells import render_place, render_time_interval
from memanalysis.schema import SAMPLED_METRIC, Row
from memanalysis.units import bytes_from_mb, format_bytes, format_duration
from memanalysis.watcher.growing_lines import GrowingLine
from memanalysis.watcher.live_verdict import LiveRun
from memanalysis.watcher.recorder import Recorder
from memanalysis.watcher.status import RecorderStatus
from memanalysis.widgets.live_chart import Forecast, LiveChart, LiveLine

__all__ = ["DashboardView", "make_event_table", "make_levels", "make_line_table", "read_dashboard_view"]

SHOWN_LINES = {
    "rss_bytes": ("resident memory", "--ma-series", ""),
    "traced_bytes": ("traced by Python", "--ma-site-3", "6 3"),
    SAMPLED_METRIC: ("sampled", "--ma-site-3", "6 3"),
}
"""What is drawn: the column, its name, its colour and its dashes."""

MARKED_KINDS = ("mark", "cell", "breach", "alert", "cleanup", "restart", "error")
"""Events that are drawn: those that something may have happened to memory with."""

MAX_MARKS = 8
LONGEST_MARK = 24
MAX_EVENTS = 8
"""Rows of the table of events: the last ones."""

FORECAST_SHARE = 0.3
"""Part of the time that was watched that the picture extends into the future, at most."""

NO_LINES = {
    "off": "Lines are not followed in this run.",
    "windows": "Lines are followed only while memory is seen to grow. The report on the ledger names them.",
    "full": "No line has grown since the first snapshot.",
    "sampled": "No line has grown by more than the error of the sample.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardView:
    """What is shown at one moment.

    Parameters
    ----------
    state : str
        Whether it watches.
    severity, sentence : str
        The verdict.
    figures : sequence of (str, str)
        Names and sizes.
    chart : LiveChart
    lines, events : Table
    no_lines : str
        Why there is no growing line; empty where there is one.
    """

    state: str
    severity: str
    sentence: str
    figures: Sequence[tuple[str, str]]
    chart: LiveChart
    lines: Table
    events: Table
    no_lines: str


def read_dashboard_view(
    recorder: Recorder, lines: Sequence[GrowingLine], *, budget_bytes: float | None = None
) -> DashboardView:
    """Read what a recorder knows by now.

    Parameters
    ----------
    recorder : Recorder
    lines : sequence of GrowingLine
        Read more rarely than the rest, because the table of a large program takes longer.
    budget_bytes : float, optional
        A further budget, such as that of a notebook's cells.
    """
    status, live, verdict = recorder.status(), recorder.live, recorder.assess()
    runtime = recorder.policy_runtime
    levels = make_levels(
        None if runtime is None else runtime.policy,
        status.service,
        limit_bytes=None if live is None else live.limit_bytes,
        other=budget_bytes,
    )
    chart = _make_chart(live, levels, verdict, status.service)
    is_open = verdict is None or verdict.shape == "inconclusive"
    return DashboardView(
        state=f"{'Watching' if status.running else 'Stopped:'} {make_printable(status.service)}.",
        severity="unknown" if is_open or verdict is None else verdict.severity,
        sentence="Nothing is known yet." if verdict is None else make_printable(verdict.sentence),
        figures=_list_figures(chart, levels, verdict, status, None if runtime is None else runtime.used_bytes),
        chart=chart,
        lines=make_line_table(lines),
        events=make_event_table(() if live is None else live.events),
        no_lines="" if lines else NO_LINES.get(status.trace, NO_LINES["off"]),
    )


def make_levels(
    policy: Policy | None, service: str, *, limit_bytes: float | None = None, other: float | None = None
) -> list[Level]:
    """Return the budgets of a service, from the lowest to the highest."""
    levels = []
    if policy is not None:
        budget = policy.budget_for(service)
        sizes = {"warning": budget.warning_mb, "critical": budget.critical_mb, "budget": budget.max_memory_mb}
        levels = [Level(name, bytes_from_mb(size)) for name, size in sizes.items()]
    if other is not None:
        levels.append(Level("cell budget", other))
    if limit_bytes is not None:
        levels.append(Level("container limit", limit_bytes))
    return sorted(levels, key=lambda level: level.size_bytes)


def make_line_table(lines: Sequence[GrowingLine]) -> Table:
    """Return a row a growing line."""
    rows: list[list[CellText]] = [
        [
            Cell(
                render_place(line.file, line.line, short=True),
                kind="code",
                hint=render_place(line.file, line.line, short=False),
            ),
            format_bytes(line.growth_bytes, sign=True),
            "exact" if line.error_bytes is None else f"± {format_bytes(line.error_bytes)}",
        ]
        for line in lines
    ]
    return Table([Column("line"), Column("growth", "number"), Column("error", "number")], rows, label="Growing lines")


def make_event_table(events: Sequence[Row]) -> Table:
    """Return a row an event, the last ones, the newest first."""
    rows: list[list[CellText]] = [
        [
            datetime.fromtimestamp(event["timestamp"], tz=UTC).strftime("%H:%M:%S"),
            make_printable(event["kind"]),
            make_printable(event["message"] or ""),
        ]
        for event in list(events)[: -MAX_EVENTS - 1 : -1]
    ]
    return Table([Column("time (UTC)"), Column("event"), Column("message")], rows, label="Events")


def _make_chart(live: LiveRun | None, levels: Sequence[Level], verdict: Verdict | None, service: str) -> LiveChart:
    lines = [] if live is None else _read_lines(live)
    if live is None or not lines:
        return LiveChart(label="No sample yet", lines=())
    zero_s = min(line.elapsed_s[0] for line in lines)
    shifted = [
        LiveLine(
            name=line.name,
            elapsed_s=[at_s - zero_s for at_s in line.elapsed_s],
            values=line.values,
            colour=line.colour,
            dashes=line.dashes,
        )
        for line in lines
    ]
    latest = ", ".join(f"{line.name} {format_bytes(line.values[-1])}" for line in shifted)
    duration_s = max(line.elapsed_s[-1] for line in shifted)
    return LiveChart(
        label=f"Memory of {make_printable(service)} over {format_duration(duration_s)}: {latest}",
        lines=shifted,
        levels=levels,
        forecast=_make_forecast(verdict, duration_s),
        marks=_find_marks(live, zero_s),
    )


def _read_lines(live: LiveRun) -> list[LiveLine]:
    lines = []
    for metric, (name, colour, dashes) in SHOWN_LINES.items():
        elapsed_s, values = live.read_series(metric)
        if values:
            lines.append(LiveLine(name=name, elapsed_s=elapsed_s, values=values, colour=colour, dashes=dashes))
    return lines


def _make_forecast(verdict: Verdict | None, duration_s: float) -> Forecast | None:
    """Extend the slope of a leak and the ends of its interval; nothing is forecast of what is no leak."""
    if verdict is None or not verdict.is_leak or verdict.latest_bytes is None:
        return None
    slopes = (verdict.low_bytes_per_s, verdict.slope_bytes_per_s, verdict.high_bytes_per_s)
    if any(slope is None for slope in slopes):
        return None
    ahead_s = min(FORECAST_SHARE * duration_s, verdict.time_to_exhaustion_s or float("inf"))
    low, middle, high = (verdict.latest_bytes + (slope or 0.0) * ahead_s for slope in slopes)
    return Forecast(
        start_s=duration_s,
        end_s=duration_s + ahead_s,
        start_bytes=verdict.latest_bytes,
        low_bytes=low,
        middle_bytes=middle,
        high_bytes=high,
    )


def _find_marks(live: LiveRun, zero_s: float) -> list[tuple[float, str]]:
    if live.zero_s is None:
        return []
    started_s = live.zero_s + zero_s
    marked = [event for event in live.events if event["kind"] in MARKED_KINDS][-MAX_MARKS:]
    return [(event["timestamp"] - started_s, _name_event(event)) for event in marked]


def _name_event(event: Row) -> str:
    data = event["data"]
    if event["kind"] == "cell" and isinstance(data, dict):
        return make_printable(str(data.get("cell", "cell")))
    named = event["message"] if event["kind"] == "mark" and event["message"] else event["kind"]
    return make_printable(named)[:LONGEST_MARK]


def _list_figures(
    chart: LiveChart, levels: Sequence[Level], verdict: Verdict | None, status: RecorderStatus, used_bytes: int | None
) -> list[tuple[str, str]]:
    figures = []
    for line in chart.lines:
        change = format_bytes(line.values[-1] - line.values[0], sign=True)
        figures.append((line.name.capitalize(), f"{format_bytes(line.values[-1])}, {change} since the start"))
    limits = [level for level in levels if level.name not in ("warning", "critical")]
    lowest = min(limits, key=_size, default=None)
    if lowest is None:
        figures.append(("Budget", "none"))
    else:
        is_of_policy = lowest.name == "budget"  # what counts against it may be the family or the container
        now = used_bytes if is_of_policy else status.rss_bytes
        left = "" if now is None else _describe_left(lowest.size_bytes - now)
        reached = _name_level(levels, now) if is_of_policy and now is not None else ""
        figures.append((lowest.name.capitalize(), f"{format_bytes(lowest.size_bytes)}{left}{reached}"))
    if verdict is not None and verdict.is_leak and verdict.time_to_exhaustion_s is not None:
        ends = render_time_interval(
            verdict.time_to_exhaustion_s, verdict.time_to_exhaustion_low_s, verdict.time_to_exhaustion_high_s
        )
        figures.append(
            ("Time to the budget", format_duration(verdict.time_to_exhaustion_s) + (f" ({ends})" if ends else ""))
        )
    duration_s = max((line.elapsed_s[-1] for line in chart.lines), default=0.0)
    figures.append(("Watched for", f"{format_duration(duration_s)}, {status.ticks} samples"))
    return figures


def _describe_left(left_bytes: float) -> str:
    return f", {format_bytes(abs(left_bytes))} {'left' if left_bytes >= 0 else 'over'}"


def _size(level: Level) -> float:
    return level.size_bytes


def _name_level(levels: Sequence[Level], now: float) -> str:
    """Which threshold of the policy is reached."""
    reached = [level.name for level in levels if level.name in ("warning", "critical") and now >= level.size_bytes]
    return f": {reached[-1]}" if reached else ""
