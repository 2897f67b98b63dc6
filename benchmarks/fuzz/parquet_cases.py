"""Parquet files with flipped bits, with columns of other types, twice or absent, and with footers that lie."""

import io
import random
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fuzz.case import Case, damage_bytes, sound_files
from benchmarks.fuzz.odd_values import odd_number, odd_text
from benchmarks.fuzz.sound import write_sound_ledger

__all__ = ["damage_parquet", "make_parquet_case"]

COLUMN_TYPES = (
    pa.int8(), pa.uint8(), pa.int32(), pa.uint64(), pa.int64(), pa.float32(), pa.float64(), pa.bool_(), pa.string(),
    pa.large_string(), pa.binary(), pa.binary(4), pa.date32(), pa.time64("us"), pa.timestamp("s"), pa.timestamp("ns"),
    pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ms", "Europe/Berlin"), pa.duration("us"),
    pa.decimal128(38, 10), pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.map_(pa.string(), pa.int64()),
    pa.dictionary(pa.int32(), pa.string()), pa.null(),
)  # fmt: skip
KEYS = (b"memanalysis.schema_version", b"memanalysis.order", b"memanalysis.downsampled_s", b"pandas", b"ARROW:schema")
STATED = (
    b"0",
    b"-1",
    b"2",
    b"x",
    b"\xff",
    b"9" * 40,
    b"",
    b"{}",
    b"[1, 2, 3]",
    b"null",
    b'{"by": "time"}',
    b"NaN",
    b"1.5",
)
NAMES = ("", "\0", "a" * 5_000, "rss_bytes", "RSS_BYTES", "service", "timestamp", "größe", "a.b")


def make_parquet_case(number: int, rng: random.Random) -> Case:
    """Damage one sealed file of a ledger that is a folder."""
    path = rng.choice(sorted(write_sound_ledger().of_victim(sealed=True)))
    files = sound_files(sealed=True, below="ledger")
    name = f"ledger/{path}"
    files[name], damage, is_lost = damage_parquet(files[name], rng)
    lost = path if is_lost else None
    return Case("parquet", number, "folder", f"{path}: {damage}", files=files, target="ledger", lost=lost)


def damage_parquet(content: bytes, rng: random.Random) -> tuple[bytes, str, bool]:
    """Damage a Parquet file; what was done, and whether nothing of it can be read."""
    if rng.random() < 0.4:
        changed, damage = damage_bytes(content, rng)
        return changed, damage, len(changed) < 12
    table = pq.read_table(io.BytesIO(content))
    done = []
    for _ in range(rng.choice([1, 1, 2, 4])):
        table, damage = rng.choice(WAYS)(table, rng)
        done.append(damage)
    stream = io.BytesIO()
    try:
        options: dict[str, Any] = {"compression": rng.choice(["zstd", "snappy", "none", "gzip"])}
        pq.write_table(table, stream, row_group_size=rng.choice([1, 7, 100_000]), **options)
    except (pa.ArrowException, ValueError, TypeError, OSError) as exc:  # what cannot be written need not be read
        return content, f"none, for Parquet cannot hold it: {exc}", False
    return stream.getvalue(), ", ".join(done), False


def _retype(table: pa.Table, rng: random.Random) -> tuple[pa.Table, str]:
    if not table.num_columns:
        return table, "nothing"
    at = rng.randrange(table.num_columns)
    kind = rng.choice(COLUMN_TYPES)
    values = [_odd_cell(kind, rng) if rng.random() < 0.5 else None for _ in range(table.num_rows)]
    column = pa.nulls(table.num_rows, kind)
    for attempt in (values, [None] * table.num_rows):
        try:
            column = pa.array(attempt, kind)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            continue
        break
    return table.set_column(at, table.column_names[at], column), f"{table.column_names[at]} as {kind}"


