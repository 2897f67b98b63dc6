"""What a line holds at the end of a run, also after a table that is much older than its end."""

import pandas as pd
import pytest

from memanalysis.reports.held_line import estimate_held_bytes, find_held_line, grew_outside_python
from memanalysis.units import MIB

NO_EVENTS = pd.DataFrame({"kind": [], "data": []})


@pytest.mark.slow
def test_what_was_allocated_since_the_only_table_counts_for_its_lines():
    """The table has 2 MiB of one line, and Python then allocates 298 MiB more until the run is killed."""
    times = pd.to_datetime([0.0, 1.0, 60.0], unit="s", utc=True)
    samples = pd.DataFrame(
        {"timestamp": times, "rss_bytes": [20 * MIB, 22 * MIB, 321 * MIB], "traced_bytes": [0, 2 * MIB, 300 * MIB]}
    )
    sites = pd.DataFrame({"timestamp": times[1:2], "file": ["app.py"], "line": [4], "size_bytes": [2 * MIB]})
    events = pd.DataFrame({"kind": [], "data": []})

    held = estimate_held_bytes(sites, samples, events, trace="full")

    assert held == {("app.py", 4): pytest.approx(300 * MIB)}
    assert estimate_held_bytes(sites, samples, events, trace=None) == {("app.py", 4): 2 * MIB}  # of no recorder of ours


@pytest.mark.parametrize(("late_growth_bytes", "line"), [(144, 4), (10 * MIB, 9)])
def test_tables_from_after_the_growth_name_what_holds_it_and_not_what_moved_since(late_growth_bytes, line):
    """Line 4 holds the 100 MiB of the run in both tables; line 9 allocates between them, some bytes or 10 MiB."""
    times = pd.to_datetime([0.0, 50.0, 60.0], unit="s", utc=True)
    samples = pd.DataFrame(
        {"timestamp": times, "rss_bytes": [20 * MIB, 120 * MIB, 120 * MIB + late_growth_bytes], "traced_bytes": None}
    )
    sizes = {4: [100 * MIB, 100 * MIB], 9: [1000, 1000 + late_growth_bytes]}
    rows = [
        {"service": "api", "run_id": "r", "timestamp": time, "site_id": f"{number}", "file": "/srv/app.py",
         "line": number, "function": "f", "size_bytes": size}
        for number, pair in sizes.items() for time, size in zip(times[1:], pair, strict=True)
    ]  # fmt: skip
    found = find_held_line(pd.DataFrame(rows), samples, NO_EVENTS, trace="full")

    assert found is not None
    assert found.line == line
    assert found.held_bytes == sizes[line][1]
    assert found.share > 0.99


def test_a_comprehension_is_no_caller_of_its_own_line():
    """On Python 3.11 it is a frame, so line 4 stands twice in the stack, below lines 9 and 12."""
    times = pd.to_datetime([0.0, 60.0], unit="s", utc=True)
    samples = pd.DataFrame({"timestamp": times, "rss_bytes": [20 * MIB, 120 * MIB], "traced_bytes": [0, 100 * MIB]})
    stack = [["/srv/app.py", line, name] for line, name in ((12, "main"), (9, "run"), (4, "keep"), (4, "<listcomp>"))]
    row = {"service": "api", "run_id": "r", "timestamp": times[1], "site_id": "1", "file": "/srv/app.py", "line": 4,
           "function": "keep", "size_bytes": 100 * MIB, "traceback": stack}  # fmt: skip
    found = find_held_line(pd.DataFrame([row]), samples, NO_EVENTS, trace="full")

    assert found is not None
    assert found.callers == (("/srv/app.py", 9), ("/srv/app.py", 12))


def grow(**columns):
    """Return samples of a run whose resident memory grows by 100 MiB."""
    return pd.DataFrame({"rss_bytes": [20 * MIB, 70 * MIB, 120 * MIB], **columns})


def windows(survived_bytes):
    data = [{"survived_bytes": survived_bytes, "rss_growth_bytes": 20 * MIB}] * 3
    return pd.DataFrame({"kind": ["window"] * 3, "data": data})


@pytest.mark.parametrize(
    ("samples", "events", "trace", "is_outside"),
    [
        (grow(sampled_bytes=[0, 0, 128 * 1024]), NO_EVENTS, "sampled", True),
        (grow(sampled_bytes=[0, 45 * MIB, 95 * MIB]), NO_EVENTS, "sampled", False),
        (grow(traced_bytes=[0, 1 * MIB, 2 * MIB]), NO_EVENTS, "full", True),
        (grow(traced_bytes=[0, 50 * MIB, 100 * MIB]), NO_EVENTS, "full", False),
        (grow(), windows(1024), "windows", True),
        (grow(), windows(19 * MIB), "windows", False),
        (grow(), NO_EVENTS, "windows", False),
        (grow(), NO_EVENTS, "off", False),
    ],
)
def test_growth_lies_outside_python_where_python_was_followed_and_grew_little(samples, events, trace, is_outside):
    assert grew_outside_python(samples, events, trace=trace) is is_outside
