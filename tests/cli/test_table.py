import pytest
from hypothesis import given
from hypothesis import strategies as st

from memanalysis.cli.console import display_width
from memanalysis.cli.table import Column, render_table, wrap_cell

COLUMNS = (Column("service", narrowest=8), Column("leak"), Column("growth an hour", narrowest=10, right=True))


def test_columns_stand_side_by_side_and_numbers_at_the_right() -> None:
    assert render_table(
        COLUMNS, [("api", "yes", "+3.1 MiB/h\n+2.9 to +3.3"), ("worker", "no", "0.0 B/h")], width=80
    ) == (
        "service  leak  growth an hour\n"
        "-------  ----  --------------\n"
        "api      yes       +3.1 MiB/h\n"
        "                 +2.9 to +3.3\n"
        "worker   no           0.0 B/h"
    )


def test_a_long_name_wraps_after_its_punctuation() -> None:
    assert render_table(COLUMNS, [("payments_reconciliation_worker", "no", "0.0 B/h")], width=40) == (
        "service                    leak   growth\n"
        "                                 an hour\n"
        "-------------------------  ----  -------\n"
        "payments_reconciliation_   no    0.0 B/h\n"
        "worker"
    )


def test_what_is_too_narrow_for_columns_is_stacked() -> None:
    assert render_table(COLUMNS, [("api", "yes", "+3.1 MiB/h\n+2.9 to +3.3")], width=24) == (
        "service         api\n"
        "leak            yes\n"
        "growth an hour  +3.1\n"
        "                MiB/h\n"
        "                +2.9 to\n"
        "                +3.3"
    )


def test_paint_colours_a_cell_after_it_is_padded() -> None:
    text = render_table(
        COLUMNS, [("api", "yes", "1")], width=80, paint=lambda row, column, text: f"<{row}{column}{text}>"
    )

    assert text.splitlines()[-1] == "<00api    >  <01yes >  <02             1>"


def test_wide_letters_take_two_columns() -> None:
    assert display_width("日本e\u0301") == 5
    assert [display_width(line) for line in wrap_cell("日本日本日本", 5)] == [4, 4, 4]


@given(
    rows=st.lists(
        st.tuples(*[st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=60)] * 3), max_size=4
    ),
    width=st.integers(min_value=30, max_value=120),
)
def test_no_line_is_wider_than_the_terminal_and_no_letter_is_lost(rows: list[tuple[str, str, str]], width: int) -> None:
    columns = [Column(title, narrowest=6) for title in ("a", "b", "c")]
    text = render_table(columns, rows, width=width)

    assert all(len(line) <= width for line in text.splitlines())
    for row in rows:
        for cell in row:
            assert sum(map(text.count, set(cell))) >= len(set(cell))


@pytest.mark.parametrize("width", [1, 3, 7])
def test_wrapping_keeps_every_letter(width: int) -> None:
    assert "".join(wrap_cell("leaking_registry.py:42", width)) == "leaking_registry.py:42"
