"""The commands by name, each loaded when it is used, and what a mistyped name was meant to be."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from memanalysis.cli.command_help import add_traceback_option, write_examples

__all__ = ["CommandGroup", "describe_usage_error", "suggest"]


class CommandGroup(click.Group):
    """Commands, each imported when it is used.

    Parameters
    ----------
    name : str
        What is typed.
    examples : str
        Lines of a shell, shown as they are.
    notes : mapping of str to str
        Further sections of the help page by title, shown as they are.
    modules : mapping of str to (str, str)
        Each command by name: where it is, as ``module:attribute``, and a summary in one line.
    sections : mapping of str to sequence of str, optional
        The names of the commands under the titles of the help page; all under one title by default.
    """

    def __init__(
        self,
        name: str,
        *,
        examples: str,
        notes: Mapping[str, str] | None = None,
        modules: Mapping[str, tuple[str, str]],
        sections: Mapping[str, Sequence[str]] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(name, no_args_is_help=False, **settings)
        self.examples = examples
        self.notes = dict(notes or {})
        self.modules = modules
        self.sections = sections or {"Commands": tuple(modules)}
        add_traceback_option(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer needs them."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self.modules:
            return None
        place, summary = self.modules[cmd_name]
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        command.short_help = summary
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named first, or suggest the one that is meant."""
        if args[0] not in self.modules and not ctx.resilient_parsing:
            raise click.UsageError(f"There is no command {args[0]}.{suggest(args[0], self.modules)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands without importing them."""
        width = max(map(len, self.modules))
        for title, names in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), self.modules[name][1]) for name in names])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and notes."""
        write_examples(formatter, self.examples)
        for title, text in self.notes.items():
            write_examples(formatter, text, title=title)


def describe_usage_error(error: click.ClickException) -> str:
    """Return one line on wrong arguments and one on where to read of the right ones."""
    ctx = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption):
        known = [] if ctx is None else [name for param in ctx.command.get_params(ctx) for name in param.opts]
        text = f"There is no option {error.option_name}.{suggest(error.option_name, known)}"
    elif ctx is not None and isinstance(ctx.command, CommandGroup) and error.message == "Missing command.":
        text = f"Missing command: one of {', '.join(ctx.command.modules)}."
    else:
        text = error.format_message() + _suggest_choice(error)
    more = "" if ctx is None else f"\nRun '{ctx.command_path} --help' for its arguments and examples."
    return " ".join(text.split()) + more


def _suggest_choice(error: click.ClickException) -> str:
    """Return which of the values that an option takes is similar to the one that was given."""
    kind = getattr(getattr(error, "param", None), "type", None)
    given = re.match(r"'(.+?)' is not one of ", error.message)
    return suggest(given[1], map(str, kind.choices)) if given and isinstance(kind, click.Choice) else ""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a question that names what is similar, with a blank before it; empty where nothing is."""
    similar = get_close_matches(name, [each for each in known if each not in {"-m", "-o"}], n=2, cutoff=0.5)
    return f" Did you mean {' or '.join(similar)}?" if similar else ""
