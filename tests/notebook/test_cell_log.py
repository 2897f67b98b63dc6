"""The cells of a notebook as objects, as a DataFrame, and two beside each other."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from memanalysis.errors import InvalidArgumentError
from memanalysis.notebook.cell_log import CellLog, CellRecord, compare_cells, make_record
from memanalysis.notebook.cell_memory import CellLine, CellMemory
from memanalysis.notebook.curve import MemoryCurve
from memanalysis.notebook.lines import DEEP_LIBRARIES, Place
from memanalysis.notebook.measure import CellCost, HighWater
from memanalysis.notebook.passive import CellEvent

MIB = 2**20
BEGAN = datetime(2026, 5, 1, 12, tzinfo=UTC)


def watched(cell: str, source: str, *, before: int = 100, peak: int | None = 180, after: int = 140) -> CellRecord:
    """Return the record of a cell that was watched; sizes in MiB."""
    event = CellEvent(
        cell=cell,
        execution_count=3,
        run_number=1,
        seconds=2.0,
        success=True,
        error=None,
        rss_before_bytes=before * MIB,
        rss_after_bytes=after * MIB,
        rss_delta_bytes=(after - before) * MIB,
        rss_peak_bytes=None if peak is None else peak * MIB,
        rss_peak_is_exact=True,
        traced_retained_bytes=None,
    )
    return make_record(cell=cell, source=source, started=BEGAN, event=event, cost=None, error=None)


def measured(cell: str, source: str) -> CellRecord:
    """Return the record of a cell that was measured: 30 MiB at the peak in its second line, 10 retained."""
    deep = CellLine(place=Place(DEEP_LIBRARIES, 0), highest_bytes=90, retained_bytes=0, retained_allocations=0)
    line = CellLine(place=Place(cell, 2), highest_bytes=30 * MIB, retained_bytes=10 * MIB, retained_allocations=1)
    cost = CellCost(
        label=cell,
        seconds=1.0,
        rss=HighWater(before=100 * MIB, peak=130 * MIB, after=110 * MIB),
        curve=MemoryCurve(),
        memory=CellMemory(peak_bytes=30 * MIB, peak_place=Place(cell, 2)),
        retained_bytes=10 * MIB,
        lines=[deep, line],
    )
    return make_record(cell=cell, source=source, started=BEGAN, event=None, cost=cost, error=None)


@pytest.mark.slow
def test_a_watched_cell_has_its_rise_and_its_net_change_and_knows_no_line():
    record = watched("In[3]", "x = load()")

    assert (record.rise_bytes, record.net_bytes) == (80 * MIB, 40 * MIB)
    assert record.retained_bytes is None
    assert record.peak_line is None
    assert not record.is_measured


def test_the_peak_is_never_below_the_end():
    record = watched("In[3]", "x = load()", before=100, peak=120, after=140)

    assert record.rss_peak_bytes == 140 * MIB
    assert record.rise_bytes == 40 * MIB


def test_a_measured_cell_names_the_line_of_its_peak():
    record = measured("In[4]", "a = 1\nx = load()")

    assert (record.peak_line, record.retained_bytes, record.is_measured) == ("In[4]:2", 10 * MIB, True)


def test_runs_of_one_source_are_counted_measured_or_not():
    log = CellLog()
    records = [
        log.add(record)
        for record in (
            watched("In[1]", "x = load()"),
            measured("In[2]", "%%memwatch --top 3\nx = load()\n"),
            watched("In[3]", "y = load()"),
        )
    ]

    assert [record.run_number for record in records] == [1, 2, 1]


def test_cells_are_found_by_place_and_by_label():
    log = CellLog()
    log.add(watched("In[1]", "a"))
    log.add(watched("In[7]", "b"))

    assert log[-1].cell == log["In[7]"].cell == log["7"].cell == "In[7]"
    assert [record.cell for record in log[:1]] == ["In[1]"]
    with pytest.raises(InvalidArgumentError, match=r"^In\[3\] was neither watched .*: In\[1\], In\[7\]\.$"):
        log.find("In[3]")


def test_the_frame_has_a_row_a_run_and_unknown_is_not_zero():
    log = CellLog()
    assert log.to_frame().empty
    log.add(watched("In[1]", "a", peak=None))
    log.add(measured("In[2]", "b"))
    frame = log.to_frame()

    assert list(frame["cell"]) == ["In[1]", "In[2]"]
    assert list(frame["net_bytes"]) == [40 * MIB, 10 * MIB]
    assert frame["retained_bytes"].isna().tolist() == [True, False]
    assert frame["peak_line"].tolist() == [None, "In[2]:2"]
    assert frame["started"].dt.tz is not None
    assert pd.api.types.is_integer_dtype(frame["retained_bytes"])


def test_two_cells_stand_beside_each_other_with_their_difference():
    shown = repr(compare_cells(watched("In[3]", "x = 1"), watched("In[7]", "y = 2", after=170)))

    row = next(line for line in shown.splitlines() if "resident change" in line)
    assert row.split() == ["resident", "change", "+40.0", "MiB", "+70.0", "MiB", "+30.0", "MiB"]
    assert shown.endswith("In[3]: x = 1\nIn[7]: y = 2")
    assert "two runs of one source" in repr(compare_cells(watched("In[3]", "x"), watched("In[4]", "x ")))


def test_a_cell_shows_itself_as_text_and_as_html_with_its_source_escaped():
    record = measured("In[4]", "x = '<b>'")

    assert repr(record).startswith("In[4], run 1: x = '<b>'\n")
    assert "&lt;b&gt;" in record._repr_html_()
