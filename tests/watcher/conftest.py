"""What the watcher's tests share: a clock moved by hand, waits with a deadline, programs in processes of their own."""

import time

import pytest

from memanalysis.capture.sample import Clock
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.watcher.watch import watch

DEADLINE_S = 60.0


class HandClock(Clock):
    """Time that goes only when it is moved."""

    def __init__(self, now=1000.0):
        self_now = [now]
        super().__init__(monotonic=lambda: self_now[0], wall=lambda: self_now[0] + 1_700_000_000.0)
        object.__setattr__(self, "_now", self_now)

    def go(self, seconds):
        self._now[0] += seconds

    _now: list


@pytest.fixture
def hand_clock():
    return HandClock()


@pytest.fixture
def wait_until():
    def wait(condition):
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)

    return wait


@pytest.fixture
def record(tmp_path):
    """Recorders into this test's ledger, quick and without Parquet; none is left running."""
    made = []

    def make(**arguments):
        quick = {"interval": 0.02, "snapshot_interval": 0.1, "top_types": 0, "seal": False, "trace": "full"}
        recorder = watch(arguments.pop("service", "api"), **{"ledger": tmp_path / "ledger", **quick, **arguments})
        made.append(recorder)
        return recorder

    yield make
    for recorder in made:
        recorder.stop()


@pytest.fixture
def ledger(tmp_path):
    return lambda: open_ledger(tmp_path / "ledger")
