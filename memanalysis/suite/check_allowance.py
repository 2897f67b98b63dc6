"""Bound the time that the checks of a suite take, beside the suite itself.

A test is repeated under tracemalloc with many frames, which makes some tests sixty times slower. So the time of all
checks is bounded, and one check has a part of what is left, so that an expensive test leaves some for the others.
Times are of the wall clock, in seconds.
"""

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from memanalysis.capture.tracing import TracingUse
from memanalysis.capture.wrapper_frames import register_wrapper_frame

__all__ = ["OUT_OF_TIME", "CheckAllowance", "CheckDeadline"]

register_wrapper_frame(__file__)

MIN_ALLOWED_S = 20.0
"""All checks together may take this in a suite of any length."""

MAX_SHARE = 1.5
"""And this number of times what the suite itself has taken so far, where that is more."""

SHARE_OF_ONE = 0.5
"""Part of the time that is left which one check may take."""

MIN_RUNS = 3
"""A check without time for this number of runs, at the speed of the first one, is not begun."""

OUT_OF_TIME = f"all checks together may take {MIN_ALLOWED_S:.0f} s, or {MAX_SHARE} times as long as the suite itself"

Clock = Callable[[], float]


class CheckDeadline:
    """The moment at which one check is to end.

    Parameters
    ----------
    at_s : float
        On the clock; infinite where the check may take as long as it does.
    read_s : callable
        Reads the clock.
    """

    def __init__(self, at_s: float = math.inf, *, read_s: Clock = time.perf_counter) -> None:
        self._at_s = at_s
        self._read_s = read_s  # no name of this module: what holds the clock for a test would replace it

    def is_over(self) -> bool:
        """Whether the moment has come."""
        return self._read_s() >= self._at_s

    @contextmanager
    def ends(self, tracing: TracingUse) -> Iterator[None]:
        """End this use of tracing at the deadline, also amid a run, which then goes on at its own speed.

        The garbage collector is what notices it: no thread nor signal of ours appears in the test.
        """

        def on_collection(phase: str, info: dict[str, Any]) -> None:
            if self.is_over():
                tracing.stop()

        gc.callbacks.append(on_collection)
        try:
            yield
        finally:
            if on_collection in gc.callbacks:  # a test may have cleared them
                gc.callbacks.remove(on_collection)


class CheckAllowance:
    """What the checks of a session have taken, and what they may take.

    Parameters
    ----------
    read_s : callable
        Reads the clock.
    """

    def __init__(self, read_s: Clock = time.perf_counter) -> None:
        self._read_s = read_s
        self._began_s: float | None = None
        self._spent_s = 0.0

    def begin(self) -> None:
        """Note that a test begins; the time of the suite counts from the first one on."""
        if self._began_s is None:
            self._began_s = self._read_s()

    @contextmanager
    def check(self, first_run_s: float) -> Iterator[CheckDeadline | None]:
        """Count a block as a check, and give its deadline; None where too little time is left to begin one.

        Parameters
        ----------
        first_run_s : float
            What the first run of the test took.
        """
        now_s = self._read_s()
        suite_s = now_s - (now_s if self._began_s is None else self._began_s) - self._spent_s
        allowed_s = SHARE_OF_ONE * (max(MIN_ALLOWED_S, MAX_SHARE * suite_s) - self._spent_s)
        try:
            if allowed_s < MIN_RUNS * first_run_s or allowed_s <= 0.0:
                yield None
            else:
                yield CheckDeadline(now_s + allowed_s, read_s=self._read_s)
        finally:
            self._spent_s += self._read_s() - now_s
