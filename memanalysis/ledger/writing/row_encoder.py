"""How a row becomes one line of JSON, in few microseconds: the recorder writes with it inside somebody else's process.

A line is compact UTF-8 JSON without the columns that are null. Rows of one program have few *forms* (which columns,
which types); the first of a form is checked value by value, the others fill in its template.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any

from memanalysis._text import make_encodable
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.values import (
    INT64_MAX,
    INT64_MIN,
    cell_of,
    dump_json,
    format_moment,
    moment_from,
)
from memanalysis.schema import TABLES, ColumnType, Row

__all__ = ["encode_cells", "encode_row"]

MAX_FORMS = 128
"""Forms remembered; a program that has more makes rows of any form, and each is checked."""

MAX_MINUTES = 1000
"""Minutes remembered as text: rows of a run mostly follow one another."""

_EPOCH = datetime(1970, 1, 1)
_minutes: dict[int, str] = {}
_ODD = (ValueError, TypeError, OverflowError, struct.error)


@dataclass(frozen=True, slots=True)
class _Form:
    """How rows with the same columns of the same plain types are written.

    ``pick`` gives the values that are not null, ``pick_integers`` the integers among them, for which ``check`` fails on
    one beyond int64; ``floats`` and ``fixes`` are the positions of floats, and of values to be made text first.
    """

    template: str
    pick: Callable[[Row], tuple[Any, ...]]
    pick_integers: Callable[[Row], tuple[int, ...]]
    check: Callable[..., bytes]
    floats: tuple[int, ...]
    fixes: tuple[tuple[int, Callable[[Any], str]], ...]


_forms: dict[tuple[object, ...], _Form | None] = {}


def encode_row(table: str, row: Row) -> bytes:
    """One row as one line, with its newline.

    Raises
    ------
    InvalidArgumentError
        A column is not the table's, or a value not of the column's type.
    """
    return f"{{{encode_cells(table, row)}}}\n".encode()


def encode_cells(table: str, row: Row) -> str:
    """Give the known cells of a row, as they stand between the braces of its line; raises as `encode_row` does."""
    key = (table, *row, *map(type, row.values()))
    try:
        form = _forms[key]
    except KeyError:
        form = _make_form(table, row)
        if len(_forms) < MAX_FORMS:
            _forms[key] = form
    if form is not None:
        try:
            return _fill_in(form, row)
        except _ODD:  # infinite, beyond int64 or no moment: what is to be done, or reported, depends on the column
            pass
    return _encode_each(table, row)


def _fill_in(form: _Form, row: Row) -> str:
    form.check(*form.pick_integers(row))
    values = form.pick(row)
    if form.floats or form.fixes:
        cells = list(values)
        for position in form.floats:
            value = cells[position]
            if value - value != 0.0:  # NaN or infinite
                raise ValueError
        for position, fix in form.fixes:
            cells[position] = fix(cells[position])
        values = tuple(cells)
    return form.template % values


def _make_form(table: str, row: Row) -> _Form | None:
    """Make the form of a row, if all its values are of plain types."""
    names: list[str] = []
    parts: list[str] = []
    integers: list[str] = []
    floats: list[int] = []
    fixes: list[tuple[int, Callable[[Any], str]]] = []
    for name, value in row.items():
        if value is None:
            continue
        plain = _PLAIN.get((TABLES[table].get(name), type(value)))
        if plain is None:
            return None
        written, fix = plain
        if fix is not None:
            fixes.append((len(names), fix))
        elif type(value) is float:
            floats.append(len(names))
        elif type(value) is int:
            integers.append(name)
        names.append(name)
        parts.append(f'"{name}":{written}')
    if len(names) < 2:  # itemgetter of one name gives no tuple
        return None
    check = struct.Struct(f"<{len(integers)}q").pack
    return _Form(",".join(parts), itemgetter(*names), _pick_all(integers), check, tuple(floats), tuple(fixes))


def _pick_all(names: list[str]) -> Callable[[Row], tuple[int, ...]]:
    """Give the values of these columns as a tuple, also of one or none."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: tuple(row[name] for name in names)


def _write_moment(value: float) -> str:
    """Quoted ISO 8601 text of epoch seconds, rounded to microseconds as datetime rounds; minutes are remembered."""
    whole = int(value)
    microseconds = round((value - whole) * 1e6)
    if not 0 <= microseconds < 1_000_000:  # rounded up to a whole second, or before 1970
        raise ValueError
    minute, second = divmod(whole, 60)
    text = _minutes.get(minute)
    if text is None:
        if len(_minutes) >= MAX_MINUTES:
            _minutes.clear()
        text = _minutes[minute] = (_EPOCH + timedelta(minutes=minute)).isoformat()[:-2]
    return '"%s%02d.%06dZ"' % (text, second, microseconds)  # noqa: UP031 - a third faster than an f-string


def _write_text(value: str) -> str:
    return encode_basestring(make_encodable(value))


_PLAIN: dict[tuple[ColumnType | None, type], tuple[str, Callable[[Any], str] | None]] = {
    ("int64", int): ("%d", None),
    ("float64", float): ("%r", None),
    ("string", str): ("%s", _write_text),
    ("timestamp", float): ("%s", _write_moment),
}
"""Of a kind of column and a type: its place in a template, and what makes it text."""


def _encode_each(table: str, row: Row) -> str:
    columns = TABLES[table]
    cells: list[str] = []
    for name, value in row.items():
        if value is None:
            continue
        kind = columns.get(name)
        if type(value) is int and kind == "int64" and INT64_MIN <= value <= INT64_MAX:
            cells.append(f'"{name}":{value}')
        elif (text := _encode_cell(table, name, kind, value)) is not None:
            cells.append(f'"{name}":{text}')
    return ",".join(cells)


def _encode_cell(table: str, name: str, kind: ColumnType | None, value: object) -> str | None:
    if kind is None:
        raise InvalidArgumentError(
            f"A row of {table!r} needs columns of {list(TABLES[table])}, but got {name!r}. Leave it out."
        )
    try:
        cell = moment_from(value) if kind == "timestamp" else cell_of(kind, value)
    except (ValueError, TypeError, OverflowError) as exc:
        raise InvalidArgumentError(
            f"A row of {table!r} needs {kind} in {name!r}, but got {value!r}. Pass None where it is unknown."
        ) from exc
    if cell is None:
        return None
    return f'"{format_moment(cell)}"' if kind == "timestamp" else dump_json(cell).decode()
