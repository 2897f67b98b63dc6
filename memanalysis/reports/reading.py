"""Read the rows of one run at a time: a report on many services never holds the samples of all of them as a frame."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from memanalysis.ledger.reading.dataframes import frame_from_table
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.schema import BUDGET_METRICS, TABLES
from memanalysis.verdicts.part_verdicts import JUDGED_COLUMNS, of_run

__all__ = ["ServiceReader"]

_SHOWN_COLUMNS = {*JUDGED_COLUMNS, *(column for columns in BUDGET_METRICS.values() for column in columns)}
"""The columns of ``samples`` that a report shows: what is judged, and what budgets may be for."""


class ServiceReader:
    """Reads the tables of a ledger service by service, with the columns that a report shows.

    A folder is read again for each service. A single file is read once, because it would have to be read in whole for
    each service; its rows stay in Arrow, which takes less memory than a frame.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._whole: dict[str, pa.Table] = {}

    def run(self, table: str, service: str | None, run_id: str | None) -> pd.DataFrame:
        """Rows of one run of one service, by time."""
        columns = [name for name in TABLES[table] if name in _SHOWN_COLUMNS or table != "samples"]
        if self._ledger.reads_by_service and not pd.isna(service):
            frame = self._ledger.read(table, columns=columns, services=[service])
        else:
            if table not in self._whole:
                self._whole[table] = self._ledger.read_arrow(table, columns=columns)
            rows = self._whole[table]
            is_of = pc.is_null(rows["service"]) if pd.isna(service) else pc.equal(rows["service"], service)
            frame = frame_from_table(rows.filter(is_of), table, columns)
        return of_run(frame, service, run_id)
