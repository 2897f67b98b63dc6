"""Where a path leads, past symbolic links."""

import errno
import os
from pathlib import Path

__all__ = ["resolve_links"]


def resolve_links(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path without links; it need not exist.

    Raises
    ------
    OSError
        The links lead in a circle. `Path.resolve` raises a `RuntimeError` for that before Python 3.13, and nothing
        from then on.
    """
    try:
        real = Path(path).resolve()
    except RuntimeError as exc:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path)) from exc
    if any(place.is_symlink() for place in (real, *real.parents)):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
    return real
