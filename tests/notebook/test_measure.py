"""What one cell cost."""

import tracemalloc

from memanalysis.notebook.curve import CurvePoint
from memanalysis.notebook.lines import LineMemory, Place
from memanalysis.notebook.measure import CellMeter, PeakSnapshots, join_lines
from memanalysis.units import MIB


class Snapshots:
    """Snapshots that take a second each, of a tracer of a given size."""

    def __init__(self, *, snapshot_s: float = 1.0, tracer_bytes: int = 1000) -> None:
        self.taken: list[int] = []
        self.now = 0.0
        self.snapshot_s = snapshot_s
        self.snapshots = PeakSnapshots(self.read, read_tracer_bytes=lambda: tracer_bytes, clock=lambda: self.now)

    def read(self) -> list[dict[str, object]]:
        self.now += self.snapshot_s
        self.taken.append(len(self.taken))
        return [{"snapshot": len(self.taken)}]


def test_a_snapshot_is_taken_at_a_new_height_only() -> None:
    snapshots = Snapshots(snapshot_s=0.0)
    for traced in (2 * MIB, 2 * MIB, 1 * MIB, 2.1 * MIB, 3 * MIB, None):
        snapshots.snapshots.consider(CurvePoint(100.0, None, None if traced is None else int(traced)))

    assert len(snapshots.taken) == 2
    assert snapshots.snapshots.traced_bytes == 3 * MIB
    assert snapshots.snapshots.rows == [{"snapshot": 2}]


def test_snapshots_take_no_more_than_a_tenth_of_the_cell() -> None:
    """Each takes a second: within 100 seconds of ever new heights there may be ten, the first at ten seconds."""
    snapshots = Snapshots(snapshot_s=1.0, tracer_bytes=5_000_000)
    for second in range(1, 101):
        snapshots.snapshots.consider(CurvePoint(float(second), None, int(MIB * 1.2**second)))

    assert len(snapshots.taken) == 10


def test_retained_and_highest_of_a_line_are_joined_the_largest_first() -> None:
    def line(number: int, size: int) -> LineMemory:
        return LineMemory(place=Place("In[1]", number), size_bytes=size, live_allocations=1)

    rows = join_lines([line(2, 10), line(4, -3)], [line(2, 4), line(3, 50)])

    assert [(row.place.line, row.highest_bytes, row.retained_bytes) for row in rows] == [
        (3, 50, 0),
        (2, 10, 10),
        (4, 0, -3),
    ]


def test_a_meter_leaves_tracing_as_it_found_it_and_tells_the_same_twice() -> None:
    meter = CellMeter("In[1]")
    meter.start()
    kept = bytearray(MIB)
    cost = meter.stop()

    assert not tracemalloc.is_tracing()
    assert meter.stop() is cost
    assert cost.python is not None
    assert cost.python.change is not None
    assert cost.python.change >= len(kept)
    assert cost.retained_bytes is not None
    assert abs(cost.retained_bytes - MIB) < MIB / 10

    tracemalloc.start(3)
    joined = CellMeter("In[2]")
    joined.start()
    cost = joined.stop()
    still_on = tracemalloc.is_tracing()
    tracemalloc.stop()
    assert still_on
    assert any("with 3 frames a traceback" in note for note in cost.notes)
