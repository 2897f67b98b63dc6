"""Descriptors that stay open in a watched program, and are used only while they are provably ours.

A program that becomes a daemon closes every descriptor it finds, and then opens files of its own, which get the same
numbers. So each use of a kept number is preceded by an ``fstat``: device and inode must be those of the moment it was
opened. Where they are not, the number is forgotten and never closed.

Between that ``fstat`` and the use lie some microseconds, in which another thread could close the number and open a file
under it. A new file gets the lowest free number, so ours are moved up, near the end of what the process may have: a
file of the program gets such a number only by ``dup2`` or with a thousand files open. That is safer than to open a path
for each write, because a descriptor that is opened for a moment has the very number that the next file gets, and it
leaves the numbers that the program itself sees as they are without us.

Standard library only.
"""

import contextlib
import os

try:
    import fcntl
    import resource
except ImportError:  # Windows: there a program closes no descriptors that it did not open
    fcntl = None  # type: ignore[assignment]
    resource = None  # type: ignore[assignment]

__all__ = ["OwnDescriptor"]

HIGHEST_NUMBER = 1024
"""Numbers from here on are not asked for: the system's table grows with the highest."""

RESERVED_NUMBERS = 64
"""How far below the limit the search for a free number begins."""

LOWEST_NUMBER = 32
"""With a limit too low for that, the number stays as it came."""


class OwnDescriptor:
    """A descriptor that knows its file again.

    Parameters
    ----------
    number : int
        As ``os.open`` gave it; this object takes it over, and may move it to a higher one.

    Attributes
    ----------
    number : int
        To be used only right after ``stat`` gave a status.
    """

    __slots__ = ("_device", "_inode", "number")

    def __init__(self, number: int) -> None:
        self.number = _move_up(number)
        status = os.fstat(self.number)
        self._device = status.st_dev
        self._inode = status.st_ino

    def stat(self) -> os.stat_result | None:
        """Return the status of our file; None where the number is closed, or another file's."""
        try:
            status = os.fstat(self.number)
        except OSError:
            return None
        return status if status.st_ino == self._inode and status.st_dev == self._device else None

    def is_same_file(self, status: os.stat_result) -> bool:
        """Return whether a status, of a path or another descriptor, is that of our file."""
        return status.st_ino == self._inode and status.st_dev == self._device

    def close(self) -> None:
        """Close the number if it is still ours, and leave it alone if it is not."""
        if self.stat() is not None:
            with contextlib.suppress(
                OSError
            ):  # a delayed write error of a network disk; the number is free all the same
                os.close(self.number)


def _move_up(number: int) -> int:
    """Give the same file a high number; the low one is free again."""
    if fcntl is None:
        return number
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    limit = HIGHEST_NUMBER if soft == resource.RLIM_INFINITY else min(soft, HIGHEST_NUMBER)
    if limit - RESERVED_NUMBERS < LOWEST_NUMBER:
        return number
    try:
        moved = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, limit - RESERVED_NUMBERS)
    except OSError:  # a limit that changed, or no number left there
        return number
    os.close(number)
    return moved
