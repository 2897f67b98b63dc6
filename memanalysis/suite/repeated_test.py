"""Run a test several times, each time with fresh fixtures of its function, and judge what every run keeps.

Pytest's own protocol is repeated, so that fixtures, asynchronous plugins, ``unittest.TestCase`` and doctests do what
they always do. The reports are those of the first run; what the repeated runs leave in pytest's own records is taken
out again. Fixtures of classes, modules and the session stay as they are.
"""

import gc
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from memanalysis.capture.tracing import TracingUse
from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.leaktest.finding import LeakFinding
from memanalysis.suite.allocated import Allocated, read_allocated
from memanalysis.suite.check_allowance import OUT_OF_TIME, CheckDeadline
from memanalysis.suite.repeat_growth import FRAMES, RunReadings, SteadyGrowth, why_untraceable
from memanalysis.suite.run_holders import HeldByRuns, find_held
from memanalysis.units import format_bytes

__all__ = ["MIN_BYTES", "MIN_REPEATS", "RepeatCheck", "check_repeats", "make_next_item", "why_unrepeatable"]

register_wrapper_frame(__file__)

MIN_REPEATS = 4
"""One run to warm up, and three that are traced: the growth of two of them is compared."""

MIN_BYTES = 32
"""Less is no leak worth the name: the smallest object of Python has 28 bytes."""

MIN_NATIVE_BYTES = 256 * 1024
"""Growth of the C allocator in every run that no traced line explains."""

