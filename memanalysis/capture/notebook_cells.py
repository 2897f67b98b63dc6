"""What is a notebook cell called? IPython compiles it under a file name of its own; people know it as ``In[3]``.

The notebook magic registers the cells it watches; of others IPython is asked, if it is loaded: it notes under which
file name it compiled which cell, for its own tracebacks.
"""

import sys

__all__ = ["display_file", "is_cell", "register_cell"]

_names: dict[str, str] = {}


def register_cell(filename: str, name: str) -> None:
    """Register code compiled under ``filename`` as the cell called ``name``, such as ``In[3]``."""
    _names[filename] = name


def is_cell(filename: str) -> bool:
    """Return whether the file name is that of a cell."""
    return filename in _names or _find_in_ipython(filename) is not None


def display_file(filename: str) -> str:
    """Return the name that people know the file by: the cell's name, or the file name as it is."""
    return _names.get(filename) or _find_in_ipython(filename) or filename


def _find_in_ipython(filename: str) -> str | None:
    find_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if find_shell is None else find_shell()
    numbers = getattr(getattr(shell, "compile", None), "_filename_map", None)  # an IPython without it names no cells
    number = numbers.get(filename) if isinstance(numbers, dict) else None
    return None if number is None else f"In[{number}]"
