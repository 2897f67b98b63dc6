"""The hook of pytest that runs a test again where ``no_leak`` or ``--memwatch-repeat`` asks for it.

A test that is marked is checked to the smallest leak. In a suite that was not made for it, tests whose first run kept
little are taken as they are: to run each test again would take several times as long. The time of the other checks is
bounded there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.suite.allocated import Allocated, read_allocated
from memanalysis.suite.check_allowance import OUT_OF_TIME, CheckAllowance, CheckDeadline
from memanalysis.suite.repeated_test import (
    MIN_BYTES,
    MIN_REPEATS,
    RepeatCheck,
    check_repeats,
    make_next_item,
    why_unrepeatable,
)

__all__ = ["RepeatHooks", "RepeatOutcome"]

register_wrapper_frame(__file__)

DEFAULT_REPEATS = 5

MIN_SUITE_BYTES = 1024
"""Smallest growth a run that fails a test where no mark asks for it."""

SENDS_REPORTS = "its subtests would be reported again"

LITTLE_NATIVE_BYTES = 16 * 1024
LITTLE_BLOCKS = 200
"""What one run may keep, with pytest's own records of it, and is not checked further where no mark asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatOutcome:
    """What is known of a test that was to be repeated: how often it was, why it could not be, what each run keeps."""

    repeats: int
    unchecked: str | None
    leak_bytes: float | None


class RepeatHooks:
    """Repeats tests.

    Parameters
    ----------
    note : callable
        Takes what is known of each test, before its reports are sent.
    """

    def __init__(self, config: pytest.Config, note: Callable[[RepeatOutcome], None]) -> None:
        self._note = note
        self._of_all = int(config.option.memwatch_repeat)
        self._is_running, self._n_sent = False, 0
        self._allowance = CheckAllowance()
        if self._of_all and self._of_all < MIN_REPEATS:
            raise pytest.UsageError(f"--memwatch-repeat needs at least {MIN_REPEATS} runs, but got {self._of_all}.")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a test, and again where that is asked for; None leaves it to pytest."""
        mark = item.get_closest_marker("no_leak")
        if mark is None and not self._of_all:
            return None
        problem = _check_mark(mark) or why_unrepeatable(item)
        if problem is not None and mark is None:
            self._note(RepeatOutcome(repeats=0, unchecked=problem, leak_bytes=None))
            return None
        self._allowance.begin()
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        self._is_running, self._n_sent = True, 0
        before = read_allocated()
        reports = runtestprotocol(item, log=False, nextitem=make_next_item(item))
        self._is_running = False
        if problem is None and self._n_sent:
            problem = SENDS_REPORTS
        check = RepeatCheck(reason=problem)
        has_passed = all(report.passed and not hasattr(report, "wasxfail") for report in reports)
        if has_passed and problem is None:
            check = self._check(item, mark, before, first_run_s=sum(report.duration for report in reports))
        _tear_down_rest(item, nextitem, reports)
        self._judge(reports, check, is_asked=mark is not None and has_passed)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_runtest_logreport(self) -> None:
        """Count the reports that a test sends while it runs: those of its subtests."""
        self._n_sent += self._is_running

    def _check(
        self, item: pytest.Item, mark: pytest.Mark | None, before: Allocated, *, first_run_s: float
    ) -> RepeatCheck:
        allocated = read_allocated()
        if mark is not None:
            return check_repeats(
                item,
                repeats=_read_repeats(mark),
                allocated=allocated,
                may_clear=_never,
                min_bytes=MIN_BYTES,
                deadline=CheckDeadline(),
            )
        if _is_little(before, allocated):
            return RepeatCheck()
        with self._allowance.check(first_run_s) as deadline:
            if deadline is None:
                return RepeatCheck(reason=OUT_OF_TIME)
            return check_repeats(
                item,
                repeats=self._of_all,
                allocated=allocated,
                may_clear=_is_little,
                min_bytes=MIN_SUITE_BYTES,
                deadline=deadline,
            )

    def _judge(self, reports: list[pytest.TestReport], check: RepeatCheck, *, is_asked: bool) -> None:
        finding = check.finding
        called: Any = reports[1] if len(reports) > 2 else reports[0]
        if finding is not None:
            called.outcome, called.longrepr = "failed", str(finding)
        elif check.reason is not None and is_asked:
            called.outcome = "failed"
            called.longrepr = f"no_leak cannot check this test: {check.reason}. Take the mark off, or change the test."
        self._note(
            RepeatOutcome(
                repeats=check.repeats,
                unchecked=check.reason,
                leak_bytes=None if finding is None else finding.bytes_per_call,
            )
        )


def _check_mark(mark: pytest.Mark | None) -> str | None:
    if mark is None:
        return None
    repeats = _read_repeats(mark)
    if mark.args or set(mark.kwargs) - {"repeat"} or type(repeats) is not int or repeats < MIN_REPEATS:
        return f"it takes repeat= of at least {MIN_REPEATS}, and nothing else"
    return None


def _read_repeats(mark: pytest.Mark) -> int:
    repeats: int = mark.kwargs.get("repeat", DEFAULT_REPEATS)
    return repeats


def _tear_down_rest(item: pytest.Item, nextitem: pytest.Item | None, reports: list[pytest.TestReport]) -> None:
    """Tear down the wider fixtures that the next test does not need."""
    call = pytest.CallInfo.from_call(
        lambda: item.session._setupstate.teardown_exact(nextitem),
        when="teardown",
        reraise=(pytest.exit.Exception, KeyboardInterrupt),
    )
    if call.excinfo is not None:
        report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        report.memwatch = getattr(reports[-1], "memwatch", None)
        reports[-1] = report


def _is_little(before: Allocated, after: Allocated) -> bool:
    return (
        after.blocks - before.blocks <= LITTLE_BLOCKS
        and after.native_bytes - before.native_bytes <= LITTLE_NATIVE_BYTES
    )


def _never(before: Allocated, after: Allocated) -> bool:
    return False
