"""Render a report as plain text, for a terminal: the headline, the verdicts, and each service with its lines."""

from memanalysis._tables import render_text_table
from memanalysis._text import make_printable
from memanalysis.reports.facts import describe_line_growth, describe_no_sites, describe_range
from memanalysis.reports.report_model import ReportModel, ServiceSection
from memanalysis.reports.report_tables import (
    MAX_ROWS_IN_TEXT,
    describe_more_runs,
    find_held_places,
    site_table,
    verdict_table,
)
from memanalysis.reports.verdict_cells import render_cells

__all__ = ["render_text"]

MAX_SECTIONS = 5
"""Services with a part of their own, the worst first; the table has them all."""


def render_text(report: ReportModel) -> str:
    """Return the report as text; pictures, breaches and events are left to the other formats."""
    parts = [f"{report.title}: {report.headline}", f"{report.ledger}, {describe_range(report.started, report.ended)}"]
    if report.fleet is not None:
        parts.append(report.fleet.pivot.sentence)
    if len(report.verdicts):
        table = verdict_table(report.verdicts, max_rows=MAX_ROWS_IN_TEXT, held_places=find_held_places(report))
        more = describe_more_runs(report.verdicts, table)
        parts += [render_text_table(table), *([more] if more else [])]
    parts += [part for section in report.sections[:MAX_SECTIONS] for part in _render_section(section)]
    if report.damage:
        count = len(report.damage)
        parts.append(f"{count} {'part' if count == 1 else 'parts'} of the ledger could not be read.")
    parts.append("to_html() and to_markdown() give the whole report.")
    return "\n".join(make_printable(line) for part in parts for line in part.split("\n"))


def _render_section(section: ServiceSection) -> list[str]:
    table = site_table(section, short=True)
    lines = [render_text_table(table), describe_line_growth(section)] if table.rows else [describe_no_sites(section)]
    return ["", *_render_post_mortem(section), render_cells(section.verdict).sentence, *lines]


def _render_post_mortem(section: ServiceSection) -> list[str]:
    """Return what to do next, the source text and what is known of the end; nothing for what ended in order."""
    found = section.post_mortem
    if found is None:
        return []
    steps = [f"  {number}. {step}" for number, step in enumerate(found.next_steps, start=1)]
    source = [line for each in found.sources for line in ("", *each.render().splitlines())]
    facts = [f"  {name}: {text}" for name, text in found.facts]
    return [*(["What to do next:", *steps] if steps else []), *source, "", "How it ended:", *facts, ""]
