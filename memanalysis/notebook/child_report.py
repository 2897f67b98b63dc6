"""Make the report on the ledger of a notebook in another process, so that the notebook does not grow by it.

A report needs pandas, matplotlib and Jinja2. Loaded into a kernel that is being watched they would be its largest
growth, so the report is made in a process of its own. It is handed the cells, reads the ledger and hands back what is
shown.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from os import PathLike

from memanalysis._tables import Column, Table, render_text_table
from memanalysis.errors import LedgerError
from memanalysis.units import format_duration

__all__ = ["ShownReport", "read_report_of"]

MIN_SESSION_S = 60.0
"""A verdict on a session that was watched for less would be about its imports: only its curve is shown."""

TIMEOUT_S = 120.0
"""A ledger of many days on a slow disk; beyond that something is wrong."""


@dataclass(frozen=True, slots=True)
class ShownReport:
    """A report as it is shown: as part of a page, and as text."""

    html: str
    text: str


def read_report_of(ledger: str | PathLike[str], *, run_id: str, headline: str, cells: Table) -> ShownReport:
    """Make the report on one run of a ledger in another process, below a table of the cells.

    Raises
    ------
    LedgerError
        The ledger cannot be read, or no process can be started.
    """
    command = [sys.executable, "-m", "memanalysis.notebook.child_report", str(ledger), run_id]
    try:
        done = subprocess.run(  # noqa: S603 - our own module, and the path is an argument, not a command
            command,
            input=_dump_cells(headline, cells),
            capture_output=True,
            encoding="utf-8",
            errors="surrogatepass",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise LedgerError(
            f"%memwatch report needs a process of its own to read {ledger}, but could not run one: {exc}. "
            "Run memanalysis.report(...) on it in another notebook."
        ) from exc
    if done.returncode != 0:
        raise LedgerError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{ledger} cannot be read.")
    answer = json.loads(done.stdout)
    text = "\n".join([headline, render_text_table(cells), answer["headline"]])
    return ShownReport(html=answer["html"], text=text)


def _dump_cells(headline: str, cells: Table) -> str:
    columns = [[column.title, column.kind] for column in cells.columns]
    return json.dumps({"headline": headline, "columns": columns, "rows": [list(map(str, row)) for row in cells.rows]})


def main(path: str, run_id: str) -> int:
    """Print the report on one run of a ledger as JSON, below the cells from standard input; an error as one line."""
    from memanalysis._html import Markup, render_template
    from memanalysis.errors import MemAnalysisError
    from memanalysis.reports.make_report import report
    from memanalysis.reports.pictures import draw_series_picture
    from memanalysis.reports.styles import render_styles

    given = json.load(sys.stdin)
    cells = Table([Column(*column) for column in given["columns"]], given["rows"], label="Cells")
    try:
        made = report(path, run_id=run_id)
        lasted_s = 0.0 if made.started is None or made.ended is None else (made.ended - made.started).total_seconds()
        is_long = lasted_s >= MIN_SESSION_S
        note = made.headline if is_long else _describe_short_session(lasted_s)
        pictures = [draw_series_picture(section, salt="session") for section in made.sections[:1] if not is_long]
        html = render_template(
            "session_report.html.j2",
            headline=given["headline"],
            cells=cells,
            report=Markup(made._repr_html_()) if is_long else "",
            note="" if is_long else note,
            pictures=pictures,
            styles=render_styles(),
        )
    except MemAnalysisError as exc:
        sys.stderr.write(f"{' '.join(str(exc).split())}\n")
        return 2
    sys.stdout.write(json.dumps({"html": str(html), "headline": note}))
    return 0


def _describe_short_session(lasted_s: float) -> str:
    return (
        f"Watched for {format_duration(lasted_s)} so far. A verdict on the session as a whole needs "
        f"{format_duration(MIN_SESSION_S)}; until then the cells show what kept memory."
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
