"""Render a report as Markdown, for an issue or a review: a table of verdicts and a part for every service.

Text from the ledger is escaped: it makes neither a link nor a heading nor HTML.
"""

import pandas as pd

from memanalysis._tables import escape_markdown, render_markdown_table
from memanalysis._text import make_printable
from memanalysis.reports.facts import (
    describe_budget,
    describe_evidence,
    describe_forecast,
    describe_no_sites,
    describe_range,
)
from memanalysis.reports.report_model import ReportModel, ServiceSection
from memanalysis.reports.report_tables import breach_table, damage_table, site_table, verdict_table
from memanalysis.reports.verdict_cells import render_cells

__all__ = ["render_markdown", "render_verdicts_markdown"]


def render_markdown(report: ReportModel) -> str:
    """Return the whole report."""
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
    """Return the verdict frame alone, as a table."""
    return render_markdown_table(verdict_table(verdicts))


def _section_or_note(section: "ServiceSection") -> list[str]:
    try:
        return _section(section)
    except Exception as exc:  # the boundary of a service: whatever it holds, the others are shown
        what = f"The part of {section.service} cannot be written: {type(exc).__name__}: {exc}"
        return [escape_markdown(make_printable(what))]


def _damage(report: ReportModel) -> list[str]:
    if not report.damage:
        return []
    table = damage_table(report)
    more = len(report.damage) - len(table.rows)
    return [
        "## Left out",
        render_markdown_table(table).rstrip("\n"),
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
    if section.open_cell is not None:
        source = [f"    {make_printable(line)}" for line in section.open_cell.source.splitlines()]
        parts.insert(2, "\n".join([f"**{escape_markdown(section.open_cell.describe())}**", "", *source]))
    if section.sites.empty:
        parts.append(escape_markdown(describe_no_sites(section)))
    else:
        parts.append(render_markdown_table(site_table(section, short=False)).rstrip("\n"))
    if not section.breaches.empty:
        parts.append(render_markdown_table(breach_table(section)).rstrip("\n"))
    if next_breach := describe_forecast(section):
        parts.append(escape_markdown(next_breach))
    return parts
