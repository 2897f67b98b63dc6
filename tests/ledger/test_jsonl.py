"""Rows as lines: valid JSON always, and whatever is corrupt is counted, never fatal."""

import datetime as dt
import io
import json
import math
from collections import Counter
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_rows import rows_of

from memanalysis._text import make_encodable
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger import jsonl
from memanalysis.ledger.jsonl import iter_rows
from memanalysis.ledger.values import dump_json, format_timestamp, microseconds_from
from memanalysis.ledger.writing.row_encoder import encode_row
from memanalysis.schema import TABLES


def parse(content: bytes, table: str = "samples") -> tuple[list[dict[str, Any]], dict[str, int]]:
    skipped: Counter[str] = Counter()
    return list(iter_rows(io.BytesIO(content), table, skipped)), dict(skipped)


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_a_row_is_one_compact_line_without_its_nulls() -> None:
    row = {"service": "api", "seq": 3, "timestamp": 1735689600.25, "label": None, "rss_bytes": 4096, "elapsed_s": 1.5}

    assert encode_row("samples", row) == (
        b'{"service":"api","seq":3,"timestamp":"2025-01-01T00:00:00.250000Z","rss_bytes":4096,"elapsed_s":1.5}\n'
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), np.float32("inf")])
@pytest.mark.parametrize("column", ["elapsed_s", "rss_bytes", "timestamp"])
def test_nan_and_infinity_are_left_out_as_null(column: str, value: float) -> None:
    assert encode_row("samples", {"seq": 1, column: value}) == b'{"seq":1}\n'


def test_nan_within_json_becomes_null() -> None:
    assert (
        encode_row("events", {"data": {"a": [math.nan, 1.5], "b": math.inf}}) == b'{"data":{"a":[null,1.5],"b":null}}\n'
    )


def test_numpy_numbers_are_taken_exactly() -> None:
    """2**62 + 1 is no float: it must not pass through one."""
    line = encode_row("samples", {"rss_bytes": np.int64(2**62 + 1), "capture_s": np.float32(0.5), "seq": np.uint8(7)})

    assert json.loads(line) == {"rss_bytes": 2**62 + 1, "capture_s": 0.5, "seq": 7}


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("samples", {"rss_bytes": "many"}),
        ("samples", {"rss_bytes": True}),
        ("samples", {"rss_bytes": 2**63}),
        ("samples", {"elapsed_s": "1.5"}),
        ("samples", {"timestamp": "yesterday"}),
        ("samples", {"timestamp": 1e12}),
        ("samples", {"label": ["a"]}),
        ("events", {"message": b"bytes"}),
    ],
)
def test_a_value_of_a_wrong_type_is_refused(table: str, row: dict[str, Any]) -> None:
    (name,) = row
    with pytest.raises(InvalidArgumentError) as caught:
        encode_row(table, row)

    assert str(caught.value) == (
        f"A row of {table!r} needs {TABLES[table][name]} in {name!r}, but got {row[name]!r}. "
        "Pass None where it is unknown."
    )


def test_a_column_of_another_table_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"A row of 'objects' needs columns of .*but got 'rss_bytes'"):
        encode_row("objects", {"rss_bytes": 1})


def test_objects_that_json_has_no_word_for_become_text_and_run_no_code_of_their_own() -> None:
    class Trap:
        def __str__(self) -> str:
            raise AssertionError

        __repr__ = __str__

    data = {
        "set": {1},
        "tuple": (1, 2),
        "path": PurePosixPath("a/b"),
        "day": dt.date(2025, 1, 1),
        "array": np.arange(3),
        "trap": Trap(),
        ("odd", 1): 1,
        2: "two",
    }

    plain = json.loads(dump_json(data))
    trap = plain.pop("trap")

    assert trap.startswith("<") and trap.endswith("Trap>")  # noqa: PT018
    assert plain == {
        "set": [1],
        "tuple": [1, 2],
        "path": "a/b",
        "day": "2025-01-01",
        "array": [0, 1, 2],
        "<nested deeper than 64>": 1,
        "2": "two",
    }


def test_a_cycle_and_a_depth_beyond_reason_end_in_text() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    for value in (cycle, deep):
        assert b"nested deeper than 64" in dump_json(value)
    while deep:  # taken apart by hand: freeing so deep a nest in one go is deep as well
        deep = deep.pop()


def test_a_number_longer_than_python_prints_becomes_text() -> None:
    assert json.loads(dump_json(10**5000)).startswith("0x")


