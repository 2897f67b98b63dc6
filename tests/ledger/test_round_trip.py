"""A row written and read is equal: as a live line, sealed into Parquet, and in the frame."""

import io
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_rows import RUN_ID, possible, rows_of, run_row

from memanalysis.ledger.arrow import arrow_schema, table_from_rows
from memanalysis.ledger.jsonl import iter_rows
from memanalysis.ledger.maintenance.seal import SealedWriter
from memanalysis.ledger.reading.dataframes import frame_from_table, sort_rows
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.ledger.writing.row_encoder import encode_row
from memanalysis.schema import TABLES

pytestmark = pytest.mark.slow

EPOCH = pd.Timestamp(0, tz="UTC")


def value_in_frame(value: Any, kind: str) -> Any:
    """What a frame shows, back as what a row had: the opposite of the schema's words, written out here by hand."""
    if kind == "json":
        return value
    if pd.isna(value):
        return None
    return (value - EPOCH) // pd.Timedelta(microseconds=1) if kind == "timestamp" else value


def expected_cell(value: Any, kind: str) -> Any:
    return round(value * 1e6) if kind == "timestamp" and value is not None else value


@pytest.mark.parametrize("table", TABLES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_rows_survive_the_line_the_parquet_and_the_frame(table: str, data: st.DataObject) -> None:
    rows = data.draw(st.lists(rows_of(table), max_size=4))
    lines = b"".join(encode_row(table, row) for row in rows)
    skipped: Counter[str] = Counter()
    from_lines = table_from_rows(table, list(iter_rows(io.BytesIO(lines), table, skipped)))
    stream = io.BytesIO()
    writer = SealedWriter(stream, table)
    writer.write(from_lines)
    writer.close()
    from_parquet = pq.read_table(io.BytesIO(stream.getvalue()))
    if table == "sites":  # these lie by site, and unknown ones last
        texts = from_lines["traceback"].to_pylist()
        order = sorted(range(len(rows)), key=lambda place: (texts[place] is None, texts[place] or ""))
        rows, from_lines = [rows[place] for place in order], from_lines.take(pa.array(order, pa.int64()))

    assert not skipped
    assert from_parquet.equals(from_lines)
    assert from_parquet.schema.equals(arrow_schema(table))
    frame = frame_from_table(from_parquet, table, None)
    assert len(frame) == len(rows)
    for position, row in enumerate(rows):
        for name, kind in TABLES[table].items():
            assert value_in_frame(frame[name][position], kind) == expected_cell(row.get(name), kind)


@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(rows_of("samples", possible), max_size=5),
    events=st.lists(rows_of("events", possible), max_size=5),
)
def test_a_ledger_reads_the_same_live_and_sealed(rows: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = LedgerWriter(folder, run=run_row())
        writer.append("samples", rows)
        writer.append("events", events)
        ledger = open_ledger(folder)
        live = ledger.samples, ledger.events

        writer.close(ended=1735689700.0)

        assert not list(Path(folder).rglob("*.jsonl"))
        for before, after in zip(live, (ledger.samples, ledger.events), strict=True):
            pd.testing.assert_frame_equal(after, before)
        assert ledger.damage == []
        assert ledger.samples["run_id"].tolist() == [RUN_ID] * len(rows)


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "service": st.sampled_from(["a", "B", "\u00e4", "\U0001f600"]),
                "run_id": st.sampled_from(["r1", "r2"]),
                "seq": st.integers(0, 3),
                "timestamp": st.integers(0, 3),
            },
        ),
        max_size=8,
    )
)
def test_the_order_of_rows_is_that_of_pandas(rows: list[dict[str, Any]]) -> None:
    """By service, run, seq and timestamp, nulls last, equals in their old order, as `DataFrame.sort_values` has it."""
    numbered = [{**row, "rss_bytes": number} for number, row in enumerate(rows)]
    keys = ["service", "run_id", "seq", "timestamp"]
    frame = pd.DataFrame(numbered, columns=[*keys, "rss_bytes"])

    found = sort_rows(table_from_rows("samples", numbered))["rss_bytes"].to_pylist()

    assert found == frame.sort_values(keys, kind="stable", na_position="last")["rss_bytes"].tolist()


def test_equal_json_in_a_column_is_read_once(tmp_path: Path) -> None:
    """Two thousand sites a snapshot, each with the same traceback as before: their lists are shared."""
    writer = LedgerWriter(tmp_path, run=run_row())
    traceback = [["main.py", 1], ["a.py", 2]]
    writer.append("sites", [{"seq": seq, "traceback": traceback} for seq in range(3)])

    sites = open_ledger(tmp_path).sites

    assert sites["traceback"].tolist() == [traceback] * 3
    assert sites["traceback"][0] is sites["traceback"][2]


def test_plain_text_in_a_json_column_of_foreign_parquet_is_shown_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "events" / "service_key=a"
    folder.mkdir(parents=True)
    texts = ["not json", json.dumps({"a": 1}), None]
    pd.DataFrame({"service": "a", "timestamp": [1.0, 2.0, 3.0], "data": texts}).to_parquet(folder / "x.parquet")

    assert open_ledger(tmp_path).events["data"].tolist() == ["not json", {"a": 1}, None]
