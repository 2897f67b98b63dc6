"""When has a program ended, but freed nothing yet? After its main code, before its exit handlers.

Exit handlers close pools, sessions and files, and run finalizers: a sample after them shows a leak as freed.
`threading` calls what was registered with it first, and ``atexit`` after that.
"""

import threading
from collections.abc import Callable

__all__ = ["call_at_program_end", "has_working_threads"]

_calls: list[Callable[[], None]] = []
"""Called at the end of this process; a forked child inherits them, and what they are registered with."""


def call_at_program_end(function: Callable[[], None]) -> None:
    """Have a function called, once a process, as the main code ends. It must raise nothing.

    Where this Python has no such place, or is ending already, it is not called.
    """
    register = getattr(threading, "_register_atexit", None)  # concurrent.futures uses it; it has no public name
    if register is None or function in _calls:
        return
    try:
        register(function)
    except RuntimeError:  # the interpreter is ending
        return
    _calls.append(function)


def has_working_threads() -> bool:
    """Return whether threads are left that the program goes on in after its main code."""
    main, own = threading.main_thread(), threading.current_thread()
    return any(not thread.daemon and thread not in (main, own) for thread in threading.enumerate())
