"""What is written of a cell before and while it runs."""

import sys
from typing import Any

from memanalysis.capture.notebook_cells import register_cell
from memanalysis.notebook.cell_record import MAX_SOURCE_CHARACTERS, CellJournal, find_cell_line

MIB = 2**20
SOURCE = "first = 1\nmeasure()\n"


class Events(list[tuple[str, dict[str, Any]]]):
    def record(self, kind: str, *, message: str, data: dict[str, Any]) -> None:
        self.append((kind, data))


def run_cell(measure: Any) -> None:
    register_cell("<cell of a test>", "In[7]")
    exec(compile(SOURCE, "<cell of a test>", "exec"), {"measure": measure})  # noqa: S102 - as IPython does


def test_a_cell_is_written_before_it_runs_and_a_long_source_is_cut() -> None:
    events = Events()
    CellJournal("In[7]", "x" * 10_000, rss_bytes=5 * MIB, record_event=events.record).close()

    ((kind, data),) = events
    assert kind == "cell_start"
    assert data == {"cell": "In[7]", "source": "x" * MAX_SOURCE_CHARACTERS, "is_cut": True, "rss_bytes": 5 * MIB}


def test_a_line_is_written_at_first_and_then_at_new_heights_only() -> None:
    events = Events()
    record = CellJournal("In[7]", SOURCE, rss_bytes=None, record_event=events.record)

    def measure() -> None:
        for height in (100, 101, 110, 117, 90, 118, 140):
            record.on_reading(height * MIB)

    run_cell(measure)
    record.close()

    lines = [data for kind, data in events if kind == "cell_line"]
    assert [data["rss_bytes"] / MIB for data in lines] == [100, 117, 140]
    assert {data["line"] for data in lines} == {2}
    assert {data["text"] for data in lines} == {"measure()"}


def test_the_line_of_a_cell_is_that_of_its_outermost_frame_whatever_it_calls() -> None:
    found: list[int | None] = []
    run_cell(lambda: found.extend([find_cell_line(sys._getframe(), "In[7]"), find_cell_line(sys._getframe(), "In[8]")]))

    assert found == [2, None]
    assert find_cell_line(None, "In[7]") is None
