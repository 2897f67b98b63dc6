"""Which variables of a few frames hold the most: the names to blame for memory, found in a fifth of a second."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any

from memanalysis.capture.user_frames import is_library_file
from memanalysis.capture.variable_sizes import measure_variables
from memanalysis.units import MIB

__all__ = ["NameSize", "find_largest_names"]

SECONDS = 0.2
"""For all names together."""

MAX_FRAMES = 50
MIN_BYTES = MIB
"""Names that hold less are left out."""


@dataclass(frozen=True, slots=True)
class NameSize:
    """A variable and the estimated bytes that it holds."""

    name: str
    size_bytes: int
    type_name: str


def find_largest_names(frame: FrameType | None, *, most: int = 3, seconds: float = SECONDS) -> list[NameSize]:
    """Return the variables of a stack's user frames that hold the most: locals, and the globals of the innermost one.

    Parameters
    ----------
    frame : frame or None
        The innermost frame.
    most : int
        At most this number.
    seconds : float
        After so long no further name is measured.
    """
    spaces = _list_spaces(frame)
    named: dict[int, tuple[str, Any]] = {}
    for space in reversed(spaces):
        for name, value in list(space.items()):
            if not name.startswith("_") and not issubclass(type(value), ModuleType | type):
                named.setdefault(id(value), (name, value))
    keys = {f"{key} {name}": (name, value) for key, (name, value) in named.items()}
    sizes = measure_variables({key: value for key, (_, value) in keys.items()}, max_s=seconds, stop_at=spaces)
    return [
        NameSize(keys[row.name][0], row.size_bytes, type(keys[row.name][1]).__name__)
        for row in sizes.rows[:most]
        if row.size_bytes is not None and row.size_bytes >= MIN_BYTES
    ]


def _list_spaces(frame: FrameType | None) -> list[Mapping[str, Any]]:
    """Return the variables of each user frame, the innermost first, after the globals of the innermost one."""
    spaces: list[Mapping[str, Any]] = []
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        if not is_library_file(frame.f_code.co_filename):
            if not spaces:
                spaces.append(frame.f_globals)
            if frame.f_code.co_name != "<module>":
                spaces.append(frame.f_locals)
        frame = frame.f_back
    return spaces
