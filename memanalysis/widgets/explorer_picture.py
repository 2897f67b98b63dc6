"""Draw what the explorer shows of one or two ranges, wide and narrow, and put it into words."""

import numpy as np
import pandas as pd

from memanalysis._html import render_macro
from memanalysis._tables import CellText, Column, Table
from memanalysis.reports.chart_records import SeriesChart, Span
from memanalysis.units import format_bytes, format_duration, format_growth
from memanalysis.widgets.explorer_view import View
from memanalysis.widgets.live_chart import LiveChart, LiveLine, Shade, draw_live_chart
from memanalysis.widgets.run_rows import METRICS

__all__ = ["describe_range", "draw_explorer", "make_change_table", "make_explorer_chart"]


RANGE_COLOURS = {"A": "--ma-site-2", "B": "--ma-site-1"}
"""Shades of the two ranges that are compared."""


def make_explorer_chart(view: View, other: View | None = None) -> SeriesChart:
    """Return what is drawn: of two ranges both, and all between them where they overlap."""
    elapsed_s, values, spans = view.elapsed_s, view.values, list(view.breaches)
    if other is not None:
        points = pd.Series(values, index=elapsed_s).combine_first(pd.Series(other.values, index=other.elapsed_s))
        elapsed_s, values = (np.asarray(each, dtype=np.float64) for each in (points.index, points))
        spans += other.breaches
        for name, each in (("A", view), ("B", other)):
            spans.append(Span(name, each.selection.start_s, each.selection.end_s, is_breach=False))
    line = view.line if other is None else None
    return SeriesChart(
        name=METRICS[view.selection.metric],
        elapsed_s=elapsed_s,
        values=values,
        line_s=None if line is None else line.elapsed_s,
        line_bytes=None if line is None else line.size_bytes,
        line_name="" if line is None else line.name,
        window_s=None if line is None else line.window_s,
        window_bytes=None if line is None else line.window_bytes,
        levels=view.levels,
        marks=sorted({*view.marks, *(() if other is None else other.marks)}),
        spans=spans,
    )


def draw_explorer(chart: SeriesChart, view: View, other: View | None = None) -> str:
    """Return the picture with its sentences."""
    latest = f", {format_bytes(view.values[-1])} at the end" if view.values.size else ""
    label = f"{chart.name} of {view.selection.service}{latest}"
    sentences = [view.sentence] if other is None else [f"A: {view.sentence}", f"B: {other.sentence}"]
    picture = draw_live_chart(_make_live_chart(chart, label))
    return str(render_macro("explorer.html.j2", "chart", picture, sentences))


def _make_live_chart(chart: SeriesChart, label: str) -> LiveChart:
    """The same as SVG that is written at once: Matplotlib takes some ten times as long."""
    drawn = [
        (chart.name, chart.elapsed_s, chart.values, "--ma-series", "", False),
        (chart.line_name, chart.line_s, chart.line_bytes, "--ma-line", "6 3", False),
        ("baselines of windows", chart.window_s, chart.window_bytes, "--ma-line", "", True),
    ]
    lines = [
        LiveLine(
            name=name,
            elapsed_s=elapsed_s.tolist(),
            values=values.tolist(),
            colour=colour,
            dashes=dashes,
            is_dotted=is_dotted,
        )
        for name, elapsed_s, values, colour, dashes, is_dotted in drawn
        if elapsed_s is not None and values is not None
    ]
    shades = [
        Shade(span.name, span.start_s, span.end_s, "--ma-budget" if span.is_breach else RANGE_COLOURS[span.name])
        for span in chart.spans
    ]
    return LiveChart(label=label, lines=lines, levels=chart.levels, marks=chart.marks, shades=shades)


def make_change_table(changes: pd.DataFrame) -> Table:
    """Return level and growth of two ranges beside each other."""
    rows: list[list[CellText]] = []
    for row in changes.to_dict("records"):
        render = format_bytes if row["what"] == "level_bytes" else format_growth
        low, high = (render(row[end]) for end in ("low", "high"))
        rows.append(
            [
                "level" if row["what"] == "level_bytes" else "growth",
                render(row["before"]),
                render(row["after"]),
                f"{low} to {high}",
                str(row["verdict"]),
            ]
        )
    titles = ("A", "B", "change (95 % interval)")
    return Table([Column("what"), *(Column(title, "number") for title in titles), Column("B is")], rows, label="Change")


def describe_range(view: View) -> str:
    """Return begin, end and length of the range in words."""
    selection = view.selection
    length = format_duration(selection.end_s - selection.start_s)
    if view.started is None:
        return f"{length}, {view.elapsed_s.size} points"
    first, last = (view.started + pd.Timedelta(seconds=at) for at in (selection.start_s, selection.end_s))
    same_day = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S} to {same_day} UTC, {length}"
