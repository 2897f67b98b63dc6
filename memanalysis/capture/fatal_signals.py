"""Have the signal that ends this process noted in a file, by the compiled module `_fatal_signals`.

A program that does not handle a signal such as SIGTERM ends without running Python again. So its handler is one in C,
which writes a line that was prepared and lets the signal do what it would have done. Nothing is taken that the program
handles or ignores, and nothing in the first process of a container: the system spares that from unhandled signals.
"""

import os

from memanalysis._descriptors import OwnDescriptor

try:
    import memanalysis.capture._fatal_signals as _fatal_signals
except ImportError:  # it was not compiled, or does not load: signals go unnoted
    _fatal_signals = None  # type: ignore[assignment]

__all__ = ["ArmedSignals", "are_signals_seen", "arm_signals"]

FIRST_PID = 1


class ArmedSignals:
    """A line that waits for the signal that ends the process.

    Attributes
    ----------
    names : tuple of str
        The signals that would be noted.
    """

    def __init__(self, slot: int, names: tuple[str, ...]) -> None:
        self.names = names
        self._slot = slot

    def disarm(self) -> None:
        """Have nothing noted any more; with the last line the signals are as they were."""
        if _fatal_signals is not None:
            _fatal_signals.disarm(self._slot)


def are_signals_seen() -> bool:
    """Return whether signals that end this process can be noted."""
    return _fatal_signals is not None and os.getpid() != FIRST_PID


def arm_signals(path: str, descriptor: OwnDescriptor, head: bytes) -> ArmedSignals | None:
    """Have a line added to a file when a signal ends this process; None where that is not possible.

    Parameters
    ----------
    path : str
        Of the file, absolute.
    descriptor : OwnDescriptor
        Of the same file: another one at that path is left alone.
    head : bytes
        The line without its closing brace, to which ``ended`` and ``ending`` are added.
    """
    status = descriptor.stat()
    if not are_signals_seen() or status is None or b"\0" in os.fsencode(path):
        return None
    slot, names = _fatal_signals.arm(os.fsencode(path), head, status.st_dev, status.st_ino)
    return ArmedSignals(slot, tuple(names)) if slot >= 0 else None
