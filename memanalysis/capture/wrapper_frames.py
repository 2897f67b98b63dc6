"""Decide by its file name whether a frame is ours or the program's, and name the file alike on every machine.

Frames of memanalysis itself are distinguished from those of the watched program, and a site's identity must not change
with the folder that Python or the program is installed in.
"""

import os
import sys
import tracemalloc
from functools import cache
from pathlib import Path

from memanalysis.capture.notebook_cells import display_file, is_cell

__all__ = ["SITE_FOLDERS", "is_own_file", "is_wrapper_frame", "make_portable", "register_wrapper_frame"]

PACKAGE_FOLDER = str(Path(__file__).parent.parent) + os.sep
EXAMPLES_FOLDER = PACKAGE_FOLDER + "examples" + os.sep

SITE_FOLDERS = ("site-packages", "dist-packages")
STDLIB_FOLDER = str(Path(os.__file__).parent)

_wrapper_frames: set[str] = set()


def register_wrapper_frame(filename: str) -> None:
    """Register a module of ours that calls into the watched program: what is allocated beyond it is the program's.

    A decorator, a cell magic and a program runner are wrapper frames: they stand in each traceback of the
    code they start.
    """
    _wrapper_frames.add(filename)


def is_own_file(filename: str) -> bool:
    """Return whether the file is one of memanalysis, but for its example programs, or tracemalloc's Python part."""
    if filename == tracemalloc.__file__:
        return True
    return filename.startswith(PACKAGE_FOLDER) and not filename.startswith(EXAMPLES_FOLDER)


def is_wrapper_frame(filename: str) -> bool:
    """Return whether the file is a registered wrapper frame."""
    return filename in _wrapper_frames


@cache
def make_portable(filename: str) -> str:
    """Shorten a file name to what is the same in every install, such as ``pandas/core/frame.py`` or ``app.py``.

    The part after site-packages, the standard library's folder, the longest folder of ``sys.path`` or the working
    folder is kept; a file outside all of these keeps its whole name.
    """
    if is_cell(filename):
        return display_file(filename)
    if filename.startswith("<"):  # <string>, <frozen importlib._bootstrap>
        return filename
    parts = Path(filename).parts
    for place in range(len(parts) - 1, -1, -1):
        if parts[place] in SITE_FOLDERS:
            return "/".join(parts[place + 1 :])
        if parts[place].startswith("ipykernel_"):  # ipykernel writes the kernel's pid into the name of a cell's file
            return "/".join(("ipykernel", *parts[place + 1 :]))
    folders = [folder for folder in (STDLIB_FOLDER, *sys.path, _working_folder()) if os.path.isabs(folder)]  # noqa: PTH117
    inside = [folder for folder in folders if filename.startswith(folder.rstrip(os.sep) + os.sep)]
    if not inside:
        return Path(filename).as_posix()
    return Path(filename).relative_to(max(inside, key=len)).as_posix()


def _working_folder() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # the folder was removed under the process
        return ""
