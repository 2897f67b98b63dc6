"""Rows of the files of a folder on their way to a reader: put in order, filled up, and handed on some at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from memanalysis.ledger.reading.file_sources import ScanRequest
from memanalysis.ledger.reading.row_order import FileOrder, is_in_order

__all__ = ["Piece", "fill_service", "put_in_order", "reduce_read", "reduce_rows", "split_batches"]

_BATCH_ROWS = 500_000
"""Rows that are read at once and checked; a single file may have more."""


@dataclass(slots=True)
class Piece:
    """Rows of one file, or of several by the index: read already, or to be read from a fragment of a data set."""

    path: str
    service: str | None
    order: FileOrder | None = None
    rows: pa.Table | None = None
    fragment: Any = None
    n_rows: int = 0
    is_reduced: bool = False


def put_in_order(found: Iterable[Piece], table: str) -> tuple[list[Piece], bool]:
    """Return the pieces that have rows, and whether these are in order, as far as all of their files state one."""
    pieces = [piece for piece in found if piece.rows is None or piece.rows.num_rows]
    orders = [piece.order for piece in pieces if piece.order is not None and piece.order.by == "time"]
    if table == "runs" or len(orders) < len(pieces):
        return pieces, False
    pieces.sort(key=_sort_key)
    return pieces, is_in_order([piece.order for piece in pieces if piece.order is not None])


def split_batches(members: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Pieces that are read at once: enough to keep every core at work, few enough to be held twice."""
    batch: list[Piece] = []
    n_rows = 0
    for piece in members:
        if batch and n_rows + piece.n_rows > _BATCH_ROWS:
            yield batch
            batch, n_rows = [], 0
        batch.append(piece)
        n_rows += piece.n_rows
    if batch:
        yield batch


def reduce_read(pieces: Iterator[Piece], columns: Sequence[str], request: ScanRequest) -> Iterator[Piece]:
    """Reduce the pieces that are read already, some at a time, so that no more of their rows are held."""
    held: list[pa.Table] = []
    n_rows = 0
    for piece in pieces:
        if request.reduce is None or piece.rows is None or piece.is_reduced:
            yield piece
            continue
        held.append(fill_service(piece.rows, piece.service).select(columns))
        n_rows += piece.n_rows
        if n_rows >= _BATCH_ROWS:
            yield Piece("", None, rows=reduce_rows(pa.concat_tables(held), request), is_reduced=True)
            held, n_rows = [], 0
    if held:
        yield Piece("", None, rows=reduce_rows(pa.concat_tables(held), request), is_reduced=True)


def reduce_rows(rows: pa.Table, request: ScanRequest) -> pa.Table:
    """Return what is asked for of some rows: themselves, or what they are reduced to."""
    return rows if request.reduce is None else request.reduce(rows)


def fill_service(piece: pa.Table, service: str | None) -> pa.Table:
    """Name the service after the folder where rows have none, as in Parquet that another tool partitioned."""
    if service is None or "service" not in piece.column_names or piece["service"].null_count == 0:
        return piece
    position = piece.column_names.index("service")
    return piece.set_column(position, piece.schema.field(position), piece["service"].fill_null(service))


def _sort_key(piece: Piece) -> tuple[str, str, list[int]]:
    if piece.order is None:
        raise AssertionError
    return piece.order.service, piece.order.run_id, piece.order.first
