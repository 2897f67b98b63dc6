"""Read sealed files of this machine through Arrow's data sets: many at once, and of each only some row groups."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from memanalysis import schema
from memanalysis.ledger.arrow import arrow_schema
from memanalysis.ledger.reading.file_sources import ScanRequest
from memanalysis.ledger.reading.footers import Footer, find_groups_of_runs, read_spans
from memanalysis.ledger.reading.impossible_values import Removed, null_impossible

__all__ = ["has_promised_columns", "make_fragment", "narrow_fragment", "read_fragments"]

_FORMAT = ds.ParquetFileFormat()
_LOCAL = LocalFileSystem()


def make_fragment(name: str) -> Any:
    """Return a file as a fragment of a data set, whose rows are read later."""
    return _FORMAT.make_fragment(str(Path(name).absolute()), _LOCAL)


def has_promised_columns(fragment: Any, footer: Footer, wanted: pa.Schema) -> bool:
    """Return whether a file has those columns as they are promised, so that it needs no looking after."""
    if footer.version != schema.SCHEMA_VERSION:
        return False
    found = dict(zip(fragment.physical_schema.names, fragment.physical_schema.types, strict=True))
    return all(found.get(field.name) == field.type for field in wanted)


def narrow_fragment(fragment: Any, metadata: pq.FileMetaData, table: str, request: ScanRequest) -> Any:
    """Leave out the row groups that lie outside the time asked for, or hold none of the runs."""
    run_ids = request.part.run_ids
    if request.since is None and request.until is None and run_ids is None:
        return fragment
    groups = [
        number
        for number, span in enumerate(read_spans(metadata, table))
        if not (request.since is not None and span.last is not None and span.last < request.since)
        and not (request.until is not None and span.first is not None and span.first >= request.until)
    ]
    if run_ids is not None:
        groups = sorted(set(groups) & set(find_groups_of_runs(metadata, run_ids)))
    return fragment if len(groups) == metadata.num_row_groups else fragment.subset(row_group_ids=groups)


def read_fragments(fragments: Sequence[Any], table: str, columns: Sequence[str], removed: Removed) -> pa.Table:
    """Return the rows of fragments; values that cannot be become null and are counted in ``removed``."""
    wanted = arrow_schema(table, columns)
    found = ds.FileSystemDataset(fragments, wanted, _FORMAT, _LOCAL).to_table(columns=wanted.names)
    return null_impossible(found, table, removed)
