"""What does a report look like as Markdown: a table of verdicts and a part for every service, for an issue or a review.

Text from the ledger is escaped: it makes neither a link nor a heading nor HTML.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.reports.facts import (
    describe_budget,
    describe_evidence,
    describe_forecast,
    describe_no_sites,
    describe_range,
)
from memanalysis.reports.report_model import ReportModel, ServiceSection
from memanalysis.reports.verdict_cells import render_all_cells, render_cells, render_place
from memanalysis.units import format_bytes, format_duration

if TYPE_CHECKING:
    from memanalysis.reports.report_model import ServiceSection

__all__ = ["escape_markdown", "render_markdown", "render_verdicts_markdown"]

MAX_DAMAGE = 50
"""Records of what was left out that a report lists."""

_SPECIAL = re.compile(r"([\\`*{}\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_]))")
"""What Markdown reads as markup inside a line; an underscore within a word is none."""


def render_markdown(report: ReportModel) -> str:
    """The whole report."""
    parts = [
        f"# {escape_markdown(report.title)}",
        f"**{escape_markdown(report.headline)}**",
        f"Ledger: {escape_markdown(make_printable(report.ledger))}  \n"
        f"Recorded: {describe_range(report.started, report.ended)}",
        render_verdicts_markdown(report.verdicts).rstrip("\n"),
    ]
    for section in report.sections:
        parts += _section_or_note(section)
    if report.n_services > len(report.sections):
        parts.append(f"{report.n_services - len(report.sections)} more services are in the table only.")
    parts += _damage(report)
    return "\n\n".join(parts) + "\n"


def render_verdicts_markdown(verdicts: pd.DataFrame) -> str:
    """The verdict frame alone, as a table."""
    cells = render_all_cells(verdicts)
    services = [cell.service for cell in cells]
    rows = [
        (
            cell.service if services.count(cell.service) == 1 else f"{cell.service} (run {cell.run})",
            cell.shape,
            cell.leak,
            cell.severity,
            _with_interval(cell.growth, cell.growth_interval),
            _with_interval(cell.time, cell.time_interval),
            cell.guilty,
        )
        for cell in cells
    ]
    titles = ("service", "shape", "leak", "severity", "growth an hour", "time to budget", "guilty line")
    return _table(titles, rows, right=(4, 5))


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it stands within a line, a heading or a cell."""
    return _SPECIAL.sub(r"\\\1", text)


def _section_or_note(section: "ServiceSection") -> list[str]:
    try:
        return _section(section)
    except Exception as exc:  # the boundary of a service: whatever it holds, the others are shown
        what = f"The part of {section.service} cannot be written: {type(exc).__name__}: {exc}"
        return [escape_markdown(make_printable(what))]


def _damage(report: ReportModel) -> list[str]:
    if not report.damage:
        return []
    rows = [(make_printable(record.file), make_printable(record.describe())) for record in report.damage[:MAX_DAMAGE]]
    more = len(report.damage) - len(rows)
    return [
        "## Left out",
        _table(("file", "what was left out, and why"), rows).rstrip("\n"),
        *([f"{more:,} more records are not shown."] if more > 0 else []),
    ]


def _section(section: "ServiceSection") -> list[str]:
    cells = render_cells(section.verdict)
    parts = [
        f"## {escape_markdown(cells.service)}",
        escape_markdown(cells.sentence),
        "\n".join(f"- {escape_markdown(f'{name}: {text}')}" for name, text in describe_evidence(section.verdict)),
        escape_markdown(describe_budget(section)),
    ]
    if section.sites.empty:
        parts.append(escape_markdown(describe_no_sites(section)))
    else:
        rows = [
            (
                render_place(site["file"], site["line"], short=False),
                "" if pd.isna(site["function"]) else make_printable(site["function"]),
                format_bytes(site["growth_bytes"], sign=True),
                f"{site['share']:.0%}",
                format_bytes(site["peak_bytes"]),
                format_bytes(site["last_bytes"]),
            )
            for site in section.sites.to_dict("records")
        ]
        parts.append(
            _table(
                ("line", "function", "growth", "share of growth", "held at most", "at the end"),
                rows,
                right=(2, 3, 4, 5),
            ).rstrip("\n")
        )
    if not section.breaches.empty:
        breaches = [
            (
                breach["level"],
                f"{breach['first']:%Y-%m-%d %H:%M:%S} UTC",
                format_duration(breach["duration_s"]),
                format_bytes(breach["worst_bytes"]),
                format_bytes(breach["budget_bytes"]),
            )
            for breach in section.breaches.to_dict("records")
        ]
        parts.append(_table(("breach", "from", "for", "worst", "budget"), breaches, right=(2, 3, 4)).rstrip("\n"))
    if next_breach := describe_forecast(section):
        parts.append(escape_markdown(next_breach))
    return parts


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    rule = ["---:" if at in right else "---" for at in range(len(titles))]
    lines = [titles, rule, *([escape_markdown(str(cell)) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _with_interval(value: str, interval: str) -> str:
    return f"{value} ({interval})" if interval else value
