"""What is a notebook cell called? IPython compiles it under a file name of its own; people know it as ``In[3]``."""

__all__ = ["display_file", "is_cell", "register_cell"]

_names: dict[str, str] = {}


def register_cell(filename: str, name: str) -> None:
    """Say that code compiled under ``filename`` is the cell called ``name``, such as ``In[3]``."""
    _names[filename] = name


def is_cell(filename: str) -> bool:
    """Tell whether the file name is that of a registered cell."""
    return filename in _names


def display_file(filename: str) -> str:
    """Return the name that people know the file by: the cell's name, or the file name as it is."""
    return _names.get(filename, filename)
