"""Draw the charts of a service's part of a page: memory over time, and its growing lines, wide and narrow.

Each chart is made twice: text in a picture that shrinks with the screen would not be read on a narrow one. The page
shows the one that fits.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from memanalysis._html import Markup
from memanalysis.reports.chart_records import Level, SeriesChart, SiteLine
from memanalysis.reports.charts import draw_series, draw_sites, render_svg
from memanalysis.reports.report_model import ServiceSection
from memanalysis.reports.theme import CSS_COLOURS
from memanalysis.reports.verdict_cells import METRIC_NAMES, known_number, render_cells, render_place
from memanalysis.schema import BYTE_METRICS, COUNT_METRICS

__all__ = ["Picture", "draw_series_picture", "draw_sites_picture", "make_series_chart", "make_site_lines"]

WIDE_PX = (880, 300)
NARROW_PX = (430, 290)


@dataclass(frozen=True, slots=True)
class Picture:
    """One chart in two widths, as SVG, and what it shows in words."""

    caption: str
    wide: Markup
    narrow: Markup


def draw_series_picture(section: ServiceSection, *, salt: str) -> Picture:
    """Draw memory over time with its growth and budgets."""
    chart = make_series_chart(section)
    cells = render_cells(section.verdict)
    caption = f"{chart.name} of {cells.service}: {cells.sentence}"
    return _draw_twice(lambda ax: draw_series(ax, chart, colours=CSS_COLOURS), caption=caption, salt=salt)


def draw_sites_picture(section: ServiceSection, *, salt: str) -> Picture | None:
    """Draw what the leading lines of code hold over time; None where there is but one snapshot."""
    lines = make_site_lines(section)
    if not lines:
        return None
    caption = f"Bytes held over time by {', '.join(line.name for line in lines)}"
    until_s = float(section.series["elapsed_s"].max())
    return _draw_twice(
        lambda ax: draw_sites(ax, lines, until_s=until_s, colours=CSS_COLOURS), caption=caption, salt=salt
    )


def make_series_chart(section: ServiceSection) -> SeriesChart:
    """What `draw_series` draws of a service."""
    metric = str(section.verdict["metric"])
    metric = BYTE_METRICS[0] if metric in COUNT_METRICS else metric  # what piles up is a fact beside the memory
    return SeriesChart(
        name=METRIC_NAMES.get(metric, metric),
        elapsed_s=section.series["elapsed_s"].to_numpy(dtype=np.float64),
        values=section.series["size_bytes"].to_numpy(dtype=np.float64),
        line_s=section.line.elapsed_s if section.line else None,
        line_bytes=section.line.size_bytes if section.line else None,
        line_name=section.line.name if section.line else "",
        levels=_levels(section),
        marks=section.marks,
    )


def make_site_lines(section: ServiceSection) -> list[SiteLine]:
    """What `draw_sites` draws of a service."""
    return [
        SiteLine(
            name=render_place(str(file), known_number(line), short=True),
            elapsed_s=points["elapsed_s"].to_numpy(dtype=np.float64),
            values=points["size_bytes"].to_numpy(dtype=np.float64),
        )
        for (file, line), points in section.site_lines.groupby(["file", "line"], sort=False)
    ]


def _levels(section: ServiceSection) -> list[Level]:
    limit = known_number(section.verdict["limit_bytes"])
    levels = []
    if section.budget is not None:
        levels = [
            Level("warning", section.budget.warning_bytes),
            Level("critical", section.budget.critical_bytes),
            Level("budget", section.budget.max_bytes),
        ]
    if limit is not None and (section.budget is None or limit < section.budget.max_bytes):
        levels.append(Level("container limit", limit))
    return [level for level in levels if limit is None or level.size_bytes <= limit]


def _draw_twice(draw: Callable[[Axes], None], *, caption: str, salt: str) -> Picture:
    wide, narrow = (
        Markup(render_svg(draw, width_px=width, height_px=height, salt=f"{salt}-{width}"))
        for width, height in (WIDE_PX, NARROW_PX)
    )
    return Picture(caption, wide, narrow)
