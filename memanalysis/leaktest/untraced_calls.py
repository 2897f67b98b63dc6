"""Clear a call by the allocators' own figures, before it is traced.

Without tracing calls are several times as fast, and nothing of the tracer is among the bytes of the C allocator. Bytes
that C handed out are exact; of blocks that Python handed out only the number is known, so each counts as the largest.
What grows within its block is not seen so: the last calls are traced, for a check to the byte.
"""

import time
import tracemalloc
from array import array
from dataclasses import dataclass, replace

from memanalysis.capture.tracing import TracingUse
from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.leaktest.measurements import CallRepeater, Measurements, collect_garbage
from memanalysis.leaktest.retained_bound import bound_retained
from memanalysis.leaktest.sequential_test import (
    FALSE_ALARMS,
    MAX_SPREAD,
    find_stretch,
    next_reading,
    weigh_rises,
)
from memanalysis.units import MIB

__all__ = ["ENOUGH_CALLS", "MAX_RSS_GROWTH_BYTES", "MAX_UNTRACED_CALLS", "UntracedCheck", "check_untraced"]

ENOUGH_CALLS = 1_000
"""From here on a call may be cleared: one call in a hundred that leaks was then seen several times."""

FEW_CALLS = 200
SOON = 0.15
"""Of slow calls, `FEW_CALLS` will do after this share of the time."""

MIN_CALLS = 32
UNTRACED = 0.25
"""And so few at the end of this share, after which calls are traced."""

UNTRACED_QUIET = 0.5
"""Calls that are quiet so far, but fewer, go on up to this share."""

STEP_CALLS = 500
"""From this number on a single rise is left out at the end: a table of the interpreter that has grown once."""

RISING = 0.1
"""Calls whose figures rise are traced after this share of the time."""

MAX_UNTRACED_CALLS = 4_000
"""After this number calls are traced, however fast they are."""

MAX_BLOCK_BYTES = 512
"""Larger blocks Python takes from the C allocator: ``SMALL_REQUEST_THRESHOLD`` of CPython's ``obmalloc``."""

MAX_RSS_GROWTH_BYTES = 2 * MIB
"""Resident growth over the stretch above which a call is not cleared: it may map memory itself."""

MAX_GROWTH_BYTES = 64 * MIB
"""After so much growth calls are traced."""

TRACED_BOUTS = 4
TRACED_SHARE = 1 / 16
MIN_TRACED = 32
"""Bouts of calls under tracing before a call is cleared: each a share of the calls so far. The first is warm-up."""

register_wrapper_frame(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UntracedCheck:
    """What the allocators show of a call.

    Parameters
    ----------
    is_cleared : bool
        Nothing leaks.
    is_native_quiet : bool
        Nothing leaks in the C allocator.
    bytes_per_call, max_per_call : float
        Bytes that a call kept, each block counted as the largest, and their upper bound.
    blocks_per_call : float
        Blocks of Python's allocator that a call kept.
    step : float
        Bytes of a single rise that was left out.
    calls : int
        Calls that this rests on.
    """

    is_cleared: bool
    is_native_quiet: bool
    bytes_per_call: float
    max_per_call: float
    blocks_per_call: float
    step: float
    calls: int


def check_untraced(
    repeater: CallRepeater, *, collect: bool, min_per_call: float, started: float, max_s: float
) -> UntracedCheck:
    """Repeat a call until the allocators' figures clear it, or show that it must be traced.

    Parameters
    ----------
    repeater, collect, min_per_call, max_s
        As for `LeakTest`.
    started : float
        Second of ``time.perf_counter`` from where the time counts.
    """
    readings = Measurements(collect=collect)
    found: UntracedCheck | None = None
    until_s = started + UNTRACED_QUIET * max_s
    try:
        readings.read(repeater.calls)
        _check(readings, min_per_call)  # what a first check keeps is ours
        readings.set_aside()
        readings.leave_out_ours()
        while True:
            readings.read(repeater.calls)
            share = (time.perf_counter() - started) / max_s
            is_over = share >= UNTRACED or repeater.calls >= MAX_UNTRACED_CALLS or _has_grown(readings)
            if is_over or repeater.calls >= ENOUGH_CALLS or (repeater.calls >= FEW_CALLS and share >= SOON):
                found = _check(readings, min_per_call, without_step=is_over and repeater.calls >= STEP_CALLS)
                if found.is_cleared and repeater.calls >= MIN_CALLS:
                    is_cleared = _is_traced_quiet(repeater, min_per_call, collect=collect)
                    return replace(found, is_cleared=is_cleared)
                if is_over and (share >= UNTRACED_QUIET or not found.is_cleared):
                    return replace(found, is_cleared=False)
            if repeater.calls >= FEW_CALLS and share >= RISING and _rises(readings):
                return replace(_check(readings, min_per_call), is_cleared=False)
            found = None
            readings.leave_out_ours()
            repeater.repeat(next_reading(repeater.calls) - repeater.calls, until_s=until_s)
    finally:
        readings.close()


def _check(readings: Measurements, min_per_call: float, *, without_step: bool = False) -> UntracedCheck:
    at = readings.take("calls")
    first = find_stretch(at)
    blocks, rss = (bound_retained(at[first:], readings.take(name)[first:]) for name in ("blocks", "rss"))
    native = bound_retained(at[first:], readings.take("native")[first:], without_step=without_step)
    span = max(1.0, at[-1] - at[first])
    spread = MAX_SPREAD * min_per_call * span
    max_native = native.find_bound(max_spread=spread)
    most = max_native + MAX_BLOCK_BYTES * blocks.find_bound(max_spread=spread / MAX_BLOCK_BYTES)
    return UntracedCheck(
        is_cleared=most < min_per_call and rss.retained <= MAX_RSS_GROWTH_BYTES,
        is_native_quiet=max_native < min_per_call,
        bytes_per_call=min(most, (native.retained + MAX_BLOCK_BYTES * blocks.retained) / span),
        max_per_call=most,
        blocks_per_call=blocks.retained / span,
        step=native.step,
        calls=int(at[-1]),
    )


def _rises(readings: Measurements) -> bool:
    at = readings.take("calls")
    return any(weigh_rises(at, readings.take(name)) * FALSE_ALARMS >= 1 for name in ("native", "blocks"))


def _has_grown(readings: Measurements) -> bool:
    grown = (readings.take(name) for name in ("native", "rss"))
    return any(levels[-1] - levels[0] >= MAX_GROWTH_BYTES for levels in grown)


def _is_traced_quiet(repeater: CallRepeater, min_per_call: float, *, collect: bool) -> bool:
    """Whether some more calls keep nothing to the byte."""
    calls = max(MIN_TRACED, int(TRACED_SHARE * repeater.calls))
    tracing = TracingUse(trace_limit=1)
    levels = array("q", bytes(8 * TRACED_BOUTS))
    tracing.start()
    try:
        for bout in range(TRACED_BOUTS):
            repeater.repeat(calls, until_s=float("inf"))
            if collect:
                collect_garbage()
            levels[bout] = tracemalloc.get_traced_memory()[0]
    finally:
        tracing.stop()
    return levels[-1] - min(levels) < min_per_call * calls * (TRACED_BOUTS - 1)
