"""``memanalysis run script.py args…``: record a program that knows nothing of it, and its children."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from memanalysis.cli.command_help import PATH, Argument, Command
from memanalysis.cli.shared_options import add_policy_option
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.paths import DEFAULT_LEDGER

__all__ = ["add_watch_options", "command"]

_EXAMPLES = """\
memanalysis run train.py --epochs 3
memanalysis run --ledger logs/ledger --service api -m uvicorn app:app
memanalysis run --label region=eu --label tier=web service.py
memanalysis run --supervise --policy policy.yaml service.py
memanalysis assess memanalysis-ledger
"""


def add_watch_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add the options that ``run`` and ``record`` share."""
    for option in (
        click.option(
            "--argv",
            type=click.Choice(("redacted", "full", "none")),
            default="redacted",
            help="Arguments of the program to record: all but secrets, all, or none (default: redacted).",
        ),
        click.option(
            "--interval", type=float, metavar="SECONDS", default=1.0, help="Time between two samples (default: 1)."
        ),
        click.option("--service", metavar="NAME", help="Name of the service (default: that of the program)."),
        click.option(
            "--ledger",
            type=PATH,
            metavar="DIR",
            default=DEFAULT_LEDGER,
            help=f"Ledger folder (default: {DEFAULT_LEDGER}).",
        ),
    ):
        function = option(function)
    return function


@click.command(
    "run",
    cls=Command,
    help="Run a Python program and record its memory, and that of every Python process that it starts, in one ledger. "
    "Its exit code, arguments, signals and output are those of the program. Options stand before PROGRAM.",
    options_metavar="[OPTIONS]",
    context_settings={"allow_interspersed_args": False},
    examples=_EXAMPLES,
)
@click.argument("program", cls=Argument, type=PATH, description="Script, or module after -m.")
@click.argument(
    "arguments", cls=Argument, nargs=-1, type=click.UNPROCESSED, description="Arguments of the program, also options."
)
@click.option("-m", "is_module", is_flag=True, help="Run a module instead of a script.")
@add_watch_options
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="Label of the run, such as region=eu, by which `memanalysis pivot` compares runs. May be repeated.",
)
@add_policy_option
@click.option(
    "--trace",
    type=click.Choice(("auto", "sampled", "windows", "full", "off")),
    default="auto",
    help="Find lines by samples of all allocations, by short windows once memory grows, by every allocation, or not "
    "(default: auto, which samples where the compiled sampler is there, and opens windows elsewhere).",
)
@click.option(
    "--max-overhead",
    type=float,
    metavar="SHARE",
    default=0.05,
    help="Largest share of one processor to spend (default: 0.05).",
)
@click.option(
    "--check-leaks/--no-check-leaks",
    default=None,
    help="Judge the run while it goes on, as --policy asks, and alert its leaks: in any case, for which numpy is "
    "loaded into it and its children, or never (default: once the program has loaded numpy itself).",
)
@click.option(
    "--supervise",
    is_flag=True,
    help="Start the program again each time that it exits with 75, as a policy with alert_and_restart has it do.",
)
def command(program: str, arguments: tuple[str, ...], is_module: bool, supervise: bool, **settings: Any) -> int:
    """Check the options, and become the program or supervise it."""
    from memanalysis.watcher.run_labels import LABELS_VARIABLE, parse_labels
    from memanalysis.watcher.run_program import run_program, run_supervised
    from memanalysis.watcher.watch import watch

    if not is_module and not Path(program).exists():
        raise InvalidArgumentError(
            f"memanalysis run needs a script or, after -m, a module, but there is no file {program}. Check its path."
        )
    parse_labels(os.environ.get(LABELS_VARIABLE, ""), name=LABELS_VARIABLE)
    policy = settings["policy"]
    if settings["check_leaks"] and policy is None:
        raise InvalidArgumentError("--check-leaks needs --policy, which defines how often, and whom to alert. Add one.")
    options = settings | {
        "service": settings["service"] or (program if is_module else Path(program).resolve().stem),
        "ledger": str(Path(settings["ledger"]).absolute()),
        "policy": None if policy is None else str(Path(policy).absolute()),
        "labels": parse_labels(settings["labels"], name="--label") or None,
    }
    watch(**options)  # raises on wrong options here, and not in the program
    run = run_supervised if supervise else run_program
    return run([*(["-m"] if is_module else []), program, *arguments], options)
