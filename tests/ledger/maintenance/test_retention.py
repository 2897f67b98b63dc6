"""What stays: the newest entries, none older than the limit."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.maintenance.retention import retained

DAY = 86400.0


@dataclass(frozen=True)
class At:
    epoch_s: float


def days_old(*days: float) -> list[At]:
    return [At(-day * DAY) for day in days]


@pytest.mark.slow
def test_without_limits_all_stay() -> None:
    assert retained(days_old(9, 1, 5), now=0.0) == days_old(9, 1, 5)


def test_the_last_so_many_stay() -> None:
    assert retained(days_old(3, 2, 1), now=0.0, max_entries=2) == days_old(2, 1)
    assert retained(days_old(3, 2, 1), now=0.0, max_entries=0) == []


def test_what_is_older_goes_wherever_it_stands_and_what_is_just_so_old_stays() -> None:
    assert retained(days_old(31, 30, 29.9, 30.1, 1), now=0.0, max_age_days=30) == days_old(30, 29.9, 1)


def test_age_is_asked_before_number() -> None:
    assert retained(days_old(2, 40, 1, 50), now=0.0, max_age_days=30, max_entries=2) == days_old(2, 1)


@given(st.lists(st.floats(0, 100)), st.integers(0, 10), st.floats(0, 100))
def test_retention_keeps_order_and_is_done_in_one_go(days: list[float], max_entries: int, max_age: float) -> None:
    entries = days_old(*days)

    kept = retained(entries, now=0.0, max_entries=max_entries, max_age_days=max_age)

    assert len(kept) <= max_entries
    assert retained(kept, now=0.0, max_entries=max_entries, max_age_days=max_age) == kept
    rest = iter(entries)
    assert all(entry in rest for entry in kept)


@pytest.mark.parametrize("limits", [{"max_entries": -1}, {"max_age_days": -0.5}])
def test_a_negative_limit_is_refused(limits: dict[str, int]) -> None:
    ((name, limit),) = limits.items()
    with pytest.raises(InvalidArgumentError) as caught:
        retained([], now=0.0, **limits)

    assert str(caught.value) == f"Retention needs {name} of 0 or more, but got {limit!r}. Pass None for no limit."
