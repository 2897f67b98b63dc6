"""What a line holds at the end of a run, also after a table that is much older than its end."""

import pandas as pd
import pytest

from memanalysis.reports.held_line import estimate_held_bytes
from memanalysis.units import MIB


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
