"""What watching reports of a cell, and when."""

from dataclasses import replace

import pytest

from memanalysis.capture.process import ProcessReader
from memanalysis.notebook.cell_readings import CellReadings
from memanalysis.notebook.passive import CellEvent, PassiveMeter
from memanalysis.units import MIB

QUIET = CellEvent(
    cell="In[3]",
    execution_count=3,
    run_number=1,
    seconds=0.25,
    success=True,
    error=None,
    rss_before_bytes=100 * MIB,
    rss_after_bytes=101 * MIB,
    rss_delta_bytes=1 * MIB,
    rss_peak_bytes=120 * MIB,
    rss_peak_is_exact=True,
    traced_retained_bytes=None,
)


@pytest.mark.parametrize(
    ("before", "left", "traced", "notable"),
    [
        (100, 31, None, False),
        (100, 32, None, True),
        (100, 0, 32, True),
        (100, -500, None, False),
        (10_000, 499, None, False),
        (10_000, 500, None, True),
    ],
)
def test_a_cell_speaks_from_32_mib_and_a_twentieth_on(
    before: int, left: int, traced: int | None, notable: bool
) -> None:
    event = replace(
        QUIET,
        rss_before_bytes=before * MIB,
        rss_delta_bytes=left * MIB,
        traced_retained_bytes=None if traced is None else traced * MIB,
    )

    assert event.is_notable is notable


def test_the_line_says_what_is_known_and_nothing_else() -> None:
    assert QUIET.render_line() == "memwatch: In[3] 250 ms, resident +1.0 MiB to 101 MiB, peak 120 MiB"
    worse = replace(
        QUIET,
        seconds=75.0,
        rss_delta_bytes=None,
        traced_retained_bytes=-2 * MIB,
        run_number=4,
        success=False,
        error="ValueError",
    )
    assert (
        worse.render_line()
        == "memwatch: In[3] 1.2 min, peak 120 MiB, Python -2.0 MiB, run 4 of this cell, failed with ValueError"
    )


@pytest.mark.alone
def test_a_meter_costs_no_more_than_a_few_milliseconds_a_cell() -> None:
    """The median of 50 cells that do nothing."""
    with ProcessReader() as reader:
        readings = CellReadings(reader.read_rss_bytes)
        events = [
            PassiveMeter("In[1]", reader, readings, run_number=1, on_reading=lambda _: None).finish(None)
            for _ in range(50)
        ]
        readings.close()

    assert sorted(event.seconds for event in events)[25] < 0.005
    assert all(event.rss_peak_bytes is not None for event in events)
    assert not events[0].success
