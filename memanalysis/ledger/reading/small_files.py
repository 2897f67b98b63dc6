"""Read a small sealed file as it is opened, rather than open it now and read it with others later.

Of 20,000 files with a row each, the open fragments and footers take gigabytes, and opening each file twice takes longer
than reading it.
"""

import os
from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from memanalysis import schema
from memanalysis.errors import LedgerFormatError
from memanalysis.ledger.arrow import arrow_schema
from memanalysis.ledger.files import Files, LocalFiles
from memanalysis.ledger.reading.footers import read_footer
from memanalysis.ledger.reading.native_files import read_native
from memanalysis.ledger.reading.row_order import FileOrder

__all__ = ["SMALL_BYTES", "SMALL_ROWS", "read_small"]

SMALL_BYTES = 64 * 1024

SMALL_ROWS = 1_000
"""A file of more rows is left to the reader of many files, however small it is."""


def read_small(
    files: Files, path: str, table: str, columns: Sequence[str], *, run_ids: Collection[str | None] | None = None
) -> tuple[FileOrder | None, pa.Table] | None:
    """Order and rows of a small file that has the columns as they are promised; None of any other.

    A file whose footer states that it has none of ``run_ids`` is given without rows.

    Raises
    ------
    FileNotFoundError
        It is gone.
    """
    if not isinstance(files, LocalFiles):
        return None
    with files.open(path) as stream:
        if os.fstat(stream.fileno()).st_size > SMALL_BYTES:
            return None
        content = read_native(stream)
    wanted = arrow_schema(table, columns)
    try:
        parquet = pq.ParquetFile(pa.BufferReader(content))
        footer = read_footer(parquet.metadata, table, name=path)
        found = parquet.schema_arrow
        if footer.version != schema.SCHEMA_VERSION or footer.n_rows > SMALL_ROWS or len(set(found.names)) < len(found):
            return None
        types = dict(zip(found.names, found.types, strict=True))
        if any(types.get(field.name) != field.type for field in wanted):
            return None
        if run_ids is not None and footer.order is not None and _has_none(footer.order, run_ids):
            return footer.order, wanted.empty_table()
        rows = parquet.read(columns=wanted.names, use_threads=False).select(wanted.names)
    except (LedgerFormatError, pa.ArrowException, OSError, ValueError):  # the other way of reading reports the error
        return None
    return footer.order, rows.replace_schema_metadata(wanted.metadata)


def _has_none(order: FileOrder, run_ids: Collection[str | None]) -> bool:
    return order.last_run_id in {None, order.run_id} and order.run_id not in run_ids
