"""``memanalysis pivot LEDGER``: which host, release, package or label explains the leaks of a fleet."""

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command, add_json_option
from memanalysis.cli.engine_options import add_engine_options, make_engine

__all__ = ["command"]

_EXAMPLES = """\
memanalysis pivot logs/ledger
memanalysis pivot s3://fleet/ledger --label release --label region --since 7d
memanalysis pivot logs/ledger --json
"""


@click.command(
    "pivot",
    cls=Command,
    help="Show the value of a label (host, release, commit, Python, package, or a label of the runs) that "
    "explains the leaks. What chance may do as well is not named.",
    examples=_EXAMPLES,
    needs=(*ROWS, "rich"),
)
@click.argument("ledger", cls=Argument, type=PATH, description="Directory, file or URL of a ledger.")
@click.option("--label", "labels", multiple=True, metavar="NAME", help="Compare this label only. May be repeated.")
@click.option("--service", "services", multiple=True, metavar="NAME", help="Runs of this service. May be repeated.")
@click.option("--since", metavar="MOMENT", help="Runs that were still recorded then: 7d, 12h or 2025-01-31.")
@click.option("--policy", type=PATH, metavar="FILE", help="Policy file with the thresholds of severity.")
@add_engine_options
@add_json_option
def command(
    ledger: str,
    labels: tuple[str, ...],
    services: tuple[str, ...],
    since: str | None,
    policy: str | None,
    engine: str,
    scheduler: str | None,
    is_json: bool,
) -> int:
    """Compare and print what explains the leaks."""
    from memanalysis.cli.terminal import open_console, print_paragraph, show_progress

    with show_progress(f"Comparing the runs of {ledger}") as show:
        from datetime import UTC, datetime

        from memanalysis.verdicts.pivot import pivot
        from memanalysis.verdicts.run_selection import parse_since

        found = pivot(
            ledger,
            labels=labels or None,
            policy=policy,
            services=services or None,
            since=None if since is None else parse_since(since, datetime.now(UTC)),
            engine=make_engine(engine, scheduler, show),
        )
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(found)
        return 0
    console = open_console()
    for explanation in found.explanations:
        print_paragraph(console, explanation.sentence, indent=2)
    compared = f"{found.leaking_runs:,} of {found.runs:,} runs leak; {found.values:,} values of {found.labels:,} labels"
    outcome = " were compared." if found.explanations or not found.leaking_runs else " explain nothing."
    if not found.values:
        compared, outcome = f"{found.leaking_runs:,} of {found.runs:,} runs leak", "; there are no labels to compare."
    print_paragraph(console, compared + outcome, indent=2)
    return 0
