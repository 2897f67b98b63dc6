"""Does this call leak? It is repeated until that is known, or time is over: like ``timeit``, for leaks.

What is measured: bytes that tracemalloc follows and bytes that the C allocator has handed out, both to the byte, blocks
of Python's allocator, and the resident size, in pages. Where bytes come in jumps, the blocks decide. When
growth counts, and with which probability of error, is documented in `memanalysis.leaktest.sequential_test`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.errors import InvalidArgumentError
from memanalysis.leaktest.finding import LeakFinding
from memanalysis.leaktest.leak_test import LeakTest
from memanalysis.leaktest.measurements import CallRepeater
from memanalysis.leaktest.sequential_test import judge_calls
from memanalysis.verdicts.engine_loading import load_engine

__all__ = ["MAX_S", "find_leak"]

MAX_CALLS = 1_000_000
MAX_S = 15.0
"""Default bounds of one run."""

MIN_BYTES_PER_CALL = 4.0
"""Half of a slot in a list, the least that a call can keep; healthy programs drift by a byte or two a call."""

FRAMES = 16
"""Frames of a traceback: enough to leave a library for the code that calls it."""

register_wrapper_frame(__file__)


def find_leak(
    call: Callable[..., Any],
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    setup: Callable[[], Any] | None = None,
    max_calls: int = MAX_CALLS,
    max_s: float = MAX_S,
    min_bytes_per_call: float = MIN_BYTES_PER_CALL,
    frames: int = FRAMES,
    collect: bool = True,
    holders: bool = True,
) -> LeakFinding:
    """Repeat a call until it is known whether each keeps memory, how much, and which lines and holders.

    Parameters
    ----------
    call : callable
        What is repeated; a coroutine function is awaited, in an event loop of its own.
    args, kwargs : sequence, mapping, optional
        What it is called with.
    setup : callable, optional
        Called once before.
    max_calls : int
        Calls at most, at least 16.
    max_s : float
        Seconds at most, about; a call that runs then is waited for.
    min_bytes_per_call : float
        Less is no leak worth the name.
    frames : int
        Frames kept of each traceback. Ignored when tracemalloc traces already.
    collect : bool
        Collect garbage before each reading: a cycle is no leak. Without it, what lives only because nobody collects is
        found too.
    holders : bool
        Search for what keeps the objects alive.

    Returns
    -------
    LeakFinding
        ``is_leak`` is True, False, or None when it is undecided.

    Raises
    ------
    InvalidArgumentError
        A value that cannot be used, or a coroutine where an event loop runs already.

    Notes
    -----
    What the call raises passes through; tracemalloc is left as it was found. What other threads keep meanwhile counts.
    A call that takes much of the time is made a few times only: then a cache that fills looks the same as a leak, if
    it is not one of ``functools.lru_cache`` or a ``deque`` with a ``maxlen``, which are known.

    See Also
    --------
    memanalysis.watch : Record a whole process while it runs.

    References
    ----------
    Waudby-Smith and Ramdas (2024), J. R. Stat. Soc. B 86, 1-27: intervals that hold however often one checks.

    Examples
    --------
    >>> import memanalysis
    >>> registry = []
    >>> finding = memanalysis.find_leak(lambda: registry.append(bytes(1000)), max_calls=200)
    >>> finding.is_leak, round(finding.bytes_per_call / 1000)
    (True, 1)
    """
    _check(call, max_calls=max_calls, max_s=max_s, min_bytes_per_call=min_bytes_per_call, frames=frames)
    load_engine()
    judge_calls(np.arange(1.0, 20.0), np.arange(1.0, 20.0), min_per_call=1.0)  # what numpy loads late, it loads now
    if setup is not None:
        setup()
    repeater = CallRepeater(call, args, kwargs or {})
    test = LeakTest(
        repeater,
        max_calls=max_calls,
        max_s=max_s,
        min_per_call=min_bytes_per_call,
        frames=frames,
        collect=collect,
        holders=holders,
    )
    try:
        started = time.perf_counter()
        repeater.call_first()
        return replace(test.run(started), name=_name(call), duration_s=time.perf_counter() - started)
    finally:
        test.close()
        repeater.close()


def _name(call: Callable[..., Any]) -> str:
    """Name a callable for people, without asking more of it than its name."""
    name = getattr(call, "__qualname__", None)
    return name if isinstance(name, str) else type(call).__qualname__


def _check(call: object, *, max_calls: int, max_s: float, min_bytes_per_call: float, frames: int) -> None:
    if not callable(call):
        raise InvalidArgumentError(
            f"find_leak needs a callable, but got {type(call).__name__}. Pass the function itself, or a lambda."
        )
    for name, value, least in (
        ("max_calls", max_calls, 16),
        ("frames", frames, 1),
    ):
        if not isinstance(value, int) or value < least:
            raise InvalidArgumentError(f"find_leak needs {name} of at least {least}, but got {value!r}. Pass more.")
    for name, amount in (("max_s", max_s), ("min_bytes_per_call", min_bytes_per_call)):
        if not 0 < amount < float("inf"):
            raise InvalidArgumentError(f"find_leak needs {name} above 0, but got {amount!r}. Pass more.")