def _odd_cell(kind: pa.DataType, rng: random.Random) -> Any:
    if pa.types.is_temporal(kind):
        return rng.choice(
            [0, -1, 2**31 - 1, -(2**31)] + ([] if kind.bit_width == 32 else [2**62, -(2**63), 253402300800])
        )
    if pa.types.is_boolean(kind):
        return True
    if pa.types.is_integer(kind):
        width = kind.bit_width
        return rng.choice(
            [0, 2 ** (width - 1) - 1] if not pa.types.is_signed_integer(kind) else [-1, -(2 ** (width - 1))]
        )
    if pa.types.is_floating(kind):
        number = odd_number(rng)
        return float(number)
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return b"\xff\xfe\0\x80"
    if pa.types.is_list(kind):
        return [1, None]
    if pa.types.is_struct(kind):
        return {"a": 1}
    if pa.types.is_map(kind):
        return [("a", 1)]
    return odd_text(rng).encode("utf-8", "replace").decode()


def _rewrite(table: pa.Table, rng: random.Random) -> tuple[pa.Table, str]:
    """Put odd values of the right type into a column."""
    if not table.num_columns:
        return table, "nothing"
    at = rng.randrange(table.num_columns)
    field = table.schema.field(at)
    if table.column_names[at] in {"service"}:
        return table, "nothing"
    try:
        values = table.column(at).to_pylist() if not pa.types.is_temporal(field.type) else [None] * table.num_rows
    except UnicodeDecodeError:  # damaged before
        return table, "nothing"
    for place in range(len(values)):
        if rng.random() < 0.3:
            values[place] = _odd_cell(field.type, rng)
    try:
        return table.set_column(at, field.name, pa.array(values, field.type)), f"odd {field.name}"
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return table, "nothing"


def _not_utf8(table: pa.Table, rng: random.Random) -> tuple[pa.Table, str]:
    """Text columns whose bytes are no text, which Parquet does not check."""
    texts = [at for at, field in enumerate(table.schema) if field.type == pa.string() and field.name != "service"]
    if not texts:
        return table, "nothing"
    at = rng.choice(texts)
    raw = pa.array([b"\xff\xfe\x80" if row % 3 == 0 else b"ok" for row in range(table.num_rows)], pa.binary())
    column = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    return table.set_column(at, table.column_names[at], column), f"{table.column_names[at]} not UTF-8"


def _drop(table: pa.Table, rng: random.Random) -> tuple[pa.Table, str]:
    if not table.num_columns:
        return table, "nothing"
    at = rng.randrange(table.num_columns)
    return table.remove_column(at), f"no {table.column_names[at]}"


def _double(table: pa.Table, rng: random.Random) -> tuple[pa.Table, str]:
    if not table.num_columns:
        return table, "nothing"
    at = rng.randrange(table.num_columns)
    name = table.column_names[at]
    return table.append_column(table.schema.field(at), table.column(at)), f"{name} twice"


def _add(table: pa.Table, rng: random.Random) -> tuple[pa.Table, str]:
    name = rng.choice(NAMES)
    return table.append_column(
        name, pa.array([odd_text(rng)[:9].encode("utf-8", "replace").decode()] * table.num_rows)
    ), (f"a column {name[:20]!r} more")


def _state(table: pa.Table, rng: random.Random) -> tuple[pa.Table, str]:
    key, value = rng.choice(KEYS), rng.choice(STATED)
    return table.replace_schema_metadata(
        {**(table.schema.metadata or {}), key: value}
    ), f"footer {key!r}: {value[:20]!r}"


def _empty(table: pa.Table, rng: random.Random) -> tuple[pa.Table, str]:
    return table.slice(0, rng.choice([0, 1])), "few rows"


def _shuffle(table: pa.Table, rng: random.Random) -> tuple[pa.Table, str]:
    rows = list(range(table.num_rows)) * 2
    rng.shuffle(rows)
    return table.take(pa.array(rows, pa.int64())), "rows twice, in no order"


WAYS: tuple[Callable[[pa.Table, random.Random], tuple[pa.Table, str]], ...] = (
    _retype, _retype, _retype, _rewrite, _rewrite, _not_utf8, _drop, _double, _add, _state, _empty, _shuffle,
)  # fmt: skip
