"""Draw memory over time: one series with its growth and budgets, and the lines that hold the most.

Charts are drawn on Axes that the caller gives; nothing here touches pyplot or any other state that charts share.
`render_svg` makes a picture whose colours are CSS variables, so that one picture reads well on light and on dark.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from memanalysis.reports.chart_records import Level, SeriesChart, SiteLine
from memanalysis.reports.theme import CSS_COLOURS, LIGHT, ChartColours
from memanalysis.units import GIB, KIB, MIB, TIB, format_bytes

__all__ = [
    "choose_byte_unit",
    "draw_frame",
    "draw_series",
    "draw_sites",
    "render_png",
    "render_svg",
    "write_text",
]


REACH = 2.0
"""A budget is drawn to scale when it lies no further above the series than this many times the height of the series."""

MIN_SPAN_SHARE = 0.1
"""The axis spans at least this share of the level, lest the noise of a flat series fill the chart."""

LINE_STYLES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (7, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))
"""Lines differ in their dashes and their markers, not in colour alone."""

LINE_MARKERS = ("o", "s", "^", "D", "v")

POINTS = 72
"""SVG has this many of its units an inch in matplotlib; one is shown as one CSS pixel."""

LEFT_PX, RIGHT_PX, BOTTOM_PX, TOP_PX = 64, 10, 44, 10
"""Margins of a picture: the same in all, so that the charts of a page stand in one line."""

LEGEND_ROW_PX, LEGEND_LINE_PX, LETTER_PX = 19, 48, 6.4
"""Space for a row of the legend, for the piece of line before a name, and for a letter, at 11 px."""

LEVEL_TEXT_PX = 15
"""Space for the name of a budget beside its line, at 10 px."""

_BYTE_UNITS = ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"))
_TIME_UNITS = ((2 * 86400.0, 86400.0, "days"), (2 * 3600.0, 3600.0, "hours"), (180.0, 60.0, "minutes"))


def draw_series(ax: Axes, chart: SeriesChart, *, colours: ChartColours = LIGHT) -> None:
    """Draw memory over time, its fitted growth or baselines, its budgets and its marks."""
    if chart.elapsed_s.size == 0:
        _show_empty(ax, "no values were recorded", colours)
        return
    low, high = _value_limits(chart)
    factor, unit = choose_byte_unit(high)
    seconds, time_unit = _time_unit(float(chart.elapsed_s[-1]))
    draw_frame(ax, colours, ylabel=f"{chart.name} ({unit})", xlabel=f"time since start ({time_unit})")
    marker = "o" if chart.elapsed_s.size < 3 else None
    ax.plot(
        chart.elapsed_s / seconds,
        chart.values / factor,
        color=colours.series,
        linewidth=1.6,
        marker=marker,
        label="measured",
    )
    if chart.line_s is not None and chart.line_bytes is not None:
        ax.plot(
            chart.line_s / seconds, chart.line_bytes / factor,
            color=colours.line, linewidth=2, linestyle=(0, (4, 2)), label=chart.line_name,
        )  # fmt: skip
    if chart.window_s is not None and chart.window_bytes is not None and chart.window_s.size:
        ax.plot(
            chart.window_s / seconds, chart.window_bytes / factor,
            color=colours.line, linestyle="none", marker="D", markersize=5, label="baselines of windows",
        )  # fmt: skip
    ax.set_ylim(low / factor, high / factor)
    ax.margins(x=0.01)
    shades = cycle((colours.series, colours.line))  # ranges that are compared stand beside each other
    for span in chart.spans:
        colour = colours.budget if span.is_breach else next(shades)
        ax.axvspan(span.start_s / seconds, span.end_s / seconds, color=colour, alpha=0.14, linewidth=0)
        write_text(
            ax, span.start_s / seconds, 0.99, f" {span.name}", colour,
            va="top", ha="left", transform=ax.get_xaxis_transform(),
        )  # fmt: skip
    for at, name in chart.marks:
        ax.axvline(at / seconds, color=colours.mark, linewidth=1, linestyle=(0, (1, 2)))
        write_text(
            ax,
            at / seconds,
            0.02,
            f" {name}",
            colours.mark,
            rotation=90,
            va="bottom",
            ha="left",
            transform=ax.get_xaxis_transform(),
        )
    _draw_levels(ax, chart.levels, high=high, factor=factor, colours=colours)
    _draw_legend(ax, colours)


def draw_sites(ax: Axes, sites: Sequence[SiteLine], *, until_s: float = 0.0, colours: ChartColours = LIGHT) -> None:
    """Draw what up to five allocation sites hold over time, until this moment at least: the last table comes before."""
    shown = [site for site in sites if site.elapsed_s.size][: len(LINE_STYLES)]
    if not shown:
        _show_empty(ax, "no allocation sites were recorded", colours)
        return
    factor, unit = choose_byte_unit(max(float(site.values.max()) for site in shown))
    longest_s = max(until_s, *(float(site.elapsed_s[-1]) for site in shown))
    seconds, time_unit = _time_unit(longest_s)
    draw_frame(ax, colours, ylabel=f"held by the line ({unit})", xlabel=f"time since start ({time_unit})")
    for site, colour, style, marker in zip(shown, colours.sites, LINE_STYLES, LINE_MARKERS, strict=False):
        ax.plot(
            site.elapsed_s / seconds, site.values / factor,
            color=colour, linestyle=style, marker=marker, markersize=4, linewidth=1.6, label=site.name,
        )  # fmt: skip
    ax.set_xlim(0, 1.02 * longest_s / seconds)
    ax.set_ylim(bottom=0)
    _draw_legend(ax, colours)


def render_svg(draw: Callable[[Axes], None], *, width_px: int, height_px: int, salt: str) -> str:
    """Picture of what `draw` puts on its Axes, as an ``<svg>`` element for a page.

    Parameters
    ----------
    draw : callable
        Draws with `CSS_COLOURS`.
    width_px, height_px : int
        Size in CSS pixels; the picture scales with the width it is given.
    salt : str
        Makes the ids inside the picture differ from those of the page's other pictures, and the same in every run.

    Notes
    -----
    Text stays text and takes the page's font; no date, no metadata, nothing is fetched.
    """
    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": salt, "font.size": 11, "path.simplify": False}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width_px / POINTS, height_px / POINTS))
        FigureCanvasSVG(figure)
        figure.patch.set_alpha(0)
        ax = figure.add_subplot()
        ax.patch.set_alpha(0)
        figure.subplots_adjust(left=LEFT_PX / width_px, right=1 - RIGHT_PX / width_px, bottom=BOTTOM_PX / height_px)
        draw(ax)
        rows = _legend_rows(ax)
        figure.subplots_adjust(top=1 - (TOP_PX + LEGEND_ROW_PX * rows) / height_px)
        sink = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(sink, format="svg", metadata=nothing)
    return _fit_for_page(sink.getvalue(), width_px, height_px)


def render_png(draw: Callable[[Axes], None], *, width_px: int, height_px: int, scale: float = 2.0) -> bytes:
    """Picture of what `draw` puts on its Axes, as PNG on white; `scale` makes it sharp on paper."""
    figure = Figure(figsize=(width_px / POINTS, height_px / POINTS), dpi=POINTS * scale, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    sink = io.BytesIO()
    figure.savefig(sink, format="png", metadata={"Software": None})
    return sink.getvalue()


def _fit_for_page(svg: str, width_px: int, height_px: int) -> str:
    """Leave out what a page does not need, and what would reach beyond the picture: global styles, namespaces, ids."""
    body = svg[svg.index("<svg") :]
    body = body[body.index(">") + 1 :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body).replace("xlink:href=", "href=")
    body = re.sub(r" font-family: [^;\"]*;| transform=\"rotate\(-0 [^\"]*\"", "", body)
    for field in fields(ChartColours):
        body = body.replace(getattr(CSS_COLOURS, field.name), f"var(--ma-{field.name.replace('_', '-')})")
    return f'<svg viewBox="0 0 {width_px} {height_px}" aria-hidden="true">{body.strip()}'


def _value_limits(chart: SeriesChart) -> tuple[float, float]:
    """Ends of the axis in bytes: the series, and those budgets that lie within reach of it."""
    low, high = float(chart.values.min()), float(chart.values.max())
    if chart.line_bytes is not None:
        low, high = min(low, float(chart.line_bytes.min())), max(high, float(chart.line_bytes.max()))
    span = max(high - low, MIN_SPAN_SHARE * high, 1.0)
    top = max([high, *(level.size_bytes for level in chart.levels if high < level.size_bytes <= high + REACH * span)])
    bottom = low - 0.08 * span - (span - (high - low)) / 2
    return (0.0 if bottom < 0.25 * high else bottom), top + 0.12 * (top - max(0.0, bottom)) + (span - (high - low)) / 2


def choose_byte_unit(largest: float) -> tuple[int, str]:
    """Return the unit that suits an axis: its bytes, and its name."""
    return next(((factor, unit) for factor, unit in _BYTE_UNITS if largest >= factor), (1, "bytes"))


def _time_unit(longest_s: float) -> tuple[float, str]:
    return next(((length, unit) for least, length, unit in _TIME_UNITS if longest_s >= least), (1.0, "seconds"))


def draw_frame(ax: Axes, colours: ChartColours, *, xlabel: str, ylabel: str) -> None:
    """Draw the axes with their titles and a grid."""
    ax.set_xlabel(xlabel, color=colours.text)
    ax.set_ylabel(ylabel, color=colours.text)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_parse_math(False)
    ax.tick_params(colors=colours.text, length=3)
    ax.grid(visible=True, color=colours.grid, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5))
    ax.ticklabel_format(axis="both", style="plain", useOffset=False)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(colours.mark)


def _draw_levels(ax: Axes, levels: Sequence[Level], *, high: float, factor: int, colours: ChartColours) -> None:
    """Lines of the budgets in sight, and a note on the least of those above; no name stands on another or on a line.

    A name stands above its line, or below it where the next line is too near. Between two near lines there is none.
    """
    seen = sorted((level for level in levels if level.size_bytes <= high), key=lambda level: -level.size_bytes)
    above = sorted((level for level in levels if level.size_bytes > high), key=lambda level: level.size_bytes)
    places = [(0.99, "right"), (0.5, "center"), (0.01, "left")]
    places = places[::-1] if above else places  # the note on what is above stands on the right
    bottom, top = ax.get_ylim()
    sizes = [level.size_bytes / factor for level in seen]
    edges_px = ax.bbox.height * POINTS / ax.figure.dpi * (np.array([top, *sizes, bottom]) - bottom) / (top - bottom)
    for number, level in enumerate(seen):
        at, align = places[number % len(places)]
        ax.axhline(sizes[number], color=colours.budget, linewidth=1.4, linestyle=(0, (6, 2)))
        above_px, below_px = -np.diff(edges_px[number : number + 3])
        if max(above_px, below_px) < LEVEL_TEXT_PX:
            continue
        text = f"{level.name} {format_bytes(level.size_bytes)}"
        write_text(
            ax,
            at,
            sizes[number],
            text,
            colours.budget,
            va="bottom" if above_px >= LEVEL_TEXT_PX else "top",
            ha=align,
            transform=ax.get_yaxis_transform(),
        )
    if above:
        text = f"{above[-1].name} {format_bytes(above[-1].size_bytes)}: above this chart"
        write_text(ax, 0.99, 0.985, text, colours.budget, va="top", ha="right", transform=ax.transAxes)


def _draw_legend(ax: Axes, colours: ChartColours) -> None:
    """Names of the lines above the chart, where they cover nothing; as many beside each other as fit."""
    labels = [str(line.get_label()) for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
    legend = ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncol=_legend_columns(ax, labels),
        frameon=False, labelcolor=colours.text, borderaxespad=0.2, handlelength=2.6,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _legend_columns(ax: Axes, labels: Sequence[str]) -> int:
    axes_px = ax.bbox.width * POINTS / ax.figure.dpi
    return min(len(labels), max(1, int(axes_px // (max(map(len, labels)) * LETTER_PX + LEGEND_LINE_PX))))


def _legend_rows(ax: Axes) -> int:
    legend = ax.get_legend()
    labels = [text.get_text() for text in legend.get_texts()] if legend else []
    return -(-len(labels) // _legend_columns(ax, labels)) if labels else 0


def write_text(ax: Axes, x: float, y: float, text: str, colour: str, **place: Any) -> None:
    """Write text as it stands: a dollar sign in a name is no formula."""
    ax.text(x, y, text, color=colour, fontsize=10, parse_math=False, **place)


def _show_empty(ax: Axes, text: str, colours: ChartColours) -> None:
    ax.set_axis_off()
    write_text(ax, 0.5, 0.5, text, colours.text, va="center", ha="center", transform=ax.transAxes)
