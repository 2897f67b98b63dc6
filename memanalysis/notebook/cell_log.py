"""The cells that were watched or measured, as objects and as a DataFrame: what each took, and how often it ran."""

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, overload

from memanalysis._tables import Column, Table
from memanalysis.errors import InvalidArgumentError
from memanalysis.notebook.lines import DEEP_LIBRARIES
from memanalysis.notebook.measure import CellCost
from memanalysis.notebook.passive import CellEvent
from memanalysis.notebook.shown_table import ShownTable
from memanalysis.units import NOT_AVAILABLE, format_bytes, format_duration

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CellLog", "CellRecord", "cells", "compare_cells", "first_line", "make_record", "source_identity"]

MAX_CELLS = 1000
"""Cells that are held; the ledger has them all."""

_FIRST_LINE = re.compile(r"\s*%%memwatch[^\n]*\n")
_LABEL = re.compile(r"(?:In\[)?(\d+)\]?")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CellRecord:
    """What one run of a cell did; None is unknown.

    Parameters
    ----------
    cell : str
        ``In[3]``.
    source : str
        The cell as it was typed.
    started : datetime
        When it began, UTC.
    run_number : int
        How many times this source has run, this time included.
    rss_before_bytes, rss_peak_bytes, rss_after_bytes : int or None
        Resident memory before it, at its highest, and after it.
    retained_bytes : int or None
        What Python allocated in it and still holds; known of measured and of traced cells.
    peak_line : str or None
        The line that held most at the peak, such as ``In[3]:2``; known of measured cells.
    bytes_per_run : float or None
        What the cell keeps each time it runs, where that is established.
    cost : CellCost or None
        Everything that ``%%memwatch`` measured.
    """

    cell: str
    source: str
    started: datetime
    run_number: int
    seconds: float
    error: str | None
    rss_before_bytes: int | None
    rss_peak_bytes: int | None
    rss_after_bytes: int | None
    retained_bytes: int | None
    peak_line: str | None
    bytes_per_run: float | None = None
    cost: CellCost | None = None

    @property
    def rise_bytes(self) -> int | None:
        """How far resident memory rose above where the cell began."""
        rise = _difference(self.rss_before_bytes, self.rss_peak_bytes)
        return None if rise is None else max(rise, 0, self.net_bytes or 0)

    @property
    def net_bytes(self) -> int | None:
        """Change of resident memory over the cell: what it added, less what it let go of."""
        return _difference(self.rss_before_bytes, self.rss_after_bytes)

    @property
    def is_measured(self) -> bool:
        """Whether the cell ran under ``%%memwatch``."""
        return self.cost is not None

    def _show(self) -> ShownTable:
        rows = [[name, text] for name, text in _describe(self)]
        return ShownTable(
            headline=f"{self.cell}, run {self.run_number}: {first_line(self.source)}",
            table=Table([Column(""), Column("", "number")], rows, label=self.cell),
        )

    def __repr__(self) -> str:
        return repr(self._show())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        return self._show()._repr_html_()


class CellLog(Sequence[CellRecord]):
    """The last cells that were watched or measured, the newest last: ``cells[-1]``, or by label ``cells["In[3]"]``."""

    def __init__(self) -> None:
        self._records: deque[CellRecord] = deque(maxlen=MAX_CELLS)
        self._runs: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, place: int | str) -> CellRecord: ...
    @overload
    def __getitem__(self, place: slice) -> list[CellRecord]: ...
    def __getitem__(self, place: int | slice | str) -> CellRecord | list[CellRecord]:
        if isinstance(place, str):
            return self.find(place)
        return list(self._records)[place] if isinstance(place, slice) else self._records[place]

    def __iter__(self) -> Iterator[CellRecord]:
        return iter(tuple(self._records))

    def __repr__(self) -> str:
        return f"<{len(self)} watched or measured cells; %memwatch log shows them>"

    def add(self, record: CellRecord) -> CellRecord:
        """Add a record, and return it with the number of its run."""
        identity = source_identity(record.source)
        self._runs[identity] += 1
        numbered = replace(record, run_number=self._runs[identity])
        self._records.append(numbered)
        return numbered

    def replace_last(self, record: CellRecord) -> None:
        """Put a record in the place of the newest."""
        self._records[-1] = record

    def find(self, label: str) -> CellRecord:
        """Return the newest record of a cell by its label, ``In[3]`` or ``3``.

        Raises
        ------
        InvalidArgumentError
            No such cell was watched or measured.
        """
        match = _LABEL.fullmatch(label.strip())
        wanted = f"In[{match[1]}]" if match else label
        found = next((record for record in reversed(self._records) if record.cell == wanted), None)
        if found is None:
            known = ", ".join(record.cell for record in list(self._records)[-8:]) or "none yet"
            raise InvalidArgumentError(f"{label} was neither watched nor measured. The last that were: {known}.")
        return found

    def to_frame(self) -> "pd.DataFrame":
        """Return the cells as a DataFrame, one row a run, the oldest first."""
        import pandas as pd

        return pd.DataFrame(
            {
                name: pd.Series([getattr(record, name) for record in self], dtype=dtype)
                for name, dtype in _COLUMNS.items()
            }
        )


