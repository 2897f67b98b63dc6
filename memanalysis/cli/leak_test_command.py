"""``memanalysis test module:function``: whether a call or a statement leaks, found by repeating it."""

import contextlib
import re
import sys
from collections.abc import Callable
from importlib import import_module
from types import FunctionType
from typing import Any

import click

from memanalysis.cli.command_group import suggest
from memanalysis.cli.command_help import Argument, Command, add_json_option
from memanalysis.errors import InvalidArgumentError, MemAnalysisError

__all__ = ["EXIT_LEAK", "command"]

EXIT_LEAK = 1
"""Code where the call leaks, or is undecided and that is asked for; 0 where it does not, 2 where it raises."""

KINDS = ("leak", "unknown")

STATEMENT = "<statement>"
"""Name of the file of a statement, whose lines are named as the place of a leak."""

_PLACE = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")

_EXAMPLES = """\
memanalysis test myapp.views:render_home
memanalysis test "client.get('/items')" --setup "from myapp import client"
memanalysis test myapp.jobs:nightly --max-s 60 --fail-on leak,unknown
"""


@click.command(
    "test",
    cls=Command,
    help="Repeat a call until it is known whether each one keeps memory: how much, on which lines, held by whom. "
    "Exits with 1 where it leaks. What the call prints goes to standard error.",
    examples=_EXAMPLES,
    needs=("numpy",),
)
@click.argument("call", cls=Argument, description="module:function, called without arguments, or a statement.")
@click.option("--setup", metavar="CODE", help="Statements that are run once before; a statement sees their names.")
@click.option("--max-calls", type=int, metavar="N", help="Calls at most (default: 1000000).")
@click.option("--max-s", type=float, metavar="SECONDS", help="Time at most, about (default: 15).")
@click.option(
    "--fail-on",
    metavar="KINDS",
    default="leak",
    help="leak, unknown, or both with a comma: unknown fails where it stays undecided (default: leak).",
)
@add_json_option
def command(call: str, setup: str | None, fail_on: str, is_json: bool, **bounds: Any) -> int:
    """Repeat the call, and print what was found."""
    from memanalysis.capture.notebook_cells import register_cell
    from memanalysis.leaktest.find_leak import find_leak

    kinds = {kind.strip() for kind in fail_on.split(",") if kind.strip()}
    if not kinds or not kinds <= set(KINDS):
        raise InvalidArgumentError(f"A test fails on some of {', '.join(KINDS)}, but got {fail_on!r}.")
    register_cell(STATEMENT, "statement")
    if sys.path[0] != "":
        sys.path.insert(0, "")  # as python -m does, so that modules of this folder are found
    try:
        with contextlib.redirect_stdout(sys.stderr):
            repeated = _find_call(call, setup)
            _announce(call, bounds["max_s"])
            finding = find_leak(repeated, **{name: bound for name, bound in bounds.items() if bound is not None})
    except MemAnalysisError:
        raise
    except (Exception, SystemExit) as exc:  # whatever the program of the user raises: it is no verdict
        raise InvalidArgumentError(f"{call} cannot be tested: it raised {type(exc).__name__}: {exc}.") from exc
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(finding)
    else:
        from memanalysis._text import make_printable

        sys.stdout.write("".join(f"{make_printable(line)}\n" for line in str(finding).split("\n")))
    found = "leak" if finding.is_leak else "unknown" if finding.is_leak is None else None
    return EXIT_LEAK if found in kinds else 0


def _announce(call: str, max_s: float | None) -> None:
    """Show on a terminal what goes on, and for how long at most.

    The line stands still: what draws progress meanwhile is a thread, and its memory would be measured with the call's.
    """
    if sys.stderr.isatty():
        from memanalysis._text import make_printable
        from memanalysis.leaktest.find_leak import MAX_S

        longest = f"{MAX_S if max_s is None else max_s:g} s at most"
        sys.stderr.write(f"Repeating {make_printable(call)} until it is known whether it leaks, for {longest}.\n")
        sys.stderr.flush()


def _find_call(call: str, setup: str | None) -> Callable[[], Any]:
    """Return what is repeated: a function of a module, or a statement in the names of the setup."""
    names: dict[str, Any] = {"__name__": "__main__"}
    if setup is not None:
        exec(_compile(setup, "<setup>"), names)  # noqa: S102 - the code of the user, as timeit runs it
    if not _PLACE.fullmatch(call):
        code = _compile(call, STATEMENT)
        repeated = FunctionType(code, names)  # no function of ours stands between find_leak and the statement
        repeated.__qualname__ = call
        return repeated
    module_name, _, path = call.partition(":")
    found: Any = import_module(module_name)
    for name in path.split("."):
        if not hasattr(found, name):
            known = [each for each in dir(found) if not each.startswith("_")]
            raise InvalidArgumentError(f"{module_name} has no {path}.{suggest(name, known)}")
        found = getattr(found, name)
    return found  # type: ignore[no-any-return]  # find_leak refuses what cannot be called


def _compile(code: str, name: str) -> Any:
    try:
        return compile(code, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as exc:  # ValueError: a null byte
        raise InvalidArgumentError(f"memanalysis test needs Python, but {code!r} is none: {exc}.") from exc
