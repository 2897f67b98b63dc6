"""``memanalysis completion SHELL``: the script by which a shell completes commands, options and values."""

import sys

import click
from click.shell_completion import get_completion_class

from memanalysis.cli.command_help import Argument, Command

__all__ = ["COMPLETION_VARIABLE", "SHELLS", "command"]

SHELLS = ("bash", "zsh", "fish")

COMPLETION_VARIABLE = "_MEMANALYSIS_COMPLETE"
"""Shells set this variable to ask for completions."""

_EXAMPLES = """\
eval "$(memanalysis completion bash)"         # in ~/.bashrc
eval "$(memanalysis completion zsh)"          # in ~/.zshrc
memanalysis completion fish > ~/.config/fish/completions/memanalysis.fish
"""


@click.command(
    "completion",
    cls=Command,
    help="Print the script by which a shell completes commands, options, values and files.",
    examples=_EXAMPLES,
)
@click.argument("shell", cls=Argument, type=click.Choice(SHELLS), description="bash (4.4 or newer), zsh or fish.")
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the script."""
    make_completion = get_completion_class(shell)
    if make_completion is None:  # one of Click's own three
        raise click.UsageError(f"Click has no completion for {shell}.", ctx)
    root = ctx.find_root()
    program = root.info_name or "memanalysis"
    sys.stdout.write(f"{make_completion(root.command, {}, program, COMPLETION_VARIABLE).source()}\n")
    return 0
