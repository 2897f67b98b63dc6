"""What one cell did to memory, by line: the record that both ways of measuring give.

``sampled_cell`` fills it where the compiled sampler is there, ``line_events`` where it is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from memanalysis.notebook.lines import LineMemory, Place

__all__ = ["CellLine", "CellMemory", "CellRecorder", "join_lines"]

ABOUT_AS_MUCH = 0.9
"""Two lines whose bytes differ by less are in the order of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellMemory:
    """Memory that a cell added at its highest point and in its end; None is unknown.

    Parameters
    ----------
    peak_bytes : int or None
        Most that was held more than before the cell.
    rss_peak_bytes : int or None
        Most that resident memory rose.
    followed_peak_bytes : int or None
        What Python and numpy had allocated at the highest point; None where allocations were not followed.
    native_peak_bytes, native_retained_bytes : int
        Part of resident memory above what was followed, where it is large enough to be more than noise.
    peak_place : Place or None
        Line that ran at the highest point.
    highest, retained : sequence of LineMemory
        By line: what it held at the highest point, and in the end.
    is_exact : bool
        False where a peak between two readings may have been missed.
    is_net : bool
        Whether what the cell freed of older memory is taken off ``retained`` already.
    is_resident : bool
        False where much of what was allocated at the highest point was not in memory.
    """

    peak_bytes: int | None
    rss_peak_bytes: int | None = None
    followed_peak_bytes: int | None = None
    native_peak_bytes: int = 0
    native_retained_bytes: int = 0
    peak_place: Place | None = None
    highest: Sequence[LineMemory] = ()
    retained: Sequence[LineMemory] = ()
    is_exact: bool = True
    is_net: bool = False
    is_resident: bool = True
    notes: tuple[str, ...] = ()


class CellRecorder(Protocol):
    """A way to measure the statements of one cell.

    ``collect_before`` is the oldest generation that is collected before it starts.
    """

    collect_before: int

    def start(self) -> None:
        """Begin; memory that is held now is not the cell's."""

    def before_statement(self, place: Place) -> None:
        """A statement of the cell begins."""

    def after_statement(self) -> None:
        """The statement ended, perhaps by an error."""

    def read_python_bytes(self) -> int | None:
        """Give what Python holds now, where allocations are followed."""

    def poll(self, rss_bytes: int | None, place: Place | None) -> None:
        """Take a reading from another thread, while a statement runs."""

    def end(self) -> None:
        """The cell ended: nothing from here on is its own. Garbage is collected after this."""

    def finish(self) -> CellMemory:
        """Read what is retained, stop, and give the record."""

    def close(self) -> None:
        """Leave everything as it was found, also after an error; a second time changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLine:
    """What one line held at the cell's highest point, and what it still holds; both with their native part."""

    place: Place
    highest_bytes: int
    retained_bytes: int
    retained_allocations: int
    native_bytes: int = 0


def join_lines(
    retained: Sequence[LineMemory], highest: Sequence[LineMemory], *, peak_place: Place | None = None
) -> list[CellLine]:
    """Return one row a line from what is retained and what was held at the highest point; the most memory first.

    Of lines that held about as much, the one that ran at the highest point, ``peak_place``, is the first.
    """
    retained_at = {(line.place.file, line.place.line): line for line in retained}
    highest_at = {(line.place.file, line.place.line): line for line in highest}
    rows = []
    for key in retained_at.keys() | highest_at.keys():
        both = [line for line in (highest_at.get(key), retained_at.get(key)) if line]
        retained_line, highest_line = retained_at.get(key), highest_at.get(key)
        rows.append(
            CellLine(
                place=max(both, key=lambda line: line.size_bytes).place,
                highest_bytes=max(highest_line.size_bytes, 0) if highest_line else 0,
                retained_bytes=retained_line.size_bytes if retained_line else 0,
                retained_allocations=retained_line.live_allocations if retained_line else 0,
                native_bytes=max(line.native_bytes for line in both),
            )
        )
    rows.sort(key=lambda row: (-row.highest_bytes, -abs(row.retained_bytes), row.place.file, row.place.line))
    for position, row in enumerate(rows):
        ran = peak_place is not None and (row.place.file, row.place.line) == (peak_place.file, peak_place.line)
        if ran and row.highest_bytes >= ABOUT_AS_MUCH * rows[0].highest_bytes:
            rows.insert(0, rows.pop(position))
            break
    return rows
