"""Is tracemalloc tracing, who turned it on, and what does it see? Joined or started, and left as it was found.

Tracing belongs to the whole process. What memanalysis turned on it turns off when its last user leaves; tracing that
was found running is joined, and left running.

The program may call ``tracemalloc.start()`` while tracing of ours runs. That call does nothing, and tracemalloc does
not remember it; ending our tracing would take away what the program asked for. So while tracing is ours, a stand-in
takes the place of ``tracemalloc.start``, and tracing that the program asked for goes on, with our number of frames.
What cannot be known: a call through a name that was bound before (``from tracemalloc import start``), unless it
followed a ``stop()`` and asked for another number of frames; and the wish of a program that asks ``is_tracing()``,
finds ours running, and so starts none.
"""

import functools
import os
import threading
import tracemalloc
from _tracemalloc import start as start_tracing
from collections.abc import Callable
from typing import Any

from memanalysis.errors import InvalidArgumentError

__all__ = ["DEFAULT_TRACE_LIMIT", "TOP_SITES", "TracingUse"]

DEFAULT_TRACE_LIMIT = 25
"""Frames a traceback: deep enough to leave a web framework, and the depth of the default policy."""

TOP_SITES = 10
"""Sites in ``MemorySnapshot.tracemalloc_stats``."""


class TracingUse:
    """One use of tracing by tracemalloc: joined where it runs already, else started.

    Parameters
    ----------
    trace_limit : int
        Frames kept of each traceback, at least 1. Ignored when tracing already runs.
    """

    def __init__(self, trace_limit: int = DEFAULT_TRACE_LIMIT) -> None:
        if trace_limit < 1:
            raise InvalidArgumentError(
                f"Tracing needs trace_limit of at least 1 frame, but got {trace_limit}. Pass 1 or more."
            )
        self.trace_limit = trace_limit

    def start(self) -> bool:
        """Start tracing, or join tracing that runs. True when tracing runs afterwards."""
        _tracing.enter(id(self), self.trace_limit)
        return tracemalloc.is_tracing()

    def stop(self) -> bool:
        """End this use of tracing; True when there was one.

        Tracing itself ends with its last user here, and only if it was started here.
        """
        return _tracing.leave(id(self))


class _SharedTracing:
    """Who of memanalysis uses tracing in this process, and whether memanalysis turned it on."""

    def __init__(self) -> None:
        self._users: set[int] = set()
        self._started_here = False
        self._trace_limit = 0
        self._stand_in: Callable[..., None] | None = None
        self._replaced: Callable[..., None] = tracemalloc.start
        self._lock = threading.RLock()  # re-entrant: a signal handler of the program may start tracing amid ours

    def enter(self, user: int, trace_limit: int) -> None:
        with self._lock:
            if not tracemalloc.is_tracing():
                start_tracing(trace_limit)
                self._started_here, self._trace_limit = True, trace_limit
                self._stand_in_for_start()
            self._users.add(user)

    def leave(self, user: int) -> bool:
        with self._lock:
            if user not in self._users:
                return False
            self._users.remove(user)
            if not self._users and self._started_here:
                self._give_up()
                if tracemalloc.get_traceback_limit() == self._trace_limit:  # else somebody stopped ours and began again
                    tracemalloc.stop()
            return True

    def renew_lock(self) -> None:
        """Forget the lock in a forked child, where no thread is left that would free it."""
        self._lock = threading.RLock()

    def _stand_in_for_start(self) -> None:
        """Take the place of ``tracemalloc.start``; harmless also where somebody keeps the stand-in for longer."""
        if self._stand_in is not None:
            return
        replaced = self._replaced = tracemalloc.start

        @functools.wraps(replaced)
        def start(*arguments: Any, **options: Any) -> None:
            replaced(*arguments, **options)
            with self._lock:
                self._give_up()

        self._stand_in = start
        setattr(tracemalloc, "start", start)  # noqa: B010 - mypy has it that functions of a module do not change

    def _give_up(self) -> None:
        """Leave tracing to the program, and ``tracemalloc.start`` as it was found, unless it was changed since."""
        self._started_here = False
        if self._stand_in is not None and tracemalloc.start is self._stand_in:
            setattr(tracemalloc, "start", self._replaced)  # noqa: B010
        self._stand_in = None


_tracing = _SharedTracing()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tracing.renew_lock)
