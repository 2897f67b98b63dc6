"""What one block cost, by the sampler and without it."""

import threading
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest
from needs import needs_sampler

from memanalysis.capture import sampler
from memanalysis.notebook.measure import CellMeter
from memanalysis.units import MIB


def test_a_meter_stops_what_it_started_and_gives_the_same_twice() -> None:
    meter = CellMeter("In[1]")
    meter.start()
    held = bytearray(MIB)
    cost = meter.stop()

    assert not sampler.is_running()
    assert meter.stop() is cost
    assert cost.retained_bytes is not None
    assert cost.peak_bytes is not None
    assert cost.retained_bytes == pytest.approx(len(held), rel=0.1)
    assert cost.peak_bytes >= cost.retained_bytes


@needs_sampler
def test_a_sampler_that_runs_is_joined_and_left_running() -> None:
    sampler.start(interval_bytes=1024)
    older = bytearray(4 * MIB)
    meter = CellMeter("In[1]")
    meter.start()
    held = bytearray(MIB)
    cost = meter.stop()
    still_on = sampler.is_running()
    sampler.stop()

    assert still_on
    assert cost.retained_bytes == pytest.approx(len(held), rel=0.1)
    assert len(older) > len(held)


BESIDE_A_DEBUGGER = """
import sys
from memanalysis.notebook import measure
from memanalysis.notebook.line_events import LineEvents
measure.make_recorder = lambda _: LineEvents()
sys.settrace(lambda *event: None)
debugger = sys.gettrace()
meter = measure.CellMeter("In[1]")
meter.start()
held = bytearray(8 << 20)
cost = meter.stop()
print(sys.gettrace() is debugger, cost.retained_bytes)
"""


def test_line_events_leave_a_debugger_its_trace_function(run_program: Callable[..., CompletedProcess[str]]) -> None:
    """In a process of its own: they read resident memory, which falls in a large one when a library returns some."""
    is_left, retained_bytes = run_program(BESIDE_A_DEBUGGER).stdout.split()

    assert is_left == "True"
    assert int(retained_bytes) == pytest.approx(8 * MIB, rel=0.2)


def test_an_interrupt_as_the_measurement_begins_leaves_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = CellMeter("In[1]")

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(meter._recorder, "before_statement", interrupt)
    with pytest.raises(KeyboardInterrupt):
        meter.start()

    assert "memwatch-curve" not in {thread.name for thread in threading.enumerate()}
    assert not sampler.is_running()
