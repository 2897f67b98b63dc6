"""The options of commands that judge a ledger in this process or on a Dask cluster."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from memanalysis.verdicts.engines import EngineSource

__all__ = ["add_engine_options", "make_engine"]

NAMES = ("pandas", "dask")


def add_engine_options(function: "Callable[..., int]") -> "Callable[..., int]":
    """Add the options that name the engine and its scheduler."""
    for option in (
        click.option(
            "--scheduler", metavar="ADDRESS", help="Dask scheduler, such as tcp://10.0.0.1:8786 (default: one here)."
        ),
        click.option(
            "--engine",
            type=click.Choice(NAMES),
            default="pandas",
            help="Where to judge: in this process, or on a Dask cluster (default: pandas).",
        ),
    ):
        function = option(function)
    return function


def make_engine(name: str, scheduler: str | None, show: "Callable[[str], None]") -> "EngineSource":
    """Return the engine of that name, which shows its progress in the line of the command.

    Raises
    ------
    click.UsageError
        A scheduler was named for another engine.
    """
    if name == "dask":
        from memanalysis.verdicts.dask_engine import DaskEngine

        return DaskEngine(scheduler, show=show)
    if scheduler is not None:
        raise click.UsageError("--scheduler needs --engine dask. Add it, or leave the scheduler out.")
    return "pandas"
