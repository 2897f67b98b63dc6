"""What does a report look like in a browser and in a notebook: one file, no scripts, nothing fetched.

Everything that comes from a ledger is escaped here, by `_text`; charts are SVG inside the page. A page and a notebook's
output have the same body. Colours follow the reader's light or dark theme, and each severity has a shape and its word.
"""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

import pandas as pd

from memanalysis._text import make_printable
from memanalysis._version import __version__
from memanalysis.reports.facts import (
    describe_budget,
    describe_evidence,
    describe_forecast,
    describe_no_sites,
    describe_range,
)
from memanalysis.reports.pictures import render_series_picture, render_sites_picture
from memanalysis.reports.report_model import ReportModel, ServiceSection
from memanalysis.reports.theme import render_css_variables
from memanalysis.reports.verdict_cells import (
    SEVERITY_MARKS,
    VerdictCells,
    render_all_cells,
    render_cells,
    render_place,
)
from memanalysis.units import format_bytes, format_duration

__all__ = ["render_fragment", "render_page", "render_styles", "render_verdict_table"]

SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""The page tells the browser itself that it runs nothing and fetches nothing."""

MAX_DAMAGE = 50
"""Records of what was left out that a page lists."""

_TITLES = ("service", "shape", "leak", "severity", "growth an hour", "time to budget", "guilty line")


def render_page(report: ReportModel) -> str:
    """A whole HTML document."""
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(SECURITY_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta name="generator" content="memanalysis {_text(__version__)}">\n'
        f"<title>{_text(report.title)}</title>\n</head>\n"
        f'<body class="ma-page">\n{render_fragment(report)}</body>\n</html>\n'
    )


def render_fragment(report: ReportModel) -> str:
    """The body alone, with its styles, fit for a notebook's output."""
    more = report.n_services - len(report.sections)
    parts = [
        '<div class="memanalysis">',
        render_styles(),
        '<div class="ma-body">',
        _header(report),
        render_verdict_table(report.verdicts) if len(report.verdicts) else "",
        *(_section_or_note(section, number) for number, section in enumerate(report.sections)),
        f'<p class="ma-note">{more} more services are in the table only.</p>' if more > 0 else "",
        _damage(report),
        _footer(report),
        "</div>",
        "</div>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def render_styles() -> str:
    """Style element for what is inside an element of class ``memanalysis``, light or dark as the reader's theme."""
    css = files("memanalysis.reports").joinpath("report.css").read_text(encoding="utf-8")
    return f"<style>\n{render_css_variables()}{css}</style>"


def render_verdict_table(verdicts: pd.DataFrame) -> str:
    """Table of verdicts; inside an element of class ``memanalysis``, on a page that has `render_styles`."""
    cells = render_all_cells(verdicts)
    services = [cell.service for cell in cells]
    rows = [
        [
            f'<strong class="ma-name">{_text(cell.service)}</strong>'
            + (f'<span class="ma-sub">run {_text(cell.run)}</span>' if services.count(cell.service) > 1 else ""),
            _text(cell.shape),
            _text(cell.leak),
            _badge(cell),
            _with_interval(cell.growth, cell.growth_interval),
            _with_interval(cell.time, cell.time_interval),
            f'<code title="{_text(cell.guilty_path)}">{_text(cell.guilty)}</code>'
            if ":" in cell.guilty
            else _text(cell.guilty),
        ]
        for cell in cells
    ]
    return _table(_TITLES, rows, numeric=(4, 5), label="Verdicts")


def _header(report: ReportModel) -> str:
    policy = "the policy's" if report.has_policy else "none: no policy was given, only limits in the ledger count"
    facts = [
        ("Ledger", make_printable(report.ledger)),
        ("Recorded", describe_range(report.started, report.ended)),
        ("Runs", str(len(report.verdicts))),
        ("Budgets", policy),
    ]
    if report.damage:
        facts.append(("Left out", f"parts of {len({record.file for record in report.damage})} files; listed below"))
    headline = f'<p class="ma-headline">{_text(report.headline)}</p>'
    return f"<header>\n<h1>{_text(report.title)}</h1>\n{headline}\n{_facts(facts)}\n</header>"


def _footer(report: ReportModel) -> str:
    return (
        '<footer class="ma-note">'
        "<p>Growth is what was measured; leak is said only where the floor rose in every window, did not slow down, "
        "and the 95 % interval of the growth lies above zero. A time to budget extends that growth as a straight "
        "line, with a 90 % interval. MiB are 2<sup>20</sup> bytes.</p>"
        f"<p>memanalysis {_text(__version__)}</p></footer>"
    )


def _section_or_note(section: ServiceSection, number: int) -> str:
    try:
        return _section(section, number)
    except Exception as exc:  # the boundary of a service: whatever it holds, the others are shown
        what = f"The part of {section.service} cannot be drawn: {type(exc).__name__}: {exc}"
        return f'<section><p class="ma-note">{_text(what)}</p></section>'


def _damage(report: ReportModel) -> str:
    if not report.damage:
        return ""
    rows = [[f"<code>{_text(record.file)}</code>", _text(record.describe())] for record in report.damage[:MAX_DAMAGE]]
    table = _table(("file", "what was left out, and why"), rows, label="Left out")
    more = _more(len(report.damage), len(rows), "records")
    return f"<section><h2>Left out</h2>\n{table}{more}</section>"


def _section(section: ServiceSection, number: int) -> str:
    cells = render_cells(section.verdict)
    return "\n".join(
        part
        for part in (
            "<section>",
            f'<h2><span class="ma-name">{_text(cells.service)}</span> {_badge(cells)}</h2>',
            f'<p class="ma-sentence">{_text(cells.sentence)}</p>',
            render_series_picture(section, salt=f"series-{number}"),
            f'<p class="ma-note">{_text(describe_budget(section))}</p>',
            _sites(section, number),
            "<h3>What it rests on</h3>",
            _facts(describe_evidence(section.verdict)),
            _breaches(section),
            _events(section),
            _other_runs(section),
            "</section>",
        )
        if part
    )


def _sites(section: ServiceSection, number: int) -> str:
    is_leak = bool(section.verdict["is_leak"])
    heading = f"<h3>{'Lines that grow' if is_leak else 'Lines that held the most'}</h3>"
    if section.sites.empty:
        return f'{heading}\n<p class="ma-note">{_text(describe_no_sites(section))}</p>'
    rows = []
    for site in section.sites.to_dict("records"):
        full = render_place(site["file"], site["line"], short=False)
        function = "" if pd.isna(site["function"]) else f"in {make_printable(site['function'])}"
        rows.append(
            [
                f'<code title="{_text(full)}">{_text(render_place(site["file"], site["line"], short=True))}</code>'
                f'<span class="ma-sub">{_text(function)}</span>',
                *([_bar(site["share"])] if is_leak else []),
                _text(format_bytes(site["growth_bytes"], sign=True)),
                _text(format_bytes(site["peak_bytes"])),
                _text(format_bytes(site["last_bytes"])),
            ]
        )
    titles = ("line", *(["share of all growth"] if is_leak else []), "growth", "held at most", "held at the end")
    table = _table(titles, rows, numeric=range(1, len(titles)), label="Lines")
    picture = render_sites_picture(section, salt=f"sites-{number}")
    return f"{heading}\n{picture}{table}{_fewer(section.n_sites - len(rows))}"


def _fewer(rest: int) -> str:
    lines = "1 more line that has less is" if rest == 1 else f"{rest} more lines that have less are"
    return f'<p class="ma-note">{lines} not shown.</p>' if rest > 0 else ""


def _bar(share: float) -> str:
    width = min(1.0, max(0.0, float(share)))
    return f'<span class="ma-bar" style="--share:{width:.3f}"></span><span class="ma-percent">{share:.0%}</span>'


def _breaches(section: ServiceSection) -> str:
    if section.budget is None:
        return ""
    coming = describe_forecast(section)
    note = f'\n<p class="ma-note">{_text(coming)}</p>' if coming else ""
    if section.breaches.empty:
        none = '<p class="ma-note">None: it stayed below the warning level.</p>'
        return f"<h3>Breaches of the budget</h3>\n{none}{note}"
    rows = [
        [
            _text(breach["level"]),
            _text(f"{breach['first']:%Y-%m-%d %H:%M:%S}"),
            _text(format_duration(breach["duration_s"])),
            _text(format_bytes(breach["worst_bytes"])),
            _text(_headroom(breach["headroom_bytes"])),
        ]
        for breach in section.breaches.to_dict("records")
    ]
    table = _table(("level", "from (UTC)", "for", "worst", "budget"), rows, numeric=(2, 3, 4), label="Breaches")
    return f"<h3>Breaches of the budget</h3>\n{table}{_more(section.n_breaches, len(rows), 'breaches')}{note}"


def _headroom(headroom_bytes: float) -> str:
    return f"{format_bytes(abs(headroom_bytes))} {'left' if headroom_bytes >= 0 else 'over'}"


def _events(section: ServiceSection) -> str:
    if section.events.empty:
        return ""
    rows = [
        [
            _text(f"{event['timestamp']:%H:%M:%S}" if pd.notna(event["timestamp"]) else "not available"),
            _text(event["kind"]),
            _text("" if pd.isna(event["level"]) else event["level"]),
            _text("" if pd.isna(event["message"]) else event["message"]),
        ]
        for event in section.events.to_dict("records")
    ]
    table = _table(("time (UTC)", "event", "level", "message"), rows, label="Events")
    return (
        f"<details><summary>Events ({section.n_events})</summary>\n{table}"
        f"{_more(section.n_events, len(rows), 'events', which='last')}</details>"
    )


def _other_runs(section: ServiceSection) -> str:
    if section.other_verdicts.empty:
        return ""
    count = len(section.other_verdicts)
    runs = "1 other run of this service is" if count == 1 else f"{count} other runs of this service are"
    return f'<p class="ma-note">This is its worst run. {runs} in the table above.</p>'


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(text)}</dd></div>" for name, text in facts)
    return f'<dl class="ma-facts">{items}</dl>'


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, label: str, numeric: Sequence[int] = ()) -> str:
    """A table of cells that are HTML already; on a narrow screen each cell is shown with its title beside it."""

    def kind(at: int) -> str:
        return ' class="ma-number"' if at in numeric else ""

    head = "".join(f'<th scope="col"{kind(at)}>{_text(title)}</th>' for at, title in enumerate(titles))
    body = "\n".join(
        "<tr>"
        + "".join(
            f'<td{kind(at)} data-title="{_text(titles[at])}"><div>{cell}</div></td>' for at, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    opening = f'<table class="ma-table" aria-label="{_text(label)}">'
    return f"{opening}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"


def _badge(cell: VerdictCells) -> str:
    word = _text(cell.severity)
    mark = f'<span aria-hidden="true">{SEVERITY_MARKS[cell.severity]}</span>'
    return f'<span class="ma-badge ma-{word}">{mark} {word}</span>'


def _with_interval(value: str, interval: str) -> str:
    return _text(value) + (f'<span class="ma-sub">{_text(interval)}</span>' if interval else "")


def _more(total: int, shown: int, what: str, *, which: str = "first") -> str:
    return f'<p class="ma-note">The {which} {shown} of {total} {what}.</p>' if total > shown else ""


def _text(value: object) -> str:
    """Text made harmless: escaped, and without characters that hide or turn others."""
    return escape(make_printable(value), quote=True)
