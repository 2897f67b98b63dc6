"""The parts of resident memory add up to it, and what is unknown stays unknown."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.analysis.leaks.rss_parts import RSS_PARTS, split_rss
from memanalysis.errors import MissingColumnError

BYTES = st.one_of(st.none(), st.integers(0, 2**50))


@pytest.mark.slow
def test_what_the_known_parts_leave_is_the_rest():
    samples = pd.DataFrame(
        {"rss_bytes": [100], "traced_bytes": [50], "tracer_bytes": [20], "allocator_free_bytes": [10]}, index=[7]
    )
    split = split_rss(samples)

    assert split.loc[7].to_dict() == {
        "rss_bytes": 100,
        "traced_bytes": 50,
        "tracer_bytes": 20,
        "allocator_free_bytes": 10,
        "rest_bytes": 20,
    }


@pytest.mark.slow
@given(st.lists(st.tuples(BYTES, BYTES, BYTES, BYTES), max_size=20))
def test_parts_add_up_to_the_whole_wherever_all_are_known(rows):
    columns = ["rss_bytes", *RSS_PARTS[:-1]]
    samples = pd.DataFrame(rows, columns=columns).astype("Int64")
    split = split_rss(samples)
    known = samples.notna().all(axis=1).to_numpy()

    assert np.array_equal(split["rest_bytes"].notna(), known)
    assert split.loc[known, list(RSS_PARTS)].sum(axis=1).tolist() == split.loc[known, "rss_bytes"].tolist()


def test_a_part_that_was_not_recorded_leaves_the_rest_unknown():
    split = split_rss(pd.DataFrame({"rss_bytes": [100, 200], "traced_bytes": [50, None]}))

    assert split[["tracer_bytes", "allocator_free_bytes", "rest_bytes"]].isna().all(axis=None)
    assert split["traced_bytes"].iloc[0] == 50


def test_without_resident_memory_there_is_nothing_to_split():
    with pytest.raises(MissingColumnError, match=r"split_rss needs the columns \['rss_bytes'\]"):
        split_rss(pd.DataFrame({"traced_bytes": [1]}))