_COLUMNS = {
    "cell": "object",
    "run_number": "Int64",
    "source": "object",
    "started": "datetime64[us, UTC]",
    "seconds": "float64",
    "rss_peak_bytes": "Int64",
    "rise_bytes": "Int64",
    "retained_bytes": "Int64",
    "net_bytes": "Int64",
    "peak_line": "object",
    "bytes_per_run": "float64",
    "is_measured": "bool",
    "error": "object",
}
"""Columns of the DataFrame and their types: unknown bytes are ``<NA>``, and no whole number becomes a fraction."""

cells = CellLog()
"""The cells of this process; ``memanalysis.cells``."""


def make_record(
    *, cell: str, source: str, started: datetime, event: CellEvent | None, cost: CellCost | None, error: str | None
) -> CellRecord:
    """Put together what watching and measuring show of one run of a cell; the measurement comes first."""
    rss = (
        (cost.rss.before, cost.rss.peak, cost.rss.after)
        if cost is not None
        else (event.rss_before_bytes, event.rss_peak_bytes, event.rss_after_bytes)
        if event is not None
        else (None, None, None)
    )
    retained = cost.retained_bytes if cost is not None else None if event is None else event.traced_retained_bytes
    seconds = cost.seconds if cost is not None else 0.0 if event is None else event.seconds
    return CellRecord(
        cell=cell,
        source=source,
        started=started.astimezone(UTC),
        run_number=1,
        seconds=seconds,
        error=error,
        rss_before_bytes=rss[0],
        rss_peak_bytes=max((size for size in rss[1:] if size is not None), default=None),
        rss_after_bytes=rss[2],
        retained_bytes=retained,
        peak_line=None if cost is None else _find_peak_line(cost),
        cost=cost,
    )


def source_identity(source: str) -> str:
    """Return the source without the line that measures it: measured or not, it is the same cell."""
    return _FIRST_LINE.sub("", source, count=1).strip()


def first_line(source: str) -> str:
    """Return the first line of a cell that does something."""
    lines = (line.strip() for line in source_identity(source).splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def compare_cells(first: CellRecord, second: CellRecord) -> ShownTable:
    """Return the figures of two runs beside each other, and how they differ."""
    rows = [
        [name, before, after, _describe_change(first, second, name)]
        for (name, before), (_, after) in zip(_describe(first), _describe(second), strict=True)
    ]
    is_same = source_identity(first.source) == source_identity(second.source)
    sources = [f"{record.cell}: {first_line(record.source)}" for record in (first, second)]
    columns = [Column(""), *(Column(title, "number") for title in (first.cell, second.cell, "change"))]
    return ShownTable(
        headline=f"{first.cell} and {second.cell}" + (", two runs of one source." if is_same else "."),
        table=Table(columns, rows, label="Two cells"),
        notes=[] if is_same else sources,
    )


_SIZES = {
    "rose by up to": "rise_bytes",
    "retained": "retained_bytes",
    "resident change": "net_bytes",
    "resident after": "rss_after_bytes",
}


def _describe(record: CellRecord) -> list[tuple[str, str]]:
    sizes = {name: getattr(record, attribute) for name, attribute in _SIZES.items()}
    return [
        ("time", _seconds(record.seconds)),
        *((name, format_bytes(size, sign=name == "resident change")) for name, size in sizes.items()),
        ("line of the peak", record.peak_line or NOT_AVAILABLE),
        ("ended", record.error or "well"),
    ]


def _describe_change(first: CellRecord, second: CellRecord, name: str) -> str:
    if name == "time":
        return f"{second.seconds / first.seconds:.2f}x" if first.seconds > 0 else ""
    if name not in _SIZES:
        return ""
    change = _difference(getattr(first, _SIZES[name]), getattr(second, _SIZES[name]))
    return "" if change is None else format_bytes(change, sign=True)


def _seconds(seconds: float) -> str:
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 60 else format_duration(seconds)


def _find_peak_line(cost: CellCost) -> str | None:
    """Return the line that held most at the highest moment that was seen."""
    held = (line.place for line in cost.lines if line.place.file != DEEP_LIBRARIES and line.highest_bytes > 0)
    place = next(held, cost.memory.peak_place)
    return None if place is None else f"{place.file}:{place.line}"


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
