"""Values of labels as columns of truth: those of some rows, and versions from one on."""

import pandas as pd
import pytest

from memanalysis.analysis.label_values import find_label_values


def describe(**labels):
    values, n_labels = find_label_values(pd.DataFrame(labels), min_units=2)
    return {value.describe(): mask.tolist() for value, mask in values.items()}, n_labels


@pytest.mark.slow
def test_what_all_rows_have_or_one_alone_is_no_value():
    assert describe(zone=["a", "a", "a", "a"], pod=["p1", "p2", "p3", "p4"]) == ({}, 0)


def test_an_unknown_value_is_none():
    assert describe(zone=["a", "a", None, None]) == ({"zone a": [True, True, False, False]}, 1)


def test_versions_are_ordered_by_their_numbers():
    values, _ = describe(release=["1.9", "1.10", "1.10rc1", "1.8", "1.10"])

    assert values["release since 1.10rc1"] == [False, True, True, False, True]
    assert "release since 1.9" not in values  # one row alone has none
    assert "release since 1.8" not in values


def test_names_that_end_in_a_number_are_no_versions():
    assert not any("since" in name for name in describe(host=["h1", "h2", "h3"] * 3)[0])
