"""Draw the small charts of a trend: the sizes of one service over some weeks, and what happened meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from memanalysis._html import Markup
from memanalysis._text import make_printable
from memanalysis.reports.charts import choose_byte_unit, draw_frame, render_svg, write_text
from memanalysis.reports.theme import CSS_COLOURS, LIGHT, ChartColours
from memanalysis.units import format_bytes

__all__ = ["WeekChart", "draw_weeks", "render_weeks"]

SIZE_PX = (300, 190)

REACH = 2.0
"""A limit is drawn where it is no higher than this many times the highest size."""

MAX_LINES = 6
"""More vertical lines of releases, or of marks, would hide the curve; the last ones are drawn."""

MAX_LETTERS = 12
"""Of the name of a release or the text of a mark."""

END_SHARE = 0.9
"""From this part of the axis on a date stands left of its tick: it would be cut off at the edge."""

DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekChart:
    """What is drawn of one service.

    Parameters
    ----------
    begin, end : Timestamp
        The ends of the axis.
    timestamps : Series of Timestamp
        Middles of the stretches of time.
    low_bytes, middle_bytes, high_bytes : Series of float
        The least, the median and the highest size in each.
    stretch_s : float
        Seconds of a stretch; a longer gap is not bridged.
    releases : sequence of (Timestamp, str)
        When each release was first seen, and its name.
    marks : sequence of (Timestamp, str)
        When each mark was set first, and its text.
    deaths : sequence of Timestamp
        Last samples of the runs that did not end in order.
    limit_bytes : float or None
        Budget or limit.
    """

    begin: pd.Timestamp
    end: pd.Timestamp
    timestamps: "pd.Series[pd.Timestamp]"
    low_bytes: "pd.Series[float]"
    middle_bytes: "pd.Series[float]"
    high_bytes: "pd.Series[float]"
    stretch_s: float
    releases: Sequence[tuple[pd.Timestamp, str]]
    marks: Sequence[tuple[pd.Timestamp, str]]
    deaths: Sequence[pd.Timestamp]
    limit_bytes: float | None


def render_weeks(chart: WeekChart, *, salt: str) -> Markup:
    """Return the chart as SVG whose colours are those of the page."""
    width, height = SIZE_PX
    svg = render_svg(lambda ax: draw_weeks(ax, chart, colours=CSS_COLOURS), width_px=width, height_px=height, salt=salt)
    return Markup(svg)


def draw_weeks(ax: Axes, chart: WeekChart, *, colours: ChartColours = LIGHT) -> None:
    """Draw the median of each stretch as a line, and from the least to the highest size as a band."""
    if chart.timestamps.empty:
        ax.set_axis_off()
        write_text(ax, 0.5, 0.5, "no sizes are known", colours.text, va="center", ha="center", transform=ax.transAxes)
        return
    highest = float(chart.high_bytes.max())
    is_limit_near = chart.limit_bytes is not None and chart.limit_bytes <= REACH * highest
    top = max(highest, chart.limit_bytes or 0.0) if is_limit_near else highest
    factor, unit = choose_byte_unit(top)
    draw_frame(ax, colours, xlabel="date (UTC)", ylabel=f"memory ({unit})")
    days = ((chart.timestamps - chart.begin).dt.total_seconds() / DAY_S).to_numpy(dtype=np.float64)
    sizes = [
        series.to_numpy(dtype=np.float64) / factor for series in (chart.low_bytes, chart.middle_bytes, chart.high_bytes)
    ]
    gaps = np.flatnonzero(np.diff(days) > 1.5 * chart.stretch_s / DAY_S) + 1
    low, middle, high = (np.insert(values, gaps, np.nan) for values in sizes)
    days = np.insert(days, gaps, days[gaps] if gaps.size else [])
    ax.fill_between(days, low, high, color=colours.series, alpha=0.25, linewidth=0)
    ax.plot(days, middle, color=colours.series, linewidth=1.4, marker="o" if days.size < 3 else None)
    for lines, height, side in ((chart.releases, 0.02, "bottom"), (chart.marks, 0.98, "top")):
        for moment, name in list(lines)[-MAX_LINES:]:
            at = _count_days(chart.begin, moment)
            ax.axvline(at, color=colours.mark, linewidth=0.8, linestyle=(0, (1, 2)))
            write_text(
                ax, at, height, f" {make_printable(name)[:MAX_LETTERS]} ", colours.mark,
                rotation=90, va=side, ha="left", transform=ax.get_xaxis_transform(),
            )  # fmt: skip
    if chart.deaths:
        died = [_count_days(chart.begin, moment) for moment in chart.deaths]
        ax.plot(died, [0.04] * len(died), "x", color=colours.budget, markersize=6, transform=ax.get_xaxis_transform())
    if is_limit_near and chart.limit_bytes is not None:
        ax.axhline(chart.limit_bytes / factor, color=colours.budget, linewidth=1.2, linestyle=(0, (6, 2)))
        write_text(
            ax, 0.01, chart.limit_bytes / factor, f"limit {format_bytes(chart.limit_bytes)}", colours.budget,
            va="bottom", ha="left", transform=ax.get_yaxis_transform(),
        )  # fmt: skip
    ax.set_ylim(0.0, 1.15 * top / factor)
    span = max(_count_days(chart.begin, chart.end), 1e-6)
    ax.set_xlim(-0.01 * span, 1.01 * span)
    ticks = _choose_ticks(chart.begin, chart.end)
    at_days = [_count_days(chart.begin, tick) for tick in ticks]
    ax.set_xticks(at_days, [_name_tick(tick, span) for tick in ticks])
    for at, label in zip(at_days, ax.get_xticklabels(), strict=True):
        if at > END_SHARE * span:
            label.set_horizontalalignment("right")


def _choose_ticks(begin: pd.Timestamp, end: pd.Timestamp) -> list[pd.Timestamp]:
    """Return three or four moments: midnights where days are shown, else parts of the whole."""
    days = _count_days(begin, end)
    if days < 3:
        return [begin, begin + (end - begin) / 2, end]
    step = max(1, round(days / 3))
    first = begin.ceil("D")
    moments = [first + pd.Timedelta(days=number * step) for number in range(4)]
    return [moment for moment in moments if moment <= end]


def _count_days(begin: pd.Timestamp, moment: pd.Timestamp) -> float:
    return float((moment - begin).total_seconds()) / DAY_S


def _name_tick(moment: pd.Timestamp, days: float) -> str:
    return f"{moment:%b} {moment.day}" if days >= 3 else f"{moment:%H:%M}" if days > 0.01 else f"{moment:%H:%M:%S}"
