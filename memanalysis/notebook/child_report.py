"""Make the report on the ledger of a notebook in another process, so that the notebook does not grow by it.

A report needs pandas and matplotlib. Loaded into a kernel that is being watched they would be its largest growth, so
the report is made in a process of its own, which reads the ledger and hands back what is to be shown.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from os import PathLike

from memanalysis.errors import LedgerError

__all__ = ["ShownReport", "read_report_of"]

TIMEOUT_S = 120.0
"""A ledger of many days on a slow disk; beyond that something is wrong."""


@dataclass(frozen=True, slots=True)
class ShownReport:
    """A report as it is shown: as part of a page, and as text."""

    html: str
    text: str


def read_report_of(ledger: str | PathLike[str], *, run_id: str) -> ShownReport:
    """Make the report on one run of a ledger in another process.

    Raises
    ------
    LedgerError
        The ledger cannot be read, or no process can be started.
    """
    command = [sys.executable, "-m", "memanalysis.notebook.child_report", str(ledger), run_id]
    try:
        done = subprocess.run(  # noqa: S603 - our own module, and the path is an argument, not a command
            command, capture_output=True, encoding="utf-8", timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise LedgerError(
            f"%memwatch report needs a process of its own to read {ledger}, but could not run one: {exc}. "
            "Run memanalysis.report(...) on it in another notebook."
        ) from exc
    if done.returncode != 0:
        raise LedgerError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{ledger} cannot be read.")
    answer = json.loads(done.stdout)
    return ShownReport(html=answer["html"], text=answer["text"])


def main(path: str, run_id: str) -> int:
    """Print the report on one run of a ledger as JSON; its error, if it has one, as one line."""
    from memanalysis.errors import MemAnalysisError
    from memanalysis.reports.make_report import report

    try:
        made = report(path, run_id=run_id)
        answer = {"html": made._repr_html_(), "text": made.headline}
    except MemAnalysisError as exc:
        sys.stderr.write(f"{' '.join(str(exc).split())}\n")
        return 2
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
