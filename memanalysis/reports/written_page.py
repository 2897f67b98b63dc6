"""Return a page as text, or write it to a file: the same for a report, a trend and each of their formats."""

import stat
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import overload

from memanalysis._atomic import write_atomic
from memanalysis._links import resolve_links
from memanalysis.errors import InvalidArgumentError

__all__ = ["return_or_write", "write_page"]


@overload
def return_or_write(render: Callable[[], str], path: None, call: str) -> str: ...
@overload
def return_or_write(render: Callable[[], str], path: str | PathLike[str] | None, call: str) -> str | Path: ...
def return_or_write(render: Callable[[], str], path: str | PathLike[str] | None, call: str) -> str | Path:
    """Return the text of a page; with a path write it there and return the path.

    Parameters
    ----------
    render : callable
        Makes the text.
    path : path, optional
        Where to write it.
    call : str
        What an error names.

    Raises
    ------
    InvalidArgumentError
        The path cannot be written.
    """
    text = render()
    return text if path is None else write_page(text, path, call)


def write_page(text: str, path: str | PathLike[str], call: str) -> Path:
    """Write a text whole, in place of what was there, and return where it is.

    Parameters
    ----------
    call : str
        What an error names.

    Raises
    ------
    InvalidArgumentError
        The path cannot be written.
    """
    target = Path(path)
    content = text.encode("utf-8", errors="backslashreplace")
    try:
        if target.exists() and not target.is_file():  # a device or a pipe is not replaced
            target.write_bytes(content)
        else:
            real = resolve_links(target)
            file_mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o666
            write_atomic(real, content, file_mode=file_mode)
    except OSError as exc:
        raise InvalidArgumentError(
            f"{call} needs a path that it can write, but {path} cannot be written: {exc.strerror}. Pass another path."
        ) from exc
    return target
