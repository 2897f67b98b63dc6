"""Which line of a cell is this line of code? Also where a magic such as ``%%time`` compiled the cell's body.

``%%time``, ``%%timeit`` and ``%%prun`` compile the lines below them under a file name of their own (``<timed exec>``)
and count from 1. While such a cell is measured, that name stands for the cell, and its lines are moved down.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from memanalysis.capture.notebook_cells import display_file, is_cell

__all__ = ["BODY_FILES", "body_offset", "forget_body", "locate", "locate_frames", "register_body"]

BODY_FILES = ("<timed exec>", "<timed eval>", "<magic-timeit>", "<magic-timeit-setup>")
"""Names under which IPython's magics compile what they are given."""

_CELL_MAGIC = re.compile(r"\s*%%(?P<name>\w+)")
_body: list[tuple[str, int]] = []


def body_offset(raw_cell: str) -> int:
    r"""Number of lines above what the innermost cell magic but ``%%memwatch`` is given; 0 where there is no other.

    Examples
    --------
    >>> body_offset("%%memwatch\n%%time\nx = 1"), body_offset("%%time\n%%memwatch\nx = 1"), body_offset("x = 1")
    (2, 1, 0)
    """
    offset = 0
    for number, line in enumerate(raw_cell.splitlines(), start=1):
        magic = _CELL_MAGIC.match(line)
        if magic is None and line.strip():
            break
        if magic is not None and magic["name"] != "memwatch":
            offset = number
    return offset


def register_body(label: str, offset: int) -> None:
    """Let the names of magics' bodies stand for lines of this cell, until `forget_body`."""
    forget_body()
    if offset:
        _body.append((label, offset))


def forget_body() -> None:
    """End the last registration."""
    _body.clear()


def locate(file: str, line: int) -> tuple[str, int] | None:
    """Return the cell and the line in it; None where the code was not typed into a cell."""
    if _body and file in BODY_FILES:
        label, offset = _body[0]
        return label, line + offset
    return (display_file(file), line) if _is_known_cell(file) else None


def locate_frames(frames: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return frames in which code of cells has the cell's name and line; the others as they are."""
    return [locate(*frame) or frame for frame in frames]


@lru_cache(maxsize=4096)
def _is_known_cell(file: str) -> bool:
    return is_cell(file)
