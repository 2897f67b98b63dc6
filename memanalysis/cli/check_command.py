"""``memanalysis check LEDGER``: the gate of a pipeline, which fails where memory became worse than is allowed."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from memanalysis.cli.assess_command import add_selection_options, make_selection
from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option
from memanalysis.cli.shared_options import add_policy_options
from memanalysis.errors import InvalidArgumentError

__all__ = ["EXIT_FOUND", "command"]

EXIT_FOUND = 1
"""Code where something was found; 0 is a recording without findings, 2 an error, such as one without samples."""

FORMATS = ("text", "json", "github")

_EXAMPLES = """\
memanalysis check ci-ledger
memanalysis check ci-ledger --policy policy.yaml --known-leaks known.yaml
memanalysis check ci-ledger --baseline main-ledger --fail-on regression
memanalysis check ci-ledger --fail-on leak,breach,unknown --junit memory.xml
"""


@click.command(
    "check",
    cls=Command,
    help="Exit with 1 where the latest run of a service leaks, is at the critical level of its budget, died for "
    "lack of memory, or is worse than a baseline. Prints a line a finding. A ledger without samples is an error, and "
    "never passes.",
    examples=_EXAMPLES,
    needs=(*ROWS, "rich"),
)
@click.argument("ledger", cls=Argument, type=PATH, description="Directory, file or URL of a ledger.")
@add_policy_options
@click.option("--baseline", type=PATH, metavar="LEDGER", help="An earlier ledger, to find what became worse.")
@click.option(
    "--fail-on",
    metavar="KINDS",
    default="leak,breach,regression",
    help="Some of leak, breach, regression, unknown, with commas (default: leak,breach,regression).",
)
@add_selection_options
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="What to print (default: text; github, with annotations and a job summary, in GitHub Actions).",
)
@click.option("--junit", type=PATH, metavar="FILE", help="Also write the findings as JUnit XML.")
@add_json_option
def command(
    ledger: str,
    baseline: str | None,
    fail_on: str,
    form: str | None,
    junit: str | None,
    is_json: bool,
    **settings: Any,
) -> int:
    """Find what fails, and print it."""
    from memanalysis.cli.terminal import open_console, show_progress

    files = {name: settings.pop(name) for name in ("policy", "known_leaks")}
    with show_progress(f"Checking {ledger}"):
        from memanalysis.cli import findings_output
        from memanalysis.verdicts.gate import find_findings
        from memanalysis.verdicts.run_selection import RunSelection

        findings = find_findings(
            ledger,
            baseline=baseline,
            fail_on=[kind.strip() for kind in fail_on.split(",") if kind.strip()],
            selection=RunSelection(**make_selection(**settings)),
            **files,
        )
    if junit is not None:
        _write(junit, findings_output.render_junit(ledger, findings))
    form = "json" if is_json else form or _default_format()
    if form == "github":
        sys.stdout.write(findings_output.render_annotations(findings, workspace=os.environ.get("GITHUB_WORKSPACE")))
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(findings_output.render_summary(ledger, findings))
    elif form == "json":
        sys.stdout.write(findings_output.render_findings_json(findings))
    else:
        findings_output.print_findings(open_console(), findings)
    return EXIT_FOUND if findings else 0


def _default_format() -> str:
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"


def _write(path: str, content: bytes) -> None:
    from memanalysis._atomic import write_atomic

    try:
        write_atomic(Path(path), content)
    except OSError as exc:
        raise InvalidArgumentError(f"--junit cannot write to {path}: {exc.strerror}. Name a file in a folder.") from exc
