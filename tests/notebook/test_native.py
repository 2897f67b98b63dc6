"""What libraries count themselves."""

import sys

import pyarrow as pa
import pytest

from memanalysis.notebook.native import list_children, read_counters


def test_arrow_is_asked_for_its_own_counter() -> None:
    """A column of 200,000 numbers takes 8 bytes each."""
    before = read_counters()["pyarrow"]
    column = pa.array(range(200_000), type=pa.int64())
    after = read_counters()["pyarrow"]

    assert after.now_bytes - before.now_bytes == pytest.approx(column.nbytes, rel=0.05)
    assert after.highest_bytes >= after.now_bytes


def test_a_library_that_is_not_loaded_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pyarrow")

    assert "pyarrow" not in read_counters()
    assert "pyarrow" not in sys.modules


def test_a_process_without_children_lists_none() -> None:
    assert list_children() == []
