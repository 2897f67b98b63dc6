"""What every command has: help with arguments and examples, ``--traceback``, and the packages that it needs."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import click

from memanalysis.errors import MissingDependencyError

__all__ = [
    "PATH",
    "ROWS",
    "TRACEBACK",
    "Argument",
    "Command",
    "add_json_option",
    "add_traceback_option",
    "require_packages",
    "write_examples",
]

PATH = click.Path(readable=False)
"""Completes to files and folders. What is wrong with a path is reported where it is opened, and it may be a URL."""

ROWS = ("numpy", "pandas", "pyarrow")
"""What reads the rows of a ledger."""

TRACEBACK = "memanalysis.traceback"
"""Key of the context's ``meta`` that is set where ``--traceback`` is given."""


class Argument(click.Argument):
    """A positional argument that the help describes, as it describes options.

    Parameters
    ----------
    description : str
        Text for the help page.
    """

    def __init__(self, *declarations: Any, description: str = "", **settings: Any) -> None:
        super().__init__(*declarations, **settings)
        self.description = description


class Command(click.Command):
    """A command with arguments and examples in its help.

    Parameters
    ----------
    name : str
        What is typed.
    examples : str
        Lines of a shell, shown as they are.
    needs : sequence of str
        Packages that the command loads, beside Click, msgspec, psutil and PyYAML.
    """

    def __init__(self, name: str | None, *, examples: str, needs: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(name, **settings)
        self.examples = examples
        self.needs = tuple(needs)
        add_traceback_option(self)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command where all that it needs is installed."""
        require_packages(ctx.command_path, self.needs)
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, then the options."""
        arguments = [param for param in self.params if isinstance(param, Argument)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([(param.human_readable_name, param.description) for param in arguments])
        records = [param.get_help_record(ctx) for param in self.get_params(ctx) if not isinstance(param, Argument)]
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record is not None])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)


def write_examples(formatter: click.HelpFormatter, examples: str, *, title: str = "Examples") -> None:
    """Write a section of a help page without breaking or joining its lines."""
    with formatter.section(title):
        for line in examples.strip("\n").splitlines():
            formatter.write(f"{' ' * formatter.current_indent}{line}\n")


def add_json_option(function: Callable[..., int]) -> Callable[..., int]:
    """Add ``--json``, which comes as ``is_json``."""
    option = click.option(
        "--json", "is_json", is_flag=True, help="Print JSON alone, as memanalysis schema describes it."
    )
    return option(function)


def add_traceback_option(command: click.Command) -> None:
    """Add ``--traceback``, which is taken before and after the name of a command."""

    def note(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value:
            ctx.find_root().meta[TRACEBACK] = True

    command.params.append(
        click.Option(
            ["--traceback"], is_flag=True, expose_value=False, callback=note, help="Show where an error arose."
        )
    )


def require_packages(command_path: str, names: Sequence[str], *, find: Callable[[str], object] = find_spec) -> None:
    """Raise an error that names every package that is not installed.

    Raises
    ------
    MissingDependencyError
        One or more are missing, as they are where the recorder alone is installed.
    """
    missing = [name for name in names if find(name) is None]
    if missing:
        *others, last = missing
        listed = f"{', '.join(others)} and {last}" if others else last
        raise MissingDependencyError(
            f"{command_path} needs {listed}, which {'are' if others else 'is'} not installed. "
            "Run: pip install memanalysis"
        )
