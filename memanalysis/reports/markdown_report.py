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
    describe_line_growth,
    describe_no_sites,
    describe_range,
)
from memanalysis.reports.fleet_tables import make_fleet_tables
from memanalysis.reports.post_mortem import PostMortem
from memanalysis.reports.report_model import ReportModel, ServiceSection, find_leading
from memanalysis.reports.report_tables import (
    MAX_ROWS_IN_TEXT,
    breach_table,
    damage_table,
    describe_more_runs,
    find_held_places,
    site_table,
    verdict_table,
)
from memanalysis.reports.verdict_cells import render_cells

__all__ = ["render_markdown", "render_verdicts_markdown"]


def render_markdown(report: ReportModel) -> str:
    """Return the whole report."""
    leading = find_leading(report)
    parts = [
        f"# {escape_markdown(report.title)}",
        f"**{escape_markdown(report.headline)}**",
        *([] if leading is None else _next_steps(leading)),
        f"Ledger: {escape_markdown(make_printable(report.ledger))}  \n"
        f"Recorded: {describe_range(report.started, report.ended)}",
        *_fleet(report),
        *_verdicts(report),
    ]
    for section in report.sections:
        parts += _section_or_note(section, leading)
    if report.n_services > len(report.sections):
        parts.append(f"{report.n_services - len(report.sections)} more services have no part of their own.")
    parts += _damage(report)
    return "\n\n".join(parts) + "\n"


def render_verdicts_markdown(verdicts: pd.DataFrame) -> str:
    """Return the verdict frame alone, as a table of all rows."""
    return render_markdown_table(verdict_table(verdicts))


def _verdicts(report: ReportModel) -> list[str]:
    """Return the table of the worst runs, and how many more there are."""
    table = verdict_table(report.verdicts, max_rows=MAX_ROWS_IN_TEXT, held_places=find_held_places(report))
    more = describe_more_runs(report.verdicts, table)
    return [render_markdown_table(table).rstrip("\n"), *([more] if more else [])]


def _section_or_note(section: "ServiceSection", leading: PostMortem | None) -> list[str]:
    try:
        return _section(section, leading)
    except Exception as exc:  # the boundary of a service: whatever it holds, the others are shown
        what = f"The part of {section.service} cannot be written: {type(exc).__name__}: {exc}"
        return [escape_markdown(make_printable(what))]


def _fleet(report: ReportModel) -> list[str]:
    """Return what the services show together, and the heading of what is shown of each."""
    if report.fleet is None:
        return []
    parts = ["## The fleet", escape_markdown(make_printable(report.fleet.pivot.sentence))]
    for part in make_fleet_tables(report.fleet):
        parts += [f"### {part.title}", render_markdown_table(part.table).rstrip("\n")]
        if part.n_rows > len(part.table.rows):
            parts.append(f"The first {len(part.table.rows)} of {part.n_rows:,} rows.")
    return [*parts, "## Every run"]


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


def _post_mortem(found: PostMortem, *, is_leading: bool) -> list[str]:
    """Return what is known of the end of a run; where it does not lead the report, what to do next too."""
    parts = [] if is_leading else [f"**{escape_markdown(found.sentence)}**", *_next_steps(found)]
    for source in found.sources:
        parts.append("\n".join(f"    {make_printable(line)}" for line in source.render().splitlines()))
        if source.is_newer:
            parts.append("The file was changed after the run: it may be another line now.")
    facts = (f"- {escape_markdown(f'{name}: {text}')}" for name, text in found.facts)
    return [*parts, "\n".join(["**How it ended**", "", *facts])]


def _next_steps(found: PostMortem) -> list[str]:
    """Return what to do next, as one part or none."""
    steps = [f"{number}. {escape_markdown(step)}" for number, step in enumerate(found.next_steps, start=1)]
    return ["\n".join(["**What to do next**", "", *steps])] if steps else []


def _section(section: "ServiceSection", leading: PostMortem | None) -> list[str]:
    cells = render_cells(section.verdict)
    found = section.post_mortem
    parts = [
        f"## {escape_markdown(cells.service)}",
        *([] if found is None else _post_mortem(found, is_leading=found is leading)),
        escape_markdown(cells.sentence),
        "\n".join(f"- {escape_markdown(f'{name}: {text}')}" for name, text in describe_evidence(section.verdict)),
        escape_markdown(describe_budget(section)),
    ]
    if section.open_cell is not None:
        source = [f"    {make_printable(line)}" for line in section.open_cell.source.splitlines()]
        parts.insert(-2, "\n".join([f"**{escape_markdown(section.open_cell.describe())}**", "", *source]))
    if section.sites.empty:
        parts.append(escape_markdown(describe_no_sites(section)))
    else:
        parts.append(render_markdown_table(site_table(section, short=False)).rstrip("\n"))
        parts.append(escape_markdown(describe_line_growth(section)))
    if not section.breaches.empty:
        parts.append(render_markdown_table(breach_table(section)).rstrip("\n"))
    if next_breach := describe_forecast(section):
        parts.append(escape_markdown(next_breach))
    return parts
