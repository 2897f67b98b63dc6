"""``memanalysis schema COMMAND``: the JSON Schema of what a command prints with ``--json``."""

import json
import sys

import click
from click.shell_completion import CompletionItem

from memanalysis.cli.command_group import suggest
from memanalysis.cli.command_help import ROWS, Argument, Command
from memanalysis.errors import InvalidArgumentError

__all__ = ["command"]

_EXAMPLES = """\
memanalysis schema assess > verdicts.schema.json
memanalysis schema policy show
memanalysis schema | jq keys
"""


class _CommandName(click.ParamType):  # type: ignore[type-arg]  # no generic type before Click 8.2
    """The words of a command; completed one by one."""

    name = "command"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the words that begin so."""
        from memanalysis.cli.output_schemas import SCHEMAS

        words = dict.fromkeys(name.split()[0] for name in SCHEMAS)
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


@click.command(
    "schema",
    cls=Command,
    help="Print the JSON Schema (draft 2020-12) of what a command prints with --json. Without COMMAND an object with "
    "all of them by command. Keys may be added in a new version; none changes its meaning.",
    examples=_EXAMPLES,
    needs=ROWS,
)
@click.argument(
    "words", cls=Argument, nargs=-1, type=_CommandName(), metavar="[COMMAND]", description="Such as assess."
)
def command(words: tuple[str, ...]) -> int:
    """Print one schema or all."""
    from memanalysis.cli.output_schemas import SCHEMAS, make_output_schema

    name = " ".join(words)
    if words and name not in SCHEMAS:
        raise InvalidArgumentError(
            f"There is no schema of {name!r}.{suggest(name, SCHEMAS)} There are those of {', '.join(SCHEMAS)}."
        )
    content = make_output_schema(name) if words else {each: make_output_schema(each) for each in SCHEMAS}
    sys.stdout.write(f"{json.dumps(content, indent=2)}\n")
    return 0
