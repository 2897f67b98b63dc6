"""Render a report as HTML for a browser and for a notebook: one file, no scripts, nothing fetched.

The templates lie in ``memanalysis/templates``; what is put into them is escaped there. Charts are SVG inside the page.
A page and a notebook's output have the same body. Colours follow the reader's light or dark theme, and each severity
has a shape and its word.
"""

from memanalysis._html import Markup, render_template
from memanalysis._version import __version__
from memanalysis.reports.facts import (
    describe_budget,
    describe_evidence,
    describe_forecast,
    describe_line_growth,
    describe_no_sites,
    describe_range,
)
from memanalysis.reports.fleet_tables import make_fleet_tables
from memanalysis.reports.pictures import draw_series_picture, draw_sites_picture
from memanalysis.reports.post_mortem import PostMortem
from memanalysis.reports.report_model import ReportModel, ServiceSection, find_leading
from memanalysis.reports.report_tables import (
    MAX_ROWS,
    breach_table,
    damage_table,
    describe_more_runs,
    event_table,
    find_held_places,
    site_table,
    verdict_table,
)
from memanalysis.reports.styles import render_styles
from memanalysis.reports.verdict_cells import SEVERITY_MARKS, render_cells

__all__ = ["render_fragment", "render_page"]


def render_page(report: ReportModel) -> str:
    """Return a whole HTML document."""
    page = render_template("report_page.html.j2", report=report, body=_render_body(report), version=__version__)
    return f"{page}\n"


def render_fragment(report: ReportModel) -> str:
    """Return the body alone, with its styles, fit for a notebook's output."""
    return str(_render_body(report))


def _render_body(report: ReportModel) -> Markup:
    leading = find_leading(report)
    verdicts = verdict_table(report.verdicts, max_rows=MAX_ROWS, held_places=find_held_places(report))
    return render_template(
        "report_body.html.j2",
        report=report,
        leading=leading,
        version=__version__,
        styles=render_styles(),
        ledger_facts=_describe_ledger(report),
        verdicts=verdicts,
        more_runs=describe_more_runs(report.verdicts, verdicts),
        sections=[_render_section_or_note(section, number, leading) for number, section in enumerate(report.sections)],
        fleet_tables=[] if report.fleet is None else make_fleet_tables(report.fleet),
        more_services=report.n_services - len(report.sections),
        damage=damage_table(report),
    )


def _describe_ledger(report: ReportModel) -> list[tuple[str, str]]:
    policy = "the policy's" if report.has_policy else "none: no policy was given, only limits in the ledger count"
    facts = [
        ("Ledger", report.ledger),
        ("Recorded", describe_range(report.started, report.ended)),
        ("Runs", str(len(report.verdicts))),
        ("Budgets", policy),
    ]
    if report.damage:
        facts.append(("Left out", f"parts of {len({record.file for record in report.damage})} files; listed below"))
    return facts


def _render_section_or_note(section: ServiceSection, number: int, leading: PostMortem | None) -> Markup:
    try:
        return _render_section(section, number, leading)
    except Exception as exc:  # the boundary of a service: whatever it holds, the others are shown
        reason = f"{type(exc).__name__}: {exc}"
        return render_template("report_section_failed.html.j2", service=section.service, reason=reason)


def _render_section(section: ServiceSection, number: int, leading: PostMortem | None) -> Markup:
    cells = render_cells(section.verdict)
    return render_template(
        "report_section.html.j2",
        section=section,
        post_mortem=section.post_mortem,
        is_leading=section.post_mortem is leading,
        which_run="its worst run" if section.post_mortem is None else "the run that died last",
        cells=cells,
        severity_mark=SEVERITY_MARKS[cells.severity],
        is_leak=bool(section.verdict["is_leak"]),
        series_picture=draw_series_picture(section, salt=f"series-{number}"),
        sites_picture=draw_sites_picture(section, salt=f"sites-{number}"),
        sites=site_table(section, short=True),
        breaches=breach_table(section),
        events=event_table(section),
        evidence=describe_evidence(section.verdict),
        budget=describe_budget(section),
        forecast=describe_forecast(section),
        line_growth="" if section.sites.empty else describe_line_growth(section),
        no_sites=describe_no_sites(section),
    )
