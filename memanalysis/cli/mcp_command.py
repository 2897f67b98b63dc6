"""``memanalysis mcp LEDGER``: let an assistant ask ledgers, over standard input and output."""

from importlib.util import find_spec

import click

from memanalysis.cli.command_help import PATH, ROWS, Argument, Command
from memanalysis.cli.shared_options import add_policy_option
from memanalysis.errors import MissingDependencyError

__all__ = ["command"]

_EXAMPLES = """\
memanalysis mcp logs/ledger --policy policy.yaml
memanalysis mcp main-ledger branch-ledger
"""


@click.command(
    "mcp",
    cls=Command,
    help="Serve ledgers to an assistant by the Model Context Protocol, over standard input and output: which services "
    "and runs there are, verdicts, evidence, comparisons, holders, and policy checks. Answers have at most 2 KB. "
    "Nothing is written, and nothing but these ledgers is read. The assistant starts the command itself.",
    examples=_EXAMPLES,
    needs=ROWS,
)
@click.argument(
    "ledgers",
    cls=Argument,
    type=PATH,
    nargs=-1,
    required=True,
    metavar="LEDGER...",
    description="Directories, files or URLs of ledgers.",
)
@add_policy_option
def command(ledgers: tuple[str, ...], policy: str | None) -> int:
    """Open the ledgers, and serve them until standard input ends."""
    if find_spec("mcp") is None:
        raise MissingDependencyError(
            "memanalysis mcp needs mcp, which is not installed. Run: pip install 'memanalysis[mcp]'"
        )
    from memanalysis.assistant.served_ledgers import ServedLedgers
    from memanalysis.verdicts.sources import resolve_ledger, resolve_policy

    opened = [resolve_ledger(path, call="mcp") for path in ledgers]
    served = ServedLedgers(opened, resolve_policy(policy, call="mcp"))

    from memanalysis.assistant.stdio_server import serve

    serve(served)
    return 0
