"""What counts against a budget while it is watched is what counts in the ledger afterwards."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.analysis.budgets.budget_metric import read_budget_series
from memanalysis.schema import BUDGET_METRICS
from memanalysis.watcher.budget_reading import BudgetReading

sizes = st.one_of(st.none(), st.integers(1, 1000))
rows = st.lists(
    st.fixed_dictionaries(
        {
            "rss_bytes": st.integers(1, 1000),
            "traced_bytes": sizes,
            "uss_bytes": sizes,
            "pss_bytes": sizes,
            "family_bytes": sizes,
            "container_bytes": sizes,
        }
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(rows=rows, metric=st.sampled_from(sorted(BUDGET_METRICS)))
def test_live_and_after_the_fact_take_the_same_bytes(rows: list[dict[str, Any]], metric: str) -> None:
    reading = BudgetReading()
    live = [(reading.add(row, metric), reading.column) for row in rows]
    frame = pd.DataFrame({name: pd.array([row[name] for row in rows], dtype="Int64") for name in rows[0]})

    values, columns = read_budget_series(frame, metric)

    later = [(None, None) if pd.isna(size) else (int(size), name) for size, name in zip(values, columns, strict=True)]
    assert later == live


def test_a_reading_counts_until_the_next(watched_sizes: list[int | None]) -> None:
    assert watched_sizes == [10, 10, 70, 70, 90]


@pytest.fixture
def watched_sizes() -> list[int | None]:
    """Resident memory until the first child, then the family."""
    reading = BudgetReading()
    family = [None, None, 70, None, 90]
    return [reading.add({"rss_bytes": 10, "family_bytes": size}, "auto") for size in family]


@pytest.mark.parametrize(("metric", "size"), [("auto", 4), ("rss", 1), ("private", 2), ("family", 3), ("container", 4)])
def test_each_word_names_its_memory(metric: str, size: int) -> None:
    sample = {"rss_bytes": 1, "uss_bytes": 2, "family_bytes": 3, "container_bytes": 4}

    assert BudgetReading().add(sample, metric) == size


def test_an_unknown_container_is_not_resident_memory() -> None:
    reading = BudgetReading()

    assert (reading.add({"rss_bytes": 1}, "container"), reading.column) == (None, None)
