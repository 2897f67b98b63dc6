"""The commands that stand within sentences, in the pages and in docstrings, are ones that the command line has.

Each is read by the parser of its command: an unknown command, option or word of a choice fails, and so does an argument
too many. Nothing runs. What a sentence may leave open is left open:

- A command is named without what it needs (`memanalysis check`), and an option at the end without its value.
- A word in capitals, or an ellipsis, stands for something of the reader's: a value, arguments, or a command.
"""

import re
import shlex
from pathlib import Path

import click
import pytest

from memanalysis.cli import commands

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted((ROOT / "memanalysis").rglob("*.py"))

BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(`{1,2})(memanalysis(?: [^`]*)?)\1(?!`)")
SHELL = {">", ">>", "|", "&&", ";"}
"""From one of these words on the text is the shell's."""

CONVERTED = (click.Choice, click.types.IntParamType, click.types.FloatParamType)
"""Types of values that are checked; a path need not be there."""


def find_inline(text: str) -> list[str]:
    """Return the commands within the sentences of a text, each on one line."""
    return [" ".join(found[2].split()) for found in INLINE.finditer(BLOCK.sub("", text)) if " " in found[2]]


def is_open(word: str) -> bool:
    """Return whether a word stands for something of the reader's."""
    return word.strip(".…") == "" or word.rstrip(".…").replace("_", "").isupper()


def read_command(text: str) -> None:
    """Read a command as the command line does, and run nothing.

    Raises
    ------
    click.UsageError
        The command line would refuse it.
    """
    words = shlex.split(text)[1:]
    words = words[: next((place for place, word in enumerate(words) if word in SHELL), len(words))]
    command: click.Command = commands
    context = command.make_context("memanalysis", [], resilient_parsing=True)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        if is_open(name):
            return
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"There is no command {name}.", context)
        command, context = found, found.make_context(name, [], parent=context, resilient_parsing=True)
    if words and names_option(command, context, words[-1]):
        del words[-1]
    context.resilient_parsing = False  # it let the parser pass over what it does not know
    values, rest, _ = command.make_parser(context).parse_args(list(words))
    if rest and not all(map(is_open, rest)):
        raise click.UsageError(f"{rest} is more than it takes.", context)
    for parameter in command.get_params(context):
        value = values.get(parameter.name or "")
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, str) and isinstance(parameter.type, CONVERTED) and not is_open(each):
                parameter.type.convert(each, parameter, context)


def names_option(command: click.Command, context: click.Context, word: str) -> bool:
    """Return whether a word is an option of the command that takes a value."""
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    return any(word in each.opts and not each.is_flag for each in options)


WITH_COMMANDS = [file for file in (*PAGES, *SOURCES) if find_inline(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("file", WITH_COMMANDS, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_commands_within_sentences_are_ones_that_there_are(file: Path) -> None:
    for command in find_inline(file.read_text(encoding="utf-8")):
        try:
            read_command(command)
        except click.UsageError as exc:
            pytest.fail(f"{command}: {exc.format_message()}")


def test_the_pages_have_such_commands() -> None:
    """Else the pattern would be wrong."""
    found = {page.name: find_inline(page.read_text(encoding="utf-8")) for page in PAGES}

    assert 'memanalysis compare logs/ledger --mark "deploy 1.4"' in [each for page in found.values() for each in page]
    assert len(found["command-line.md"]) >= 4


@pytest.mark.parametrize(
    "text",
    [
        "memanalysis asess LEDGER",
        "memanalysis policy shows",
        "memanalysis assess LEDGER --jsn",
        "memanalysis assess LEDGER --format jsno",
        "memanalysis trend LEDGER --weeks six",
        "memanalysis info one two",
        "memanalysis run --supervised app.py",
    ],
)
def test_what_the_command_line_would_refuse_is_found(text: str) -> None:
    with pytest.raises(click.UsageError):
        read_command(text)


@pytest.mark.parametrize(
    "text",
    [
        "memanalysis check",
        "memanalysis record --pid",
        "memanalysis import FILE... LEDGER",
        "memanalysis sweep PACKAGE --versions ...",
        "memanalysis WORDS --help",
        "memanalysis policy schema > memory_policy.schema.json",
        "memanalysis run --service api -m uvicorn app:app --reload",
    ],
)
def test_what_a_sentence_leaves_open_is_accepted(text: str) -> None:
    read_command(text)
