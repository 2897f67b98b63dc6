"""The frame of verdicts as the steps pass it, and the table of pandas that users get: one from the other."""

from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.verdict import VERDICT_COLUMNS, VERDICT_DTYPES, Reason, VerdictFrame

__all__ = ["frame_from_table", "table_from_frame"]


def table_from_frame(frame: VerdictFrame, *, index: "pd.Index[Any] | None" = None) -> pd.DataFrame:
    """Return the table with ``VERDICT_COLUMNS``; what only the steps need is left out."""
    frame = {"has_ended": np.zeros(len(frame["reasons"]), dtype=bool)} | frame
    columns = frame | {"reasons": _join_codes(frame["reasons"])}
    # Each column is made with its type: to change the types of a whole frame takes ten times as long.
    typed = {name: _with_type(columns[name], VERDICT_DTYPES.get(name), index) for name in VERDICT_COLUMNS}
    return pd.DataFrame(typed, index=index)


def frame_from_table(table: pd.DataFrame) -> VerdictFrame:
    """Return the columns of a table of verdicts as the steps take them."""
    frame: VerdictFrame = {
        str(name): _as_objects(column) if _may_be_unknown(column) else column.to_numpy()
        for name, column in table.items()
    }
    reasons = np.empty(len(table), dtype=object)
    reasons[:] = [tuple(map(Reason, text.split())) for text in table["reasons"]]
    return frame | {"reasons": reasons}


def _with_type(column: Any, dtype: str | None, index: "pd.Index[Any] | None") -> Any:
    """Return a column of that type, which pandas finds out where it is not named."""
    if dtype == "object":  # in a series it stays one: pandas would make it text, with NaN for None
        return pd.Series(column, index=index, dtype=object)
    if dtype == "Int64":
        return pd.array(column, dtype=dtype)
    return column if dtype is None else np.asarray(column, dtype=dtype)


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
