import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from memanalysis.cli.terminal_table import Name, Place, make_table, measure_min_width, print_records, print_table

TITLES = ("service", "leak", "growth\nper hour")
LETTERS = st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Cc", "Cf"])


def draw(rows: list[tuple[object, ...]], width: int, *, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n", write_through=True)
    console = Console(file=stream, width=width, force_terminal=False, markup=False, highlight=False)
    table = make_table(console, TITLES, right=TITLES[-1:])
    for row in rows:
        table.add_row(*row)  # type: ignore[arg-type]
    print_table(console, table)
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_columns_stand_side_by_side_and_numbers_at_the_right() -> None:
    assert draw([(Name("api"), "yes", "+3.1 MiB/h\n2.9 to 3.3"), (Name("worker"), "no", "0.0 B/h")], 80) == (
        "                   growth\n"
        "service  leak    per hour\n"
        "─────────────────────────\n"
        "api      yes   +3.1 MiB/h\n"
        "               2.9 to 3.3\n"
        "worker   no       0.0 B/h\n"
    )


def test_an_encoding_without_lines_gets_hyphens() -> None:
    assert draw([(Name("api"), "yes", "1")], 80, encoding="ascii").splitlines()[2] == "-" * 23


def test_a_long_name_wraps_after_its_punctuation() -> None:
    lines = draw([(Name("payments_reconciliation_worker"), "no", "0.0 B/h")], 45).splitlines()

    assert [line[:27].rstrip() for line in lines[3:]] == ["payments_reconciliation_", "worker"]


def test_a_place_is_shortened_from_the_left_at_a_folder() -> None:
    path = "/srv/application/handlers/registry.py:42"

    assert path in draw([(Place(path), "yes", "1")], 80)
    assert "\n…/handlers/registry.py:42 " in draw([(Place(path), "yes", "1")], 46)
    assert "\n.../registry.py:42 " in draw([(Place(path), "yes", "1")], 42, encoding="ascii")


@given(folder=st.text(LETTERS, max_size=90), name=st.text(st.characters(categories=["L"]), min_size=1, max_size=8))
def test_file_and_line_are_never_broken(folder: str, name: str) -> None:
    text = draw([(Place(f"{folder}/{name}.py:42"), "yes", "1")], 60)

    assert re.search(rf"[/…]{re.escape(name)}\.py:42 +yes +1$", text, re.MULTILINE)


@given(name=st.text(LETTERS, min_size=1, max_size=60), width=st.integers(min_value=34, max_value=120))
def test_no_line_is_wider_than_the_terminal_and_no_character_of_a_name_is_lost(name: str, width: int) -> None:
    cell = Name(name)
    lines = draw([(cell, "yes", "+1.0 MiB/h")], width).splitlines()
    drawn = "".join(line.replace("+1.0 MiB/h", "").replace(" yes ", "") for line in lines[3:])

    assert max(map(cell_len, lines)) <= width
    assert "".join(drawn.split()) == "".join(cell.text.split())


@pytest.mark.parametrize("width", [31, 32])
def test_the_least_width_is_where_columns_still_fit(width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    table = make_table(console, TITLES)
    table.add_row(Name("payments_reconciliation_worker"), "accepted", "+3.1 MiB/h")

    assert measure_min_width(console, table) == 8 + 2 + 8 + 2 + 10


def test_a_narrow_terminal_gets_a_line_for_each_value() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=30)
    records = [[("service", Name("payments_reconciliation_worker")), ("growth", "1\n2")], [("service", Name("api"))]]
    print_records(console, records)

    assert stream.getvalue() == (
        "service  payments_\n         reconciliation_worker\ngrowth   1\n         2\n\nservice  api\n"
    )
