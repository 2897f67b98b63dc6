"""Which code explains a death? The line that holds the memory, those that called it, and the one that raised."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from memanalysis.reports.held_line import HeldLine
from memanalysis.reports.source_text import SourceText, read_source
from memanalysis.reports.verdict_cells import render_place

__all__ = ["read_death_sources"]

CALLER_AROUND = 1
"""Lines before and after a line that called, or that raised: they explain less than the line that holds."""


def read_death_sources(
    line: HeldLine | None, ending: Mapping[str, Any], *, ended: datetime | None
) -> Sequence[SourceText]:
    """Return the text of the lines that explain a death, each once, where their files are here.

    Parameters
    ----------
    line : HeldLine or None
        The line that explains most of what the run held.
    ending : mapping
        How the run ended, with its exception if there was one.
    ended : datetime or None
        When the run ended.
    """
    shown: set[tuple[str, int]] = set()
    sources = []
    for title, file, number, around in _list_places(line, ending):
        if (file, number) not in shown:
            shown.add((file, number))
            name = f"{title} {render_place(file, number, short=True)}"
            sources.append(read_source(file, number, title=name, ended=ended, around=around))
    return [source for source in sources if source is not None]


def _list_places(line: HeldLine | None, ending: Mapping[str, Any]) -> Iterator[tuple[str, str, int, int]]:
    """Name each place: how it took part, file, line, and the lines to show around it."""
    if line is not None:
        yield "Holds the memory:", line.file, line.line, SourceText.AROUND
        for caller in line.callers:
            yield "Called from", *caller, CALLER_AROUND
    error = ending.get("exception")
    if isinstance(error, Mapping):
        file, number = error.get("file"), error.get("line")
        if isinstance(file, str) and isinstance(number, int):
            yield "Raised at", file, number, CALLER_AROUND
