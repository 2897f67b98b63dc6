"""The cell that ran when the record of a run ends."""

from typing import Any

import pandas as pd
import pytest

from memanalysis.reports.open_cell import find_open_cell


def events(*kinds: str, data: Any = None) -> pd.DataFrame:
    own = {"cell": "In[5]", "source": "grow()", "line": 1, "text": "grow()"} if data is None else data
    return pd.DataFrame(
        {
            "timestamp": pd.date_range("2025-01-01", periods=len(kinds), tz="UTC"),
            "kind": kinds,
            "data": [own] * len(kinds),
        }
    )


@pytest.mark.slow
def test_a_cell_without_an_end_is_named_with_its_line_and_source() -> None:
    found = find_open_cell(events("start", "cell_start", "cell_line", "growth"))

    assert found is not None
    assert found.describe() == "In[5], which ran when the record ends, at line 1: grow()"
    assert found.source == "grow()"


def test_without_source_the_cell_alone_is_named() -> None:
    found = find_open_cell(events("cell_start", "cell_line"), has_source=False)

    assert found is not None
    assert (found.name_line(), found.text, found.source, found.line) == ("In[5]", "", "", None)


def test_a_run_without_cells_or_whose_last_cell_ended_has_none() -> None:
    assert find_open_cell(events("start", "stop")) is None
    assert find_open_cell(events("cell_start", "cell_line", "cell", "stop")) is None


def test_a_row_of_another_shape_is_named_as_far_as_it_goes() -> None:
    found = find_open_cell(events("cell_start", data=[1, 2]))

    assert found is not None
    assert found.describe() == "a cell, which ran when the record ends"
