"""The parser of ``%memwatch`` lines and of the first line of ``%%memwatch`` cells, made from the table of commands."""

import argparse
import difflib
import re
import shlex
from collections.abc import Collection
from typing import NoReturn

from IPython.core.error import UsageError

from memanalysis.notebook.memwatch_commands import CELL_COMMAND, COMMANDS, Command

__all__ = ["HELP_WORDS", "MagicParser", "make_cell_parser", "make_line_parser", "parse_line", "render_help"]

HELP_WORDS = ("-h", "--help")
"""What asks for help, wherever it stands among the options."""

MIN_LIKENESS = 0.6
"""Likeness from which a word is offered for a misspelt one; the default of difflib."""

_OPTIONS_AND_STATEMENT = re.compile(
    r"(?P<options>(?:\s*-\S+(?:\s+|=)[\w.+-]+(?=\s|$))*)\s*(?P<statement>.*)", re.DOTALL
)


class MagicParser(argparse.ArgumentParser):
    """Parser of the options of a magic; an error is one sentence, and ends no process."""

    def __init__(self, name: str, command: Command) -> None:
        examples = "\n".join(f"  {example}" for example in command.examples)
        super().__init__(
            prog=name,
            description=command.summary,
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            add_help=False,
        )
        self._command = command
        self.add_argument(*HELP_WORDS, action="store_true", help="show this")  # asked for by `render_help`
        command.add_options(self)

    @property
    def option_strings(self) -> list[str]:
        """Every option, with its dashes."""
        return list(self._option_string_actions)

    def parse_line(self, line: str) -> argparse.Namespace:
        """Return the options of a line; raise `UsageError` where they are wrong."""
        options, statement = line, None
        if self._command.takes_statement:
            match = _OPTIONS_AND_STATEMENT.fullmatch(line)
            options, statement = (match["options"], match["statement"].strip()) if match else ("", line)
        parsed, unknown = self.parse_known_args(self._split(options))
        if unknown:
            self.error(f"nothing is known of {unknown[0]!r}{_suggest(unknown[0], self.option_strings)}")
        if statement is not None:
            if not statement or statement.startswith("-"):
                self.error(f"a statement is needed, but got {statement!r}")
            parsed.statement = statement
        return parsed

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` in place of ending the process."""
        raise UsageError(f"{self.prog}: {_end_sentence(message)} See {self.prog} --help.")

    def _split(self, line: str) -> list[str]:
        try:
            return shlex.split(line)
        except ValueError as exc:
            raise UsageError(f"{self.prog} could not read {line!r}: {exc}.") from None


def parse_line(line: str) -> argparse.Namespace:
    """Return the sub-command of a ``%memwatch`` line as ``word``, and its options; ``status`` where there is none.

    Raises
    ------
    UsageError
        An unknown sub-command or option.
    """
    word, _, rest = line.strip().partition(" ")
    word = word or "status"
    if word.startswith("-"):
        owner = next((name for name in COMMANDS if word in make_line_parser(name).option_strings), None)
        if owner is None:
            raise UsageError(f"%memwatch needs a sub-command before {word!r}: {', '.join(COMMANDS)}.")
        raise UsageError(f"%memwatch needs a sub-command before {word!r}, such as %memwatch {owner} {word}.")
    if word not in COMMANDS:
        problem = _end_sentence(f"%memwatch has no {word!r}{_suggest(word, COMMANDS)}")
        raise UsageError(f"{problem} It has {', '.join(COMMANDS)}; see %memwatch --help.")
    options = make_line_parser(word).parse_line(rest)
    options.word = word
    return options


def make_line_parser(word: str) -> MagicParser:
    """Return the parser of what follows a sub-command of ``%memwatch``."""
    return MagicParser(f"%memwatch {word}", COMMANDS[word])


def make_cell_parser() -> MagicParser:
    """Return the parser of the first line of a ``%%memwatch`` cell."""
    return MagicParser("%%memwatch", CELL_COMMAND)


def render_help(line: str, *, is_cell: bool = False) -> str | None:
    """Return the help that a line asks for by ``--help``, or None where it asks for none."""
    words = line.split()
    if is_cell:
        return make_cell_parser().format_help() if not set(HELP_WORDS).isdisjoint(words) else None
    if not words or (words[0] in COMMANDS and set(HELP_WORDS).isdisjoint(words[1:])):
        return None
    if words[0] in COMMANDS:
        asked = words[1:2] if COMMANDS[words[0]].takes_statement else words[1:]
        return None if set(HELP_WORDS).isdisjoint(asked) else make_line_parser(words[0]).format_help()
    return _render_overview() if words[0] in HELP_WORDS else None


def _suggest(word: str, known: Collection[str]) -> str:
    """Return ``: did you mean status?`` for a misspelt word, and nothing where none is like it."""
    found = difflib.get_close_matches(word.partition("=")[0], known, n=1, cutoff=MIN_LIKENESS)
    return f": did you mean {found[0]}?" if found else ""


def _end_sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _render_overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [
        "Watch the memory of every cell by %memwatch, or measure one by a first line of %%memwatch.",
        "",
        *(f"  %memwatch {word:<{width}}  {command.summary}" for word, command in COMMANDS.items()),
        "",
        "examples:",
        *(f"  {command.examples[0]}" for command in COMMANDS.values()),
        "",
        "%memwatch on --help shows the options of one sub-command, %%memwatch --help those of a measured cell.",
    ]
    return "\n".join(lines) + "\n"
