"""Rows for the tests of the ledger: plain ones by hand, and strategies for any that the schema allows."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.schema import SCHEMA_VERSION, TABLES

__all__ = [
    "NEW_YEAR",
    "RUN_ID",
    "cells",
    "check_dtypes",
    "files_in",
    "rows_of",
    "run_row",
    "sample_row",
    "write_ledger",
]

RUN_ID = "20250101T000000Z-42-0badcafe"

DTYPES = {
    "string": "string",
    "int64": "Int64",
    "float64": "float64",
    "timestamp": "datetime64[us, UTC]",
    "json": "object",
}
NEW_YEAR = 1735689600.0  # 2025-01-01T00:00:00Z

FIRST_MICROSECOND = 0
LAST_MICROSECOND = 4_102_444_800_000_000  # the year 2100: a float holds every microsecond up to there

INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
EPOCH_S = st.integers(FIRST_MICROSECOND, LAST_MICROSECOND).map(lambda microseconds: microseconds / 1e6)

cells: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "int64": INT64,
    "float64": st.floats(allow_nan=False, allow_infinity=False),
    "timestamp": EPOCH_S,
    "json": JSON,
}
"""Values that a column of each kind may hold, beside null."""


possible: dict[str, st.SearchStrategy[Any]] = {
    **cells,
    "int64": st.integers(min_value=0, max_value=2**60),
    "float64": st.floats(min_value=-1e12, max_value=1e12),
}
"""Values that a reader leaves as they are: no size is negative, or above any memory."""


def rows_of(table: str, values: dict[str, st.SearchStrategy[Any]] = cells) -> st.SearchStrategy[dict[str, Any]]:
    """Any row of a table but its run and service, each column known or null."""
    columns = {name: kind for name, kind in TABLES[table].items() if name not in {"run_id", "service"}}
    own = {"schema_version": st.just(SCHEMA_VERSION)}
    return st.fixed_dictionaries(
        {}, optional={name: st.none() | own.get(name, values[kind]) for name, kind in columns.items()}
    )


def run_row(service: str = "api", run_id: str = RUN_ID, **more: Any) -> dict[str, Any]:
    """A row of ``runs`` as a recorder hands it to the writer."""
    return {"run_id": run_id, "service": service, "pid": 42, "started": 1735689600.0, **more}


def sample_row(seq: int, **more: Any) -> dict[str, Any]:
    """One tick a second from 2025-01-01T00:00:00Z on, a kilobyte more each."""
    return {"seq": seq, "timestamp": 1735689600.0 + seq, "elapsed_s": float(seq), "rss_bytes": 1024 * seq, **more}


def check_dtypes(ledger: Ledger) -> None:
    for table, columns in TABLES.items():
        frame = getattr(ledger, table)
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
            name: DTYPES[kind] for name, kind in columns.items()
        }


def write_ledger(root: Path, *, seal: bool) -> None:
    """Two services: ``b`` with a run, and ``a`` with two that lie ten minutes apart."""
    for service, run_id, begin in (("b", "r1", 0), ("a", "r3", 600), ("a", "r2", 0)):
        writer = LedgerWriter(root, run=run_row(service, run_id, started=NEW_YEAR + begin))
        for seq in range(3):
            writer.append("samples", [sample_row(seq, timestamp=NEW_YEAR + begin + seq)])
        writer.append(
            "sites",
            [
                {
                    "seq": 2,
                    "timestamp": NEW_YEAR + begin,
                    "file": "a.py",
                    "line": 3,
                    "traceback": [["m.py", 1], ["a.py", 3]],
                }
            ],
        )
        writer.append("events", [{"timestamp": NEW_YEAR + begin, "kind": "mark", "data": {"note": "<b>"}}])
        writer.append("objects", [{"seq": 2, "timestamp": NEW_YEAR + begin, "type": "dict", "count": 7}])
        writer.close(ended=NEW_YEAR + begin + 60, seal=seal)


def files_in(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
