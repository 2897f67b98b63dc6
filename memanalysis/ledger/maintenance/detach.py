"""How a process is started that the watched program never sees: no ``wait`` returns it, no SIGCHLD is sent.

Two steps. ``clone`` makes a copy of this process that has no termination signal: ``os.wait()`` passes over it. The copy
runs one function of the C library, ``system``, and nothing of Python: no lock holds it up, and no hook for forks runs.
It shares the descriptors of the program, so none is held open. A shell starts the command in the
background and ends, the copy ends and is collected here, some 10 ms after its start, and the command is then a child of
the system's first process.

Where this process is itself the one that takes in orphans (the first of a container), the command becomes its child. It
is then started only if the program neither handles SIGCHLD nor has children, for which it could be waiting.

The copy needs the system's consent as any fork does; its memory is shared until written. Linux only. Standard library
only; ``ctypes`` is loaded at the first start (the recorder has it loaded for the C allocator's figures).
"""

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from memanalysis._children import adopts_orphans, find_child_watch
from memanalysis._descriptors import OwnDescriptor

try:  # the system's own: gevent replaces that of os by one that asks its loop
    from posix import waitpid as _waitpid
except ImportError:  # Windows
    _waitpid = None  # type: ignore[assignment]

__all__ = ["find_adoption_obstacle", "find_detach_obstacle", "start_detached"]

SHELL = "/bin/sh"

STACK_BYTES = 128 * 1024
"""Of the copy, while it runs ``system``."""

MAX_COMMAND_BYTES = 120_000
"""Linux takes 128 KiB as one argument."""

_CLONE_FILES = 0x400
_WALL = 0x40000000
"""Wait for children of any termination signal, or none."""


def find_detach_obstacle() -> str | None:
    """Return why no process can be started unseen, or None where it can."""
    if sys.platform != "linux":
        return f"not on {sys.platform}"
    if not os.access(SHELL, os.X_OK):
        return f"there is no {SHELL}"
    return None


def find_adoption_obstacle() -> str | None:
    """Return why the program would now notice a process that this one takes in, or None where it would not."""
    return find_child_watch() if adopts_orphans() else None


def start_detached(command: Sequence[str], *, inherited: Sequence[OwnDescriptor]) -> None:
    """Start a command with every signal blocked, null devices as its standard files, and those descriptors.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    inherited : sequence of OwnDescriptor
        What the command is to have under the same numbers; one that is no longer ours is left alone.

    Raises
    ------
    OSError
        The system refuses, or has no such call.
    """
    line = f"exec {shlex.join(command)} </dev/null >/dev/null 2>&1 &"
    text = os.fsencode(line)
    if len(text) > MAX_COMMAND_BYTES:
        raise OSError(f"the command has {len(text)} bytes, above the limit of {MAX_COMMAND_BYTES}")
    _set_inheritable(inherited, True)
    try:
        # a signal for the program must not run its handlers in the copy
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = _clone_into_system(text)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        _waitpid(pid, _WALL)
    finally:
        _set_inheritable(inherited, False)


def _set_inheritable(descriptors: Sequence[OwnDescriptor], value: bool) -> None:
    for descriptor in descriptors:
        if descriptor.stat() is not None:
            with suppress(OSError):  # closed in between
                os.set_inheritable(descriptor.number, value)


def _clone_into_system(command: bytes) -> int:
    import ctypes  # loaded only where a ledger grows

    try:
        library = ctypes.CDLL(None, use_errno=True)
        function, clone = ctypes.cast(library.system, ctypes.c_void_p), library.clone
    except (AttributeError, TypeError) as exc:
        raise OSError("the C library has no clone") from exc
    stack = ctypes.create_string_buffer(STACK_BYTES)
    top = (ctypes.addressof(stack) + STACK_BYTES) & ~0xFF
    clone.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
    clone.restype = ctypes.c_int
    pid = int(clone(function, top, _CLONE_FILES, command))
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return pid