def test_lone_surrogates_become_the_replacement_character() -> None:
    """As in the name of a file that is no UTF-8: no Parquet and no valid JSON text could hold them."""
    assert make_encodable("a\udcffb") == "a\ufffdb"
    assert make_encodable("\U0001f600") == "\U0001f600"
    assert json.loads(encode_row("sites", {"file": "x\udc80.py"})) == {"file": "x\ufffd.py"}
    assert json.loads(encode_row("sites", {"traceback": [["x\udc80.py", 3]]})) == {"traceback": [["x\ufffd.py", 3]]}


@given(row=rows_of("events"))
def test_a_line_is_one_line_of_strict_json(row: dict[str, Any]) -> None:
    line = encode_row("events", row)

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    json.loads(line, parse_constant=refuse_constant)


@given(row=st.one_of([rows_of(table).map(lambda row, table=table: (table, row)) for table in TABLES]))
def test_a_parsed_line_has_the_cells_that_were_written(row: tuple[str, dict[str, Any]]) -> None:
    table, written = row
    expected = {
        name: round(value * 1e6) if TABLES[table][name] == "timestamp" else value
        for name, value in written.items()
        if value is not None
    }

    assert parse(encode_row(table, written), table) == ([expected], {})


@pytest.mark.parametrize(
    ("value", "microseconds"),
    [
        (0, 0),
        (1735689600.000001, 1735689600000001),
        (-1.5, -1_500_000),
        ("2025-01-01T00:00:00Z", 1735689600000000),
        ("2025-01-01T00:00:00", 1735689600000000),
        ("2025-01-01 01:00:00.5+01:00", 1735689600500000),
        (dt.datetime(2025, 1, 1), 1735689600000000),
        (dt.datetime(2025, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), 1735689600000000),
        (math.nan, None),
    ],
)
def test_moments_are_read_as_utc_where_they_name_no_zone(value: object, microseconds: int | None) -> None:
    """1735689600 is 2025-01-01T00:00:00Z, by `date -u -d @1735689600`."""
    assert microseconds_from(value) == microseconds


def test_a_timestamp_is_text_with_six_digits_and_z() -> None:
    assert format_timestamp(1735689600000001) == "2025-01-01T00:00:00.000001Z"
    assert format_timestamp(0) == "1970-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"not json\n", jsonl.NOT_JSON),
        (b"\x00\xff\xfe\x93NUMPY\n", jsonl.NOT_JSON),
        (b'{"seq": 1\n', jsonl.NOT_JSON),
        (b"[" * 100_000 + b"\n", jsonl.NOT_JSON),
        (b"[1, 2]\n", jsonl.NOT_A_ROW),
        (b"17\n", jsonl.NOT_A_ROW),
        (b'{"rss_bytes": "many"}\n', jsonl.NOT_A_ROW),
        (b'{"timestamp": "yesterday"}\n', jsonl.NOT_A_ROW),
        (b'{"rss_bytes": 1' + b"0" * 30 + b"}\n", jsonl.NOT_A_ROW),
    ],
)
def test_a_corrupt_line_is_counted_and_the_lines_about_it_are_kept(garbage: bytes, reason: str) -> None:
    rows, skipped = parse(b'{"seq":1}\n' + garbage + b'{"seq":2}\n')

    assert rows == [{"seq": 1}, {"seq": 2}]
    assert skipped == {reason: 1}


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_no_damage() -> None:
    assert parse(b'\xef\xbb\xbf{"seq":1}\r\n\r\n \n{"seq":2}') == ([{"seq": 1}, {"seq": 2}], {})


def test_foreign_numbers_are_taken_as_the_column_wants_them() -> None:
    line = b'{"rss_bytes": 1e3, "seq": 2.0, "elapsed_s":3, "run_id":12, "capture_s":NaN, "timestamp": 1.5, "x": "red"}'

    assert parse(line)[0] == [{"rss_bytes": 1000, "seq": 2, "elapsed_s": 3.0, "run_id": "12", "timestamp": 1_500_000}]


def test_a_line_beyond_the_limit_is_passed_over_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 100)
    long_line = b'{"label":"' + b"x" * 1000 + b'"}\n'

    assert parse(b'{"seq":1}\n' + long_line + b'{"seq":2}\n') == ([{"seq": 1}, {"seq": 2}], {jsonl.TOO_LONG: 1})
    assert parse(b'{"seq":1}\n' + long_line[:-1]) == ([{"seq": 1}], {jsonl.TOO_LONG: 1})
    assert parse(b'{"label":"' + b"x" * 88 + b'"}\n')[1] == {}
