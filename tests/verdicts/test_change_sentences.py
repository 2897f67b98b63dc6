"""A change is put into words with its amount, its interval and its chance, and the worse services come first."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.comparison import COMPARISON_COLUMNS
from memanalysis.units import MIB
from memanalysis.verdicts.change_sentences import describe_change, describe_service_changes


def make_row(
    before_mib: float, after_mib: float, *, verdict: str, what: str = "level_bytes", **cells: Any
) -> dict[str, Any]:
    """A row of a comparison whose interval reaches 2 MiB to each side of the change."""
    change = (after_mib - before_mib) * MIB
    row = {"service": "shop", "what": what, "before": before_mib * MIB, "after": after_mib * MIB, "change": change}
    ends = {"low": change - 2 * MIB, "high": change + 2 * MIB, "p_value": 0.002, "verdict": verdict}
    place = {"runs_before": 1, "runs_after": 1, "file": None, "line": np.nan, "function": None}
    return row | ends | place | cells


def make_line(before_mib: float, after_mib: float, *, verdict: str, line: int = 42, **cells: Any) -> dict[str, Any]:
    place = {"file": "app/cart.py", "line": float(line), "function": "add"}
    return make_row(before_mib, after_mib, verdict=verdict, what="site_bytes", **(place | cells))


def make_frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(COMPARISON_COLUMNS))


def test_a_rise_and_a_fall_have_the_amount_and_the_smaller_end_first() -> None:
    assert describe_change(make_row(40, 50, verdict="more")) == (
        "Holds 10.0 MiB more than before (8.0 MiB to 12.0 MiB, p = 0.0020): 50.0 MiB after 40.0 MiB."
    )
    assert describe_change(make_row(50, 40, verdict="less"), reference="in the baseline") == (
        "Holds 10.0 MiB less than in the baseline (8.0 MiB to 12.0 MiB, p = 0.0020): 40.0 MiB after 50.0 MiB."
    )


@pytest.mark.parametrize("low_mib", [-1, 0])
def test_an_interval_that_holds_zero_begins_with_nothing(low_mib: int) -> None:
    row = make_row(40, 42, verdict="more", low=low_mib * MIB, high=4 * MIB)

    assert "(0 B to 4.0 MiB, " in describe_change(row)


def test_a_fall_whose_interval_holds_zero_ends_with_the_largest_fall() -> None:
    row = make_row(40, 35, verdict="less", low=-12 * MIB, high=2 * MIB)

    assert "Holds 5.0 MiB less than before (0 B to 12.0 MiB, " in describe_change(row)


@pytest.mark.parametrize(("lines", "last"), [(6, "1 more line changed."), (8, "3 more lines changed.")])
def test_lines_that_are_not_listed_are_counted(lines: int, last: str) -> None:
    rows = [make_line(0, 10 + number, verdict="new", file=f"{number}.py") for number in range(lines)]
    (described,) = describe_service_changes(make_frame(*rows))

    assert len(described.sentences) == 6
    assert described.sentences[-1] == last


def test_growth_is_compared_an_hour() -> None:
    """MIB / 3600 bytes a second are 1 MiB an hour."""
    hourly = {"what": "slope_bytes_per_s", "service": "shop", "p_value": 0.5}
    faster = {"before": MIB / 3600, "after": 3 * MIB / 3600, "change": 2 * MIB / 3600}
    slower = {"before": 3 * MIB / 3600, "after": -MIB / 3600, "change": -4 * MIB / 3600}

    assert describe_change(hourly | faster) == (
        "Grows faster than before: by +3.0 MiB/h after +1.0 MiB/h (p = 0.5000)."
    )
    assert describe_change(hourly | slower) == (
        "Grows more slowly than before: by -1.0 MiB/h after +3.0 MiB/h (p = 0.5000)."
    )


def test_a_line_is_named_with_its_function_and_as_new_or_gone() -> None:
    assert describe_change(make_line(0, 10, verdict="new")).startswith("app/cart.py:42 (add) holds 10.0 MiB more")
    assert describe_change(make_line(0, 10, verdict="new")).endswith(": 10.0 MiB after 0 B. It is new.")
    assert describe_change(make_line(10, 0, verdict="gone")).endswith(": 0 B after 10.0 MiB. It is gone.")
    assert describe_change(make_line(5, 15, verdict="more")).endswith(": 15.0 MiB after 5.0 MiB.")


@pytest.mark.parametrize("function", [None, np.nan, "line 42", "<module>", "<lambda>"])
def test_what_is_no_name_of_a_function_is_left_out(function: object) -> None:
    assert describe_change(make_line(0, 10, verdict="more", function=function)).startswith("app/cart.py:42 holds ")


def test_a_chance_is_written_out_down_to_one_in_ten_thousand() -> None:
    assert "p = 0.0001)" in describe_change(make_row(40, 50, verdict="more", p_value=1e-4))
    assert "p < 0.0001)" in describe_change(make_row(40, 50, verdict="more", p_value=0.99e-4))
    assert "p < 0.0001)" in describe_change(make_row(40, 50, verdict="more", p_value=0.0))


def test_names_cannot_turn_a_line() -> None:
    (described,) = describe_service_changes(
        make_frame(make_line(0, 10, verdict="new", file="a\nb.py", service="shop\r\u202e"))
    )

    assert described.service == "shop\\u000d\\u202e"
    assert described.sentences[0].startswith("a\\u000ab.py:42 (add) holds ")


def test_worse_services_come_first_and_unchanged_ones_last_each_by_name() -> None:
    verdicts = {"e": "same", "d": "less", "c": "more", "b": "less", "a": "same", "f": "more"}
    frame = make_frame(*(make_row(40, 50, verdict=verdict, service=name) for name, verdict in verdicts.items()))
    described = describe_service_changes(frame)

    assert [(change.service, change.verdict) for change in described] == [
        ("c", "worse"), ("f", "worse"), ("b", "better"), ("d", "better"), ("a", "same"), ("e", "same")
    ]  # fmt: skip
    assert [len(change.sentences) for change in described] == [1, 1, 1, 1, 0, 0]


def test_a_service_is_worse_where_its_growth_is_and_where_only_a_line_is() -> None:
    """It may hold less and grow faster; a new line alone is worse, and one that is gone is better."""
    less, steady = make_row(50, 40, verdict="less"), make_row(40, 40, verdict="same")

    for rows, verdict in (
        ((less, make_row(1, 2, verdict="more", what="slope_bytes_per_s")), "worse"),
        ((less, make_line(3, 0, verdict="gone")), "better"),
        ((steady, make_line(0, 3, verdict="new")), "worse"),
        ((steady, make_line(3, 0, verdict="gone")), "better"),
    ):
        assert describe_service_changes(make_frame(*rows))[0].verdict == verdict


def test_of_many_lines_the_five_that_changed_most_are_listed_and_the_others_counted() -> None:
    """Lines 1 to 7 change by as many MiB, the even ones downwards; the level comes first, though it is the last row."""
    lines = [
        make_line(10, 10 + (-n if n % 2 == 0 else n), verdict="less" if n % 2 == 0 else "more", line=n)
        for n in (3, 1, 7, 5, 2, 6, 4)
    ]
    (described,) = describe_service_changes(make_frame(*lines, make_row(40, 50, verdict="more")))

    assert described.sentences[0].startswith("Holds 10.0 MiB more")
    assert [sentence.split(" ")[0] for sentence in described.sentences[1:-1]] == [
        f"app/cart.py:{n}" for n in (7, 6, 5, 4, 3)
    ]
    assert described.sentences[-1] == "2 more lines changed."
    (described,) = describe_service_changes(make_frame(*lines[:5]))
    assert len(described.sentences) == 5


def test_an_empty_comparison_describes_nothing() -> None:
    assert describe_service_changes(make_frame()) == []