CONSUMED_BY_FIXTURES = {
    "benchmark": "pytest-benchmark repeats it already, and counts each run",
    "subtests": "its subtests would be reported again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatCheck:
    """What repeated runs showed.

    Parameters
    ----------
    finding : LeakFinding or None
        The leak; None where there is none.
    reason : str or None
        Why the test could not be judged.
    repeats : int
        Runs after the first.
    """

    finding: LeakFinding | None = None
    reason: str | None = None
    repeats: int = 0


class _NextItem(pytest.Item):
    """Stands for a next test of the same parent, so that wider fixtures stay."""

    def runtest(self) -> None:
        """Nothing: it is never run."""


def make_next_item(item: pytest.Item) -> pytest.Item:
    """Return what stands for a next test of the same parent: after it only what is the test's own is torn down."""
    assert item.parent is not None  # noqa: S101 - every test is collected by something
    return _NextItem.from_parent(item.parent, name="memwatch-next")


def why_unrepeatable(item: pytest.Item) -> str | None:
    """Return the reason why a test cannot be repeated; None where it can."""
    if not hasattr(item, "_initrequest"):
        return f"pytest cannot set up a {type(item).__name__} again"
    if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        return "Hypothesis draws other examples each time, so runs cannot be compared"
    for name in getattr(item, "fixturenames", ()):
        if name in CONSUMED_BY_FIXTURES:
            return CONSUMED_BY_FIXTURES[name]
    return None


def check_repeats(
    item: pytest.Item,
    *,
    repeats: int,
    allocated: Allocated,
    may_clear: Callable[[Allocated, Allocated], bool],
    min_bytes: int,
    deadline: CheckDeadline,
) -> RepeatCheck:
    """Repeat a test that has passed once, until it is known whether each run keeps memory.

    Parameters
    ----------
    item : pytest.Item
        The test; its first run is over.
    repeats : int
        Runs at most.
    allocated : Allocated
        What the process held after the first run.
    may_clear : callable
        Decides from what was held before and after one run that is not traced whether that is so little that no run has
        to be traced.
    min_bytes : int
        Less that every run keeps is no leak.
    deadline : CheckDeadline
        Ends the check, between two runs or amid one that is traced; a leak that is found by then is described.
    """
    runner = _Repeater(item)
    started = time.perf_counter()
    try:
        problem = runner.run()
        if problem is not None:
            return RepeatCheck(reason=problem, repeats=runner.runs)
        gc.collect()
        if may_clear(allocated, read_allocated()):
            return RepeatCheck(repeats=runner.runs)
        problem = OUT_OF_TIME if deadline.is_over() else why_untraceable()
        if problem is not None:
            return RepeatCheck(reason=problem, repeats=runner.runs)
        return _check_traced(item, runner, repeats=repeats, started=started, min_bytes=min_bytes, deadline=deadline)
    finally:
        runner.close()


def _check_traced(
    item: pytest.Item,
    runner: "_Repeater",
    *,
    repeats: int,
    started: float,
    min_bytes: int,
    deadline: CheckDeadline,
) -> RepeatCheck:
    tracing = TracingUse(trace_limit=FRAMES)
    readings = RunReadings(item.path)
    native: list[int] = []
    growth = SteadyGrowth(bytes_per_run=(), sites=())
    tracing.start()
    try:
        while runner.runs < repeats:
            problem = _run_traced(runner, tracing, deadline)
            if problem is not None:
                return RepeatCheck(reason=problem, repeats=runner.runs)
            gc.collect()
            readings.read()
            native.append(read_allocated().native_bytes)
            if len(readings) >= 2:
                growth = readings.find_steady()
                if growth.low < min_bytes and _native_bytes_per_run(native, growth) < MIN_NATIVE_BYTES:
                    return RepeatCheck(repeats=runner.runs)
    finally:
        tracing.stop()
    runner.bring_back()
    held = find_held(runner.run, growth.lines)
    if held.is_filling:
        return RepeatCheck(repeats=runner.runs)
    return RepeatCheck(
        finding=_make_finding(
            item.name,
            growth,
            held,
            min_bytes=min_bytes,
            native=native,
            runs=runner.runs + 1,
            duration_s=time.perf_counter() - started,
        ),
        repeats=runner.runs,
    )


def _run_traced(runner: "_Repeater", tracing: TracingUse, deadline: CheckDeadline) -> str | None:
    """Run the test once more under tracing; a reason where that cannot be read."""
    if deadline.is_over():
        return OUT_OF_TIME
    with deadline.ends(tracing):
        problem = runner.run()
    if problem is None and not tracemalloc.is_tracing():
        return OUT_OF_TIME if deadline.is_over() else "the test turns tracemalloc off"
    return problem


def _native_bytes_per_run(native: list[int], growth: SteadyGrowth) -> int:
    """The least that the C allocator rose in a run above what the traced lines kept."""
    rises = [after - before for before, after in pairwise(native)]
    return min((rise - kept for rise, kept in zip(rises, growth.bytes_per_run, strict=True)), default=0)


def _make_finding(
    name: str,
    growth: SteadyGrowth,
    held: HeldByRuns,
    *,
    min_bytes: int,
    native: list[int],
    runs: int,
    duration_s: float,
) -> LeakFinding:
    is_python = growth.low >= min_bytes
    kept = growth.bytes_per_run
    if not is_python:
        kept = tuple(after - before for before, after in pairwise(native))
    mean = sum(kept) / len(kept)
    where = "" if is_python else " of native memory, which has no line here"
    return LeakFinding(
        name=name,
        is_leak=True,
        shape="growing",
        origin="python" if is_python else "native",
        bytes_per_call=mean,
        low=float(min(kept)),
        high=float(max(kept)),
        blocks_per_call=None,
        min_bytes_per_call=float(min_bytes if is_python else MIN_NATIVE_BYTES),
        calls=runs,
        duration_s=duration_s,
        traced_bytes_per_call=mean if is_python else None,
        sites=growth.sites if is_python else (),
        types=held.types if is_python else (),
        containers=held.containers if is_python else (),
        holders=held.holders if is_python else (),
        sentence=f"A leak: each run of the test keeps {format_bytes(mean)}{where} "
        f"({format_bytes(min(kept))} to {format_bytes(max(kept))} in each of the last {len(kept)} runs).",
    )


class _Repeater:
    """Runs a test again and again, and leaves pytest's records as they were."""

    def __init__(self, item: pytest.Item) -> None:
        self.runs = 0
        self._item: Any = item
        self._next = make_next_item(item)
        self._sections, self._properties = list(item._report_sections), list(item.user_properties)
        self._is_aside = gc.get_freeze_count() == 0
        _forget_instance(item)
        gc.collect()
        if self._is_aside:
            gc.freeze()  # collections then take a millisecond

    def run(self) -> str | None:
        """Run it once more; a reason where that did not pass."""
        item = self._item
        dtest = getattr(item, "dtest", None)
        if dtest is not None:
            dtest.globs = _find_doctest_names(item)
        self.runs += 1
        with warnings.catch_warnings(record=True):
            reports = runtestprotocol(item, log=False, nextitem=self._next)
        problem = None
        for report in reports:
            if not report.passed:
                problem = f"run {self.runs + 1} of it did not pass: {_describe_report(report)}"
                break
        _forget_instance(item)
        self._restore()
        return problem

    def bring_back(self) -> None:
        """Let the garbage collector see everything again."""
        if self._is_aside:
            gc.unfreeze()
            self._is_aside = False

    def close(self) -> None:
        """Leave everything as it was found."""
        self.bring_back()
        self._restore()

    def _restore(self) -> None:
        item = self._item
        del item._report_sections[len(self._sections) :]
        del item.user_properties[len(self._properties) :]


def _forget_instance(item: Any) -> None:
    """Have pytest make a new instance of the test's class for the next run, as it does for every test."""
    if isinstance(item.parent, pytest.Class) and isinstance(item, pytest.Function):
        for name in ("_obj", "_instance"):
            item.__dict__.pop(name, None)


def _find_doctest_names(item: Any) -> dict[str, Any]:
    """The names that a doctest begins with: doctest empties them after a run."""
    module = getattr(item.parent, "obj", None)
    return {"__name__": "__main__"} if module is None else dict(vars(module))


def _describe_report(report: Any) -> str:
    if report.skipped:
        return "it was skipped"
    lines = str(report.longrepr).strip().splitlines() or ["no message"]
    errors = [line for line in lines if line.startswith("E ")]
    return (errors[0] if errors else lines[-1]).removeprefix("E ").strip()
