"""``memanalysis policy``: whether a policy file is right, what is in force and why, and its schema for editors."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memanalysis._text import make_printable
from memanalysis.cli.command_group import CommandGroup
from memanalysis.cli.command_help import PATH, Argument, Command, add_json_option
from memanalysis.units import format_bytes, format_duration

if TYPE_CHECKING:
    from memanalysis.policy.model import Policy

__all__ = ["BudgetLevels", "PolicySummary", "PolicyValue", "check", "command", "export", "prometheus", "schema", "show"]

_EXAMPLES = """\
memanalysis policy check config/memory_policy.yaml
memanalysis policy show config/memory_policy.yaml
memanalysis policy schema > memory_policy.schema.json"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyValue:
    """One value of a policy, and where it comes from."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLevels:
    """The budget of a service, of every other where the name is null."""

    service: str | None
    max_bytes: int
    warning_bytes: int
    critical_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySummary:
    """What a policy that is right allows."""

    file: str
    budgets: list[BudgetLevels]
    finds_leaks: bool
    check_interval_s: float
    memory_growth_mb: float
    memory_growth_percent: float
    sensitivity: str


_HERE = "memanalysis.cli.policy_command"

command = CommandGroup(
    "policy",
    help="Work on policy files.",
    examples=_EXAMPLES,
    modules={
        "check": (f"{_HERE}:check", "Check a policy file and print what it allows."),
        "show": (f"{_HERE}:show", "Print every value in force, and where it comes from."),
        "schema": (f"{_HERE}:schema", "Print the JSON Schema of policy files, for editors."),
        "export": (f"{_HERE}:export", "Print what other systems need of a policy."),
    },
)

_SET = click.option(
    "--set", "arguments", multiple=True, metavar="KEY=VALUE", help="Set one key over file and environment. Repeatable."
)


export = CommandGroup(
    "export",
    help="Print what other systems need of a policy.",
    examples="memanalysis policy export prometheus config/memory_policy.yaml > memory_rules.yml",
    modules={"prometheus": (f"{_HERE}:prometheus", "Print the policy as alert rules for Prometheus.")},
)


@click.command(
    "check",
    cls=Command,
    help="Check a policy file, and print what it allows. All errors are printed, each with file, line and key.",
    examples="memanalysis policy check config/memory_policy.yaml",
    needs=("rich",),
)
@click.argument("file", cls=Argument, type=PATH, description="Policy file (YAML).")
@_SET
@add_json_option
def check(file: str, arguments: tuple[str, ...], is_json: bool) -> int:
    """Read the policy and print what it allows."""
    from memanalysis.capture.process import read_limit_bytes
    from memanalysis.cli.terminal import open_console, print_line, print_paragraph
    from memanalysis.cli.terminal_table import Name, make_table, print_table
    from memanalysis.policy.loader import read_layers

    policy = read_layers(file, arguments=arguments).policy.for_limit(read_limit_bytes())
    summary = _summarize(file, policy)
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(summary)
        return 0
    console = open_console()
    print_line(console, f"OK: {file}")
    print_line(console)
    numbers = ("budget", "warning from", "critical from")
    table = make_table(console, ("service", *numbers), right=numbers)
    for budget in summary.budgets:
        limits = (budget.max_bytes, budget.warning_bytes, budget.critical_bytes)
        table.add_row(Name(make_printable(budget.service or "every other")), *map(format_bytes, limits))
    print_table(console, table)
    print_line(console)
    print_paragraph(
        console,
        f"Leak detection is {'on' if summary.finds_leaks else 'off'}: every "
        f"{format_duration(summary.check_interval_s)}, growth of {summary.memory_growth_mb:g} MB or "
        f"{summary.memory_growth_percent:g} %, sensitivity {summary.sensitivity}.",
    )
    return 0


def _summarize(file: str, policy: "Policy") -> PolicySummary:
    """Return what a policy allows."""
    from memanalysis.units import bytes_from_mb

    budgets = [*policy.memory_budgets.services.items(), (None, policy.memory_budgets.global_)]
    detection = policy.leak_detection
    return PolicySummary(
        file=file,
        budgets=[
            BudgetLevels(
                service=service,
                max_bytes=bytes_from_mb(budget.max_memory_mb),
                warning_bytes=bytes_from_mb(budget.warning_mb),
                critical_bytes=bytes_from_mb(budget.critical_mb),
            )
            for service, budget in budgets
        ],
        finds_leaks=detection.enabled,
        check_interval_s=detection.check_interval_seconds,
        memory_growth_mb=detection.thresholds.memory_growth_mb,
        memory_growth_percent=detection.thresholds.memory_growth_percent,
        sensitivity=detection.sensitivity,
    )


@click.command(
    "show",
    cls=Command,
    help="Print every value of the policy in force, and where it comes from: the default, the file with its line, "
    "an environment variable MEMANALYSIS_POLICY__SECTION__KEY, or --set. Without FILE, that of config/ or the "
    "packaged one.",
    examples="memanalysis policy show config/memory_policy.yaml\n"
    "MEMANALYSIS_POLICY__LEAK_DETECTION__SENSITIVITY=high memanalysis policy show\n"
    "memanalysis policy show --set alerts.channels=[logging] --json",
)
@click.argument("file", cls=Argument, type=PATH, required=False, description="Policy file (YAML).")
@_SET
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", help="Default: text.")
@add_json_option
def show(file: str | None, arguments: tuple[str, ...], form: str, is_json: bool) -> int:
    """Print keys, values and origins."""
    from memanalysis.policy.loader import DEFAULT_CONFIG_PATH, find_default_path, read_layers

    chosen = file or (DEFAULT_CONFIG_PATH if Path(DEFAULT_CONFIG_PATH).exists() else find_default_path())
    layers = read_layers(chosen, arguments=arguments)
    origins = list(layers.list_origins())
    if is_json or form == "json":
        from memanalysis.cli.json_output import print_json

        print_json([PolicyValue(key=one.key, value=one.value, origin=one.origin) for one in origins])
        return 0
    for one in origins:
        sys.stdout.write(f"{make_printable(one.key)}: {_render_value(one.value)}  # {make_printable(one.origin)}\n")
    return 0


@click.command(
    "schema",
    cls=Command,
    help="Print the JSON Schema of policy files. An editor that knows it completes keys and marks wrong values: write "
    "the schema to a file, and name it in the policy's first line, as # yaml-language-server: $schema=FILE.",
    examples="memanalysis policy schema > memory_policy.schema.json",
)
def schema() -> int:
    """Print the schema."""
    from memanalysis.policy.json_schema import make_policy_schema
    from memanalysis.policy.key_comments import KeyComments
    from memanalysis.policy.loader import find_default_path

    comments = KeyComments(find_default_path().read_text(encoding="utf-8"))
    sys.stdout.write(f"{json.dumps(make_policy_schema(comments), indent=2)}\n")
    return 0


@click.command(
    "prometheus",
    cls=Command,
    help="Print the policy as alert rules for Prometheus: one for each level of each budget, and for leaks. They are "
    "for the metrics that watched services export.",
    examples="memanalysis policy export prometheus config/memory_policy.yaml > memory_rules.yml\n"
    "promtool check rules memory_rules.yml",
)
@click.argument("file", cls=Argument, type=PATH, description="Policy file (YAML).")
@_SET
def prometheus(file: str, arguments: tuple[str, ...]) -> int:
    """Print the rules."""
    import yaml

    from memanalysis.policy.loader import read_layers
    from memanalysis.policy.prometheus_rules import make_alert_rules

    rules = make_alert_rules(read_layers(file, arguments=arguments).policy)
    sys.stdout.write(yaml.safe_dump(rules, sort_keys=False, width=1000, allow_unicode=True))
    return 0


def _render_value(value: object) -> str:
    if isinstance(value, list):
        return make_printable(f"[{', '.join(map(str, value))}]")
    return make_printable(str(value).lower() if isinstance(value, bool) else str(value))
