"""Read the rows of one run at a time: a report on many services never holds the samples of all of them as a frame."""

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from memanalysis.ledger.arrow import conform_table
from memanalysis.ledger.reading.dataframes import frame_from_table, key_columns, sort_rows
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import LedgerPart
from memanalysis.schema import BUDGET_METRICS, TABLES
from memanalysis.verdicts.part_verdicts import JUDGED_COLUMNS, of_run

__all__ = ["RunReader"]

_SHOWN_COLUMNS = {*JUDGED_COLUMNS, *(column for columns in BUDGET_METRICS.values() for column in columns)}
"""The columns of ``samples`` that a report shows: what is judged, and what budgets may be for."""


class RunReader:
    """Reads the tables of a ledger run by run, with the columns that a report shows.

    Of a folder only the files of a run are read. A single file is read once, for all runs that are wanted, as it would
    have to be read in whole for each; its rows stay in Arrow, which takes less memory than a frame.

    Parameters
    ----------
    ledger : Ledger
    run_ids : collection of str or None
        The runs that will be wanted; None among them, or NA, are rows without a run.
    """

    def __init__(self, ledger: Ledger, *, run_ids: Collection[Any]) -> None:
        self._ledger = ledger
        self._run_ids = tuple(dict.fromkeys(_or_none(run_id) for run_id in run_ids))
        self._wanted: dict[str, pa.Table] = {}

    def run(self, table: str, service: str | None, run_id: str | None) -> pd.DataFrame:
        """Rows of one run of one service, by time."""
        columns = [name for name in TABLES[table] if name in _SHOWN_COLUMNS or table != "samples"]
        if self._ledger.reads_by_service and not pd.isna(service):
            part = LedgerPart(run_ids=(_or_none(run_id),))
            frame = self._ledger.read(table, columns=columns, services=[service], part=part)
        else:
            frame = frame_from_table(self._take(table, columns, service, run_id), table, columns)
        return of_run(frame, service, run_id)

    def _take(self, table: str, columns: Sequence[str], service: str | None, run_id: str | None) -> pa.Table:
        """Take the rows of a run out of those that were read for all."""
        read = list(dict.fromkeys([*columns, *key_columns(table)]))
        if table not in self._wanted:
            part = LedgerPart(run_ids=self._run_ids)
            self._wanted[table] = self._ledger.read_unordered(table, columns=read, part=part)
        rows = self._wanted[table]
        for name, wanted in (("service", _or_none(service)), ("run_id", _or_none(run_id))):
            if name in rows.column_names:  # without it, it is unknown of each row, as of the run that is wanted
                rows = rows.filter(pc.is_null(rows[name]) if wanted is None else pc.equal(rows[name], wanted))
        return sort_rows(conform_table(rows, table, name=self._ledger.path, columns=read))


def _or_none(run_id: Any) -> str | None:
    return None if pd.isna(run_id) else str(run_id)
