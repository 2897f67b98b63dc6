"""``memanalysis policy check FILE``: whether a policy file is right, and what it allows."""

import click

from memanalysis._text import make_printable
from memanalysis.cli.command_group import CommandGroup
from memanalysis.cli.command_help import PATH, Argument, Command
from memanalysis.units import format_bytes, format_duration

__all__ = ["check", "command"]

_EXAMPLES = "memanalysis policy check config/memory_policy.yaml"

_HERE = "memanalysis.cli.policy_command"

command = CommandGroup(
    "policy",
    help="Work on policy files.",
    examples=_EXAMPLES,
    modules={"check": (f"{_HERE}:check", "Check a policy file and print what it allows.")},
)


@click.command(
    "check",
    cls=Command,
    help="Check a policy file, and print what it allows. An error names file, line and key.",
    examples=_EXAMPLES,
    needs=("rich",),
)
@click.argument("file", cls=Argument, type=PATH, description="Policy file (YAML).")
def check(file: str) -> int:
    """Read the policy and print what it allows."""
    from memanalysis.cli.terminal import open_console, print_line, print_paragraph
    from memanalysis.cli.terminal_table import Name, make_table, print_table
    from memanalysis.policy.loader import read_policy
    from memanalysis.units import bytes_from_mb

    policy = read_policy(file)
    console = open_console()
    print_line(console, f"OK: {file}")
    print_line(console)
    numbers = ("budget", "warning from", "critical from")
    table = make_table(console, ("service", *numbers), right=numbers)
    for name, budget in {**policy.memory_budgets.services, "every other": policy.memory_budgets.global_}.items():
        limits = (budget.max_memory_mb, budget.warning_mb, budget.critical_mb)
        table.add_row(Name(make_printable(name)), *(format_bytes(bytes_from_mb(mb)) for mb in limits))
    print_table(console, table)
    print_line(console)
    detection = policy.leak_detection
    thresholds = detection.thresholds
    print_paragraph(
        console,
        f"Leak detection is {'on' if detection.enabled else 'off'}: every "
        f"{format_duration(detection.check_interval_seconds)}, growth of {thresholds.memory_growth_mb:g} MB or "
        f"{thresholds.memory_growth_percent:g} %, sensitivity {detection.sensitivity}.",
    )
    return 0
