"""Render a trend as HTML for a browser and for a notebook: one page, no scripts, nothing fetched."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memanalysis._html import Markup, render_template
from memanalysis._text import make_printable
from memanalysis._version import __version__
from memanalysis.reports.styles import render_styles
from memanalysis.reports.trend_pages import NOTES, list_parts
from memanalysis.reports.verdict_cells import known_number
from memanalysis.reports.week_charts import WeekChart, render_weeks
from memanalysis.verdicts.trend_facts import TrendFacts
from memanalysis.verdicts.trend_parts import STRETCHES

if TYPE_CHECKING:
    from memanalysis.reports.trend_report import Trend

__all__ = ["SmallPicture", "render_trend_fragment", "render_trend_page"]


@dataclass(frozen=True, slots=True)
class SmallPicture:
    """The chart of one service, its name, and the status of its leak."""

    service: str
    status: str
    svg: Markup


def render_trend_page(trend: "Trend") -> str:
    """Return a whole HTML document."""
    page = render_template("report_page.html.j2", report=trend, body=_render_body(trend), version=__version__)
    return f"{page}\n"


def render_trend_fragment(trend: "Trend") -> str:
    """Return the body alone, with its styles, fit for a notebook's output."""
    return str(_render_body(trend))


def _render_body(trend: "Trend") -> Markup:
    facts = trend.facts
    budgets = "the policy's" if trend.has_policy else "none: no policy was given, only limits in the ledger count"
    growth, *parts = list_parts(trend)
    return render_template(
        "trend_body.html.j2",
        trend=trend,
        version=__version__,
        styles=render_styles(),
        facts_of_ledger=[
            ("Ledger", trend.ledger),
            ("Weeks", f"{facts.since:%Y-%m-%d %H:%M} to {facts.until:%Y-%m-%d %H:%M} UTC"),
            ("Services", f"{len(facts.services):,}"),
            ("Budgets", budgets),
        ],
        growth=growth,
        pictures=[_draw(facts, row, number) for number, row in enumerate(facts.services.head(trend.top).index)],
        parts=parts,
        notes=NOTES,
    )


def _draw(facts: TrendFacts, row: int, number: int) -> SmallPicture:
    service = facts.services.loc[row]
    name = service["service"]
    curve = facts.curves[facts.curves["service"] == name]
    starts = facts.starts[facts.starts["service"] == name].sort_values("first")
    marks = facts.marks[facts.marks["service"] == name]
    chart = WeekChart(
        begin=facts.curve_begin,
        end=facts.until,
        timestamps=curve["timestamp"],
        low_bytes=curve["low_bytes"],
        middle_bytes=curve["middle_bytes"],
        high_bytes=curve["high_bytes"],
        stretch_s=float((facts.until - facts.curve_begin).total_seconds()) / STRETCHES,
        releases=list(zip(starts["first"], starts["release"].map(str), strict=True)),
        marks=list(zip(marks["timestamp"], marks["message"], strict=True)),
        deaths=facts.deaths.loc[facts.deaths["service"] == name, "last"].tolist(),
        limit_bytes=known_number(service["limit_bytes"]),
    )
    status = service["status"] if isinstance(service["status"], str) else ""
    return SmallPicture(make_printable(name), status, render_weeks(chart, salt=f"weeks-{number}"))
