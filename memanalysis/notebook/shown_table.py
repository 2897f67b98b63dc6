"""An answer of ``%memwatch`` that is a table: as HTML in a notebook, as text in a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memanalysis._tables import Table, render_text_table

__all__ = ["ShownTable"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ShownTable:
    """A headline, a table below it, and notes below that."""

    headline: str
    table: Table
    notes: Sequence[str] = ()

    def __repr__(self) -> str:
        rows = [render_text_table(self.table)] if self.table.rows else []
        return "\n".join([self.headline, *rows, *self.notes])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        from memanalysis._html import render_template

        return str(render_template("shown_table.html.j2", shown=self))
