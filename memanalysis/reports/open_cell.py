"""Which notebook cell ran when the record of a run ends: where a killed kernel died."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from memanalysis._text import make_printable

__all__ = ["OpenCell", "find_open_cell"]

_KINDS = ("cell_start", "cell_line", "cell")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCell:
    """A cell that began in a run and did not end in it.

    Parameters
    ----------
    cell, source : str
        ``In[5]`` and what stands in it, as far as it was recorded.
    line : int or None
        Of the cell: the one under which memory grew most; None is unknown.
    text : str
        Of that line.
    grown_bytes : int or None
        By how much memory grew under it.
    """

    cell: str
    source: str
    line: int | None
    text: str
    grown_bytes: int | None = None

    def name_line(self) -> str:
        """Return the line as a place; the cell, where it is not known."""
        return make_printable(self.cell if self.line is None else f"line {self.line} of {self.cell}")

    def describe(self) -> str:
        """Return it in one line."""
        where = "" if self.line is None else f", at line {self.line}: {make_printable(self.text)}"
        return f"{make_printable(self.cell)}, which ran when the record ends{where}"


def find_open_cell(events: pd.DataFrame, *, has_source: bool = True) -> OpenCell | None:
    """Return the cell that ran when the record of a run ends; None where none did.

    Parameters
    ----------
    events : DataFrame
        Those of one run.
    has_source : bool
        Whether the source of the cell may be shown.
    """
    cells = events[events["kind"].isin(_KINDS)].sort_values("timestamp", kind="stable")
    if cells.empty or cells["kind"].iloc[-1] == "cell":
        return None
    last = _data_of(cells.iloc[-1])
    starts = cells[cells["kind"] == "cell_start"]
    start = {} if starts.empty else _data_of(starts.iloc[-1])
    line, grown = last.get("line"), last.get("grown_bytes")
    return OpenCell(
        cell=str(last.get("cell", "a cell")),
        source=str(start.get("source", "")) if has_source else "",
        line=line if isinstance(line, int) and has_source else None,
        text=str(last.get("text", "")) if has_source else "",
        grown_bytes=grown if isinstance(grown, int) else None,
    )


def _data_of(event: Mapping[Any, Any] | pd.Series) -> Mapping[str, Any]:
    data = event["data"]
    return data if isinstance(data, Mapping) else {}
