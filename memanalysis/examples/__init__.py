"""Three small programs that watch themselves: one leaks, one warms up, one swings.

Each runs as ``python -m memanalysis.examples.<name> --seconds 20 --ledger DIR``. ``SCENARIOS`` describes them without
importing them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LEAK_MARKER", "SCENARIOS", "Scenario"]

LEAK_MARKER = "# the leak"
"""Ends the one line of a leaking program that allocates what is never released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One example program; as text it is its title.

    Parameters
    ----------
    name : str
        Module in this package, and the service it records under.
    title : str
        What it does, for people.
    is_leak : bool
        Whether it leaks.
    """

    name: str
    title: str
    is_leak: bool

    def __str__(self) -> str:
        return self.title

    @property
    def module(self) -> str:
        """Module to run, as in ``python -m``."""
        return f"{__name__}.{self.name}"

    @property
    def service(self) -> str:
        """Service of its rows."""
        return self.name

    @property
    def file(self) -> Path:
        """Its source."""
        return Path(__file__).with_name(f"{self.name}.py")

    def find_leaking_line(self) -> int | None:
        """Return the line of its source that leaks, or None where none does."""
        lines = self.file.read_text(encoding="utf-8").splitlines()
        return next((number for number, line in enumerate(lines, 1) if line.endswith(LEAK_MARKER)), None)


SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="leaky_service", title="a web service whose sessions are never removed", is_leak=True),
        Scenario(name="warming_cache", title="a web service whose cache fills up and then stays full", is_leak=False),
        Scenario(name="batch_job", title="a job that loads, works off and releases its batches", is_leak=False),
    )
}
"""The example programs by name."""
