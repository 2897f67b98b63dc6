"""The sub-commands of ``%memwatch`` and the options of ``%%memwatch``: one table for parser, help and completion."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from keyword import iskeyword

from memanalysis.notebook.sampled_cell import CELL_FRAMES
from memanalysis.notebook.show import TOP_LINES

__all__ = ["CELL_COMMAND", "COMMANDS", "Command"]

TOP_VARIABLES = 20
"""Variables shown unless asked otherwise."""

AddOptions = Callable[[argparse.ArgumentParser], None]


def _add_nothing(_: argparse.ArgumentParser) -> None:
    """Add no option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One sub-command.

    Parameters
    ----------
    summary : str
        What it does, in one line.
    examples : tuple of str
        Lines that can be typed as they stand; the first also stands in the overview.
    add_options : callable
        Adds its options to a parser.
    takes_statement : bool
        Whether Python code follows the options, which is taken as it is typed.
    names_variables : bool
        Whether names of variables follow, which are completed.
    """

    summary: str
    examples: tuple[str, ...]
    add_options: AddOptions = _add_nothing
    takes_statement: bool = False
    names_variables: bool = False


def _at_least_one(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is needed, but got {text!r}")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"seconds above 0 are needed, but got {text!r}")
    return seconds


def _add_on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ledger", metavar="FOLDER", help="where the rows go; ./memanalysis-ledger otherwise")
    parser.add_argument("--service", metavar="NAME", help="name in the ledger; that of the notebook otherwise")
    parser.add_argument("--interval", type=_seconds, default=1.0, metavar="SECONDS", help="between two samples; 1")
    parser.add_argument(
        "--trace",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="follow Python's allocations: names lines, and slows imports and loops down",
    )
    parser.add_argument("--policy", metavar="FILE", help="budgets to hold the kernel against, and what is done then")
    parser.add_argument("--verbose", action="store_true", help="one line after every cell")


def _add_release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "cells", nargs="*", metavar="NUMBER", help="3 for Out[3]; all of Out and the last error if none"
    )


def _add_budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("size", nargs="*", metavar="SIZE|off", help="such as 2GiB; shows the budget if none")


def _add_diff(parser: argparse.ArgumentParser) -> None:
    for name, which in (("first", "a cell, In[3] or 3"), ("second", "the cell to compare it with")):
        parser.add_argument(name, metavar=name.upper(), help=which)


def _add_vars(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--top", type=_at_least_one, default=TOP_VARIABLES, metavar="ROWS", help=f"rows; {TOP_VARIABLES}"
    )


def _add_holders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME|TYPE", help="a variable, or a type such as DataFrame")


def _add_leak(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", type=_at_least_one, dest="calls", metavar="TIMES", help="runs at most, 16 or more")
    parser.add_argument("-s", type=_seconds, dest="seconds", metavar="SECONDS", help="time at most; 15")


def _name(text: str) -> str:
    if not text.isidentifier() or iskeyword(text):
        raise argparse.ArgumentTypeError(f"the name of a variable is needed, but got {text!r}")
    return text


def _add_cell(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budget", metavar="SIZE", help="interrupt it when the kernel holds more")
    parser.add_argument(
        "--top", type=_at_least_one, default=TOP_LINES, metavar="LINES", help=f"lines shown; {TOP_LINES}"
    )
    parser.add_argument(
        "-o", "--output", type=_name, metavar="NAME", help="variable for the measured cell as an object"
    )
    parser.add_argument(
        "--frames",
        type=_at_least_one,
        default=CELL_FRAMES,
        metavar="CALLS",
        help=f"how deep calls into libraries are followed; {CELL_FRAMES}, and more takes longer",
    )


COMMANDS: dict[str, Command] = {
    "on": Command(
        summary="watch every cell from the next one on",
        examples=("%memwatch on --verbose", "%memwatch on --ledger runs/may --service training --interval 0.5"),
        add_options=_add_on,
    ),
    "off": Command(summary="stop watching", examples=("%memwatch off",)),
    "status": Command(
        summary="is it on, since when, how much memory (also: %memwatch alone)", examples=("%memwatch status",)
    ),
    "report": Command(summary="the cells and the verdict so far", examples=("%memwatch report",)),
    "dashboard": Command(
        summary="memory, verdict, growing lines and events while cells run, with buttons; turns watching on",
        examples=("%memwatch dashboard",),
    ),
    "log": Command(
        summary="the cells as a DataFrame: source, time, peak, retained, net, line of the peak, run count",
        examples=("%memwatch log",),
    ),
    "diff": Command(
        summary="the figures of two cells beside each other",
        examples=("%memwatch diff In[3] In[7]",),
        add_options=_add_diff,
    ),
    "vars": Command(
        summary="the variables by size, what they share counted once",
        examples=("%memwatch vars",),
        add_options=_add_vars,
    ),
    "holders": Command(
        summary="who keeps a variable, or the objects of a type, alive",
        examples=("%memwatch holders df", "%memwatch holders DataFrame"),
        add_options=_add_holders,
        names_variables=True,
    ),
    "leak": Command(
        summary="repeat a statement until it is known whether each run keeps memory",
        examples=("%memwatch leak -n 200 cache.append(bytes(1000))",),
        add_options=_add_leak,
        takes_statement=True,
    ),
    "release": Command(
        summary="let go of shown results and of the last error",
        examples=("%memwatch release 3", "%memwatch release"),
        add_options=_add_release,
    ),
    "budget": Command(
        summary="interrupt each cell with which the kernel goes over a size",
        examples=("%memwatch budget 2GiB", "%memwatch budget off"),
        add_options=_add_budget,
    ),
    "install": Command(
        summary="load the extension in every notebook, by one line in IPython's configuration",
        examples=("%memwatch install",),
    ),
    "uninstall": Command(
        summary="take that line out of IPython's configuration again", examples=("%memwatch uninstall",)
    ),
}
"""Every sub-command, in the order of the help."""

CELL_COMMAND = Command(
    summary="Measure this cell: its time, its peak, what it retains, and the lines that hold it.",
    examples=("%%memwatch", "%%memwatch --top 20 --frames 25"),
    add_options=_add_cell,
)
"""The options of a measured cell."""
