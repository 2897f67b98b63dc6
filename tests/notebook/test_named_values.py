"""Large values and the ways to them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from memanalysis.capture.variable_sizes import measure_variables
from memanalysis.notebook.named_values import walk_names

MIB = 2**20


def sizes_of(**names: object) -> dict[str, int]:
    return {value.path: value.size_bytes for value in walk_names(names).values()}


@pytest.mark.slow
def test_data_is_found_in_containers_and_closures() -> None:
    def count() -> int:
        return len(table)

    table = bytearray(2 * MIB)

    found = sizes_of(first=bytearray(MIB), nested={"w": [b"", bytes(3 * MIB)]}, count=count)

    assert found == {
        "first": pytest.approx(MIB, abs=100),
        "nested['w'][1]": pytest.approx(3 * MIB, abs=100),
        "count.table (closure)": pytest.approx(2 * MIB, abs=100),
    }


def test_a_view_stands_for_the_array_that_it_keeps_alive_and_shared_data_counts_once() -> None:
    whole = np.ones(MIB)
    values = list(walk_names({"part": whole[:3], "other": whole[5:]}).values())

    assert [(value.path, value.size_bytes, value.others) for value in values] == [("part", 8 * MIB, ("other",))]


def test_a_frame_is_found_by_its_columns_and_its_range_stays_a_range() -> None:
    frame = pd.DataFrame({"a": np.ones(MIB)})

    assert sizes_of(frame=frame) == {"frame": 8 * MIB}
    assert "_data" not in frame.index._cache


def test_columns_of_every_kind_are_sized_as_the_table_of_variables_sizes_them() -> None:
    """A million numbers with a mask, dates, and texts in Arrow; the sizes are those of pandas itself."""
    numbers = pd.Series(np.arange(MIB), dtype="Int64")
    dates = pd.Series(pd.date_range("2025-01-01", periods=MIB, freq="s"))
    words = pd.Series([f"word {number}" for number in range(MIB)], dtype="string[pyarrow]")
    found = sizes_of(numbers=numbers, dates=dates, words=words)

    assert found["numbers"] == 8 * MIB
    assert found["dates"] == 8 * MIB
    assert found["words"] == pytest.approx(words.memory_usage(index=False, deep=True), rel=0.1)


def test_a_slice_of_an_arrow_table_is_another_way_to_its_memory() -> None:
    table = pa.table({"a": np.ones(MIB), "b": np.ones(MIB)})
    values = list(walk_names({"table": table, "part": table.slice(5, 10)}).values())

    assert [(value.path, value.size_bytes, value.others) for value in values] == [("table", 16 * MIB, ("part",))]


@pytest.mark.parametrize("number", range(2))
def test_each_of_many_polars_frames_counts(number: int) -> None:
    """Columns of text, whose buffers polars gives no single address of: 10 times 100,000 rows of 20 and more bytes."""
    polars = pytest.importorskip("polars")
    frames = [polars.DataFrame({"a": [f"{row:020d}" for row in range(100_000)]}) for _ in range(10)]
    whole = sum(frame.estimated_size() for frame in frames)
    walked = sum(sizes_of(frames=frames).values())

    assert (measure_variables({"frames": frames}).total_bytes, walked)[number] == pytest.approx(whole, rel=0.05)


def test_a_large_container_is_measured_by_a_sample_of_its_items() -> None:
    """100,000 texts of 59 bytes and the 8 of a pointer to each; the same text many times is one text."""
    texts = [f"{number:010d}" for number in range(100_000)]

    assert sizes_of(texts=texts)["texts"] == pytest.approx(100_000 * (59 + 8), rel=0.05)
    assert sizes_of(same=["x" * 1000] * 500_000)["same"] == pytest.approx(500_000 * 8, rel=2)


def test_names_of_ipython_and_cycles_are_passed_over() -> None:
    loop: list[object] = [bytearray(2 * MIB)]
    loop.append(loop)

    assert list(sizes_of(_1=bytearray(2 * MIB), Out={1: bytearray(3 * MIB)}, loop=loop)) == ["loop[0]"]
