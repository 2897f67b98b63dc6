"""Which frame of a stack is the user's own code? The one to change, where a library allocates on its behalf."""

import sysconfig
from functools import cache
from pathlib import Path

from memanalysis.capture.wrapper_frames import SITE_FOLDERS, is_own_file

__all__ = ["find_user_frame", "is_library_file"]

Frame = tuple[str, int]


def find_user_frame(frames: tuple[Frame, ...]) -> Frame | None:
    """Return the innermost frame of the user's code, where a library allocates; else None.

    Parameters
    ----------
    frames : tuple of (file, line)
        Most recent call first.

    Returns
    -------
    (file, line) or None
        None where the innermost frame is the user's own already, or no frame is.
    """
    if not is_library_file(frames[0][0]):
        return None
    return next((frame for frame in frames if not is_library_file(frame[0])), None)


@cache
def is_library_file(file: str) -> bool:
    """Return whether a file belongs to Python, to an installed package or to memanalysis."""
    if file.startswith("<frozen") or is_own_file(file):
        return True
    if file.startswith("<"):  # <string>, <stdin>: typed in by the user
        return False
    path = Path(file)
    if not set(SITE_FOLDERS).isdisjoint(path.parts):
        return True
    return any(path.is_relative_to(folder) for folder in _library_folders())


@cache
def _library_folders() -> frozenset[str]:
    """Return Python's own folders, and where links among them lead: a file may be named by either."""
    paths = sysconfig.get_paths()
    folders = {Path(paths[name]) for name in ("stdlib", "platstdlib") if name in paths}
    return frozenset(map(str, folders | {folder.resolve() for folder in folders}))
