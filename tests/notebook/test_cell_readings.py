"""One thread reads memory for each cell in turn, and for none between them."""

import threading
from collections.abc import Iterator
from queue import Queue

import pytest

from memanalysis.notebook.cell_readings import CellReadings

TIMEOUT_S = 30.0


@pytest.fixture
def sizes() -> Iterator[int]:
    """Resident memory as it is read: 7, 8, 9 and so on."""
    return iter(range(7, 1_000_000))


@pytest.fixture
def readings(sizes: Iterator[int]) -> Iterator[CellReadings]:
    made = CellReadings(lambda: next(sizes), period_s=0.001)
    yield made
    made.close()


def test_a_cell_is_read_until_it_ends_and_the_highest_value_is_given(readings: CellReadings) -> None:
    seen: Queue[int | None] = Queue()
    readings.begin(seen.put)
    first = [seen.get(timeout=TIMEOUT_S) for _ in range(3)]

    highest = readings.end()
    rest = [seen.get_nowait() for _ in range(seen.qsize())]

    assert first == [7, 8, 9]
    assert highest == max(first + rest)


def test_nothing_is_called_after_the_end_and_the_next_cell_has_its_own(readings: CellReadings) -> None:
    one: Queue[int | None] = Queue()
    two: Queue[int | None] = Queue()
    readings.begin(one.put)
    one.get(timeout=TIMEOUT_S)
    readings.end()
    count = one.qsize()
    readings.begin(two.put)
    values = [two.get(timeout=TIMEOUT_S) for _ in range(3)]

    assert one.qsize() == count
    assert readings.end() >= values[-1]
    assert [thread.name for thread in threading.enumerate()].count("memwatch-cells") == 1


def test_a_cell_that_ends_before_its_first_reading_has_no_highest_value() -> None:
    readings = CellReadings(lambda: 7, period_s=3600.0)
    readings.begin(lambda _: None)

    assert readings.end() is None
    readings.close()


def test_a_system_that_reports_no_size_leaves_the_highest_value_unknown() -> None:
    seen: Queue[int | None] = Queue()
    readings = CellReadings(lambda: None, period_s=0.001)
    readings.begin(seen.put)

    assert seen.get(timeout=TIMEOUT_S) is None
    assert readings.end() is None
    readings.close()


@pytest.mark.parametrize("cells", [0, 1])
def test_the_thread_ends_with_the_session_also_where_no_cell_ran(readings: CellReadings, cells: int) -> None:
    for _ in range(cells):
        readings.begin(lambda _: None)
    readings.close()

    assert "memwatch-cells" not in {thread.name for thread in threading.enumerate()}
