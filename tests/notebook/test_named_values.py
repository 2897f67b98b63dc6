"""Large values and the ways to them."""

import numpy as np
import pandas as pd
import pytest

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


def test_a_large_container_is_measured_by_a_sample_of_its_items() -> None:
    """100,000 texts of 59 bytes and the 8 of a pointer to each; the same text many times is one text."""
    texts = [f"{number:010d}" for number in range(100_000)]

    assert sizes_of(texts=texts)["texts"] == pytest.approx(100_000 * (59 + 8), rel=0.05)
    assert sizes_of(same=["x" * 1000] * 500_000)["same"] == pytest.approx(500_000 * 8, rel=2)


def test_names_of_ipython_and_cycles_are_passed_over() -> None:
    loop: list[object] = [bytearray(2 * MIB)]
    loop.append(loop)

    assert list(sizes_of(_1=bytearray(2 * MIB), Out={1: bytearray(3 * MIB)}, loop=loop)) == ["loop[0]"]
