"""The frame of verdicts as the steps pass it, and the table of pandas that users get: one from the other."""

from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.verdict import VERDICT_COLUMNS, VERDICT_DTYPES, Reason, VerdictFrame

__all__ = ["frame_from_table", "table_from_frame"]


def table_from_frame(frame: VerdictFrame, *, index: "pd.Index[Any] | None" = None) -> pd.DataFrame:
    """Return the table with ``VERDICT_COLUMNS``; what only the steps need is left out."""
    frame = {"has_ended": np.zeros(len(frame["reasons"]), dtype=bool)} | frame
    # What is None in between stays an object: pandas would make it text with NaN.
    columns = {
        name: pd.Series(column, index=index, dtype=object if VERDICT_DTYPES.get(name) == "object" else None)
        for name, column in (frame | {"reasons": _join_codes(frame["reasons"])}).items()
        if name in VERDICT_COLUMNS
    }
    return pd.DataFrame(columns)[list(VERDICT_COLUMNS)].astype(VERDICT_DTYPES)


def frame_from_table(table: pd.DataFrame) -> VerdictFrame:
    """Return the columns of a table of verdicts as the steps take them."""
    frame: VerdictFrame = {
        str(name): _as_objects(column) if _may_be_unknown(column) else column.to_numpy()
        for name, column in table.items()
    }
    reasons = np.empty(len(table), dtype=object)
    reasons[:] = [tuple(map(Reason, text.split())) for text in table["reasons"]]
    return frame | {"reasons": reasons}


def _join_codes(reasons: Any) -> Any:
    joined = {codes: " ".join(codes) for codes in set(reasons)}
    column = np.empty(len(reasons), dtype=object)
    column[:] = [joined[codes] for codes in reasons]
    return column


def _may_be_unknown(column: "pd.Series[Any]") -> bool:
    """Return whether it is text or nullable numbers, whose unknown cells are None for the steps."""
    return not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "biuf"


def _as_objects(column: "pd.Series[Any]") -> Any:
    return column.astype(object).where(column.notna(), None).to_numpy()
