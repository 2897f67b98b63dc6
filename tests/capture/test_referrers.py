"""What refers to some objects is found, and nothing that the search itself makes."""

import pytest

from memanalysis.capture.referrers import find_referrers


class Item:
    pass


@pytest.mark.parametrize("count", [1, 2, 50])
def test_holders_are_found_and_not_the_arguments_of_the_search(count: int):
    items = [Item() for _ in range(count)]
    registry = {"first": items[0]}

    found = find_referrers(items)

    assert any(holder is registry for holder in found)
    assert {id(holder) for holder in found} == {id(items), id(registry)}


def test_a_tuple_of_the_program_counts():
    items = (Item(), Item())
    also = (items[0], items[1])

    assert {id(holder) for holder in find_referrers(list(items))} >= {id(items), id(also)}
