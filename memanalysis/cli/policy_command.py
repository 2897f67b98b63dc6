"""``memanalysis policy check FILE``: is this policy file right, and what does it allow."""

import argparse

from memanalysis.cli.console import describe_command, open_console, render_plain
from memanalysis.units import format_bytes, format_duration

__all__ = ["add_parser", "run_check"]

_EXAMPLE = """\
example:
  memanalysis policy check config/memory_policy.yaml
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``policy`` and its own commands to the command line."""
    parser = commands.add_parser(
        "policy",
        help="check a policy file",
        **describe_command("Work on policy files.", example=_EXAMPLE),
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = actions.add_parser(
        "check",
        help="say whether a policy file is right",
        **describe_command(
            "Say whether a policy file is right, and what it allows; an error names file, line and key.",
            example=_EXAMPLE,
        ),
    )
    check.add_argument("file", metavar="FILE", help="policy file (YAML)")
    check.set_defaults(run=run_check)


def run_check(arguments: argparse.Namespace) -> int:
    """Read the policy and print what it allows."""
    from memanalysis.cli.table import Column, render_table
    from memanalysis.policy.loader import read_policy
    from memanalysis.units import bytes_from_mb

    policy = read_policy(arguments.file)
    console = open_console()
    console.say(f"OK: {render_plain(arguments.file)}")
    console.say()
    budgets = {**policy.memory_budgets.services, "every other": policy.memory_budgets.global_}
    rows = [
        (
            render_plain(name),
            *(format_bytes(bytes_from_mb(mb)) for mb in (budget.max_memory_mb, budget.warning_mb, budget.critical_mb)),
        )
        for name, budget in budgets.items()
    ]
    columns = (
        Column("service", narrowest=8),
        Column("budget", right=True),
        Column("warning from", right=True),
        Column("critical from", right=True),
    )
    console.say(render_table(columns, rows, width=console.width, rule="─" if console.unicode else "-"))
    console.say()
    detection = policy.leak_detection
    thresholds = detection.thresholds
    console.say_wrapped(
        f"Leak detection is {'on' if detection.enabled else 'off'}: every "
        f"{format_duration(detection.check_interval_seconds)}, growth of {thresholds.memory_growth_mb:g} MB or "
        f"{thresholds.memory_growth_percent:g} %, sensitivity {detection.sensitivity}."
    )
    return 0
