"""The hooks of pytest that measure each test, hold it to its budget, and show the figures at the end.

With pytest-xdist each worker measures and writes its own run; its figures reach the process that prints the summary
with the report of each test.
"""

import gc
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from memanalysis.capture.process import ProcessReader
from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.errors import InvalidArgumentError, MemoryBudgetExceeded
from memanalysis.suite.item_budget import limit_item, parse_limit
from memanalysis.suite.item_meter import ItemFigures, ItemMeter, SuiteSampling
from memanalysis.suite.repeat_hooks import RepeatHooks, RepeatOutcome
from memanalysis.suite.suite_ledger import SuiteLedger
from memanalysis.suite.suite_summary import render_summary

__all__ = ["SuiteHooks", "register"]

register_wrapper_frame(__file__)

LAST_ERROR = ("last_type", "last_value", "last_traceback", "last_exc")
"""What holds the variables of the test that failed before, until pytest clears it as the next one begins."""

NEEDED = (8, 0)
"""First version of pytest whose hooks are used."""


def register(config: pytest.Config, name: str) -> None:
    """Register what measures with pytest.

    Raises
    ------
    pytest.UsageError
        Pytest is too old, or the number of repeats too small.
    """
    found = tuple(int(part) for part in pytest.__version__.split(".")[:2])
    if found < NEEDED:
        raise pytest.UsageError(f"memanalysis measures tests from pytest 8 on, and this is {pytest.__version__}.")
    hooks = SuiteHooks(config)
    config.pluginmanager.register(hooks, name)
    config.pluginmanager.register(RepeatHooks(config, hooks.note_repeats), f"{name}.repeats")


class SuiteHooks:
    """Measures the tests of one process."""

    def __init__(self, config: pytest.Config) -> None:
        options = config.option
        if options.memwatch_ledger:  # before workers get the options, which may run in other folders
            options.memwatch_ledger = str((config.invocation_params.dir / options.memwatch_ledger).absolute())
        self._config = config
        self._measures = bool(options.memwatch or options.memwatch_ledger or options.memwatch_repeat)
        self._worker: str | None = getattr(config, "workerinput", {}).get("workerid")
        self._sampling = SuiteSampling()
        self._reader: ProcessReader | None = None
        self._ledger: SuiteLedger | None = None
        self._meter: ItemMeter | None = None
        self._figures: ItemFigures | None = None
        self._record: dict[str, Any] = {}
        self._outcomes: list[str] = []
        self._records: list[dict[str, Any]] = []

    def note_peak(self) -> None:
        """Note the highest point of the running test, before the system's mark is set back."""
        if self._meter is not None:
            self._meter.note_peak()

    def note_repeats(self, outcome: RepeatOutcome) -> None:
        """Note what repeated runs of the test showed, before its reports are sent."""
        self._record |= {"repeats": outcome.repeats, "unchecked": outcome.unchecked, "leak_bytes": outcome.leak_bytes}
        if outcome.leak_bytes is not None:
            self._outcomes.append("failed")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure a test from before its setup, and write its figures when all is over."""
        if not self._measures:
            return (yield)
        self._begin()
        self._outcomes, self._figures = [], None
        self._record = {"test": item.nodeid, "repeats": 0, "unchecked": None, "leak_bytes": None}
        assert self._reader is not None  # noqa: S101 - made when the first test began
        self._meter = ItemMeter(self._reader)
        try:
            return (yield)
        finally:
            self._meter = None
            if self._ledger is not None and self._figures is not None:
                self._ledger.add(
                    item.nodeid,
                    _join_outcomes(self._outcomes),
                    self._figures,
                    repeats=self._record["repeats"],
                    leak_bytes=self._record["leak_bytes"],
                )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Hold the test to its budget, if it has one."""
        mark = item.get_closest_marker("memory_budget")
        if mark is None:
            return (yield)
        if len(mark.args) != 1 or mark.kwargs:
            raise InvalidArgumentError('memory_budget needs one size, such as memory_budget("50 MiB").')
        limit_bytes = parse_limit(mark.args[0], call="memory_budget")
        self.note_peak()
        for name in LAST_ERROR:
            vars(sys).pop(name, None)
        gc.collect()
        try:
            with limit_item(limit_bytes, sys._getframe(1), file=str(item.path)):
                return (yield)
        except MemoryBudgetExceeded as error:
            breach = str(error)
        return pytest.fail(breach, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Close the measurement with the first teardown, and send its figures along with the report."""
        report = yield
        if self._meter is not None:
            self._outcomes.append(report.outcome)
            if call.when == "teardown":
                self._figures = self._meter.stop()
                self._meter = None
                self._record |= self._figures.to_mapping()
                setattr(report, "memwatch", self._record)  # noqa: B010 - an attribute of ours, which workers send along
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the figures of each test where the summary is printed."""
        record = getattr(report, "memwatch", None)
        if record is not None and self._worker is None:
            self._records.append(dict(record))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the tests with the most memory."""
        if self._measures:
            terminalreporter.section("memory", sep="-")
            for line in render_summary(self._records):
                terminalreporter.write_line(line)
            if self._config.option.memwatch_ledger:
                terminalreporter.write_line(f"ledger: {self._config.option.memwatch_ledger}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """End what runs; a worker of pytest-xdist ends its process soon after."""
        self._sampling.stop()
        if self._reader is not None:
            self._reader.close()
        if self._ledger is not None:
            self._ledger.close()

    def _begin(self) -> None:
        if self._reader is not None:
            return
        self._reader = ProcessReader()
        folder = self._config.option.memwatch_ledger
        if folder:
            self._ledger = SuiteLedger(Path(folder), service=self._config.rootpath.name or "tests", worker=self._worker)
        self._sampling.start()


def _join_outcomes(outcomes: list[str]) -> str:
    return next((outcome for outcome in ("failed", "skipped") if outcome in outcomes), "passed")
