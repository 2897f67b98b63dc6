"""The variables of a notebook by size: what ``%memwatch vars`` shows."""

from typing import Any

from memanalysis._tables import Column, Table
from memanalysis.capture.variable_sizes import VariableSize, measure_variables
from memanalysis.notebook.shown_table import ShownTable
from memanalysis.units import KIB, NOT_AVAILABLE, format_bytes

__all__ = ["list_variables", "show_variables"]

SMALL_BYTES = 4 * KIB
"""Variables of less are counted and not listed."""

MAX_NAMES = 3
"""Variables that a row names as those that share its memory."""


def list_variables(shell: Any) -> dict[str, Any]:
    """Return what the user's names and ``Out`` hold, without what IPython put there itself."""
    hidden = shell.user_ns_hidden
    names = {
        name: value
        for name, value in list(shell.user_ns.items())
        if not name.startswith("_") and not (name in hidden and hidden[name] is value)
    }
    names.pop("In", None)
    outputs = shell.user_ns.get("_oh")
    if outputs:
        names["Out"] = outputs
    else:
        names.pop("Out", None)
    return names


def show_variables(shell: Any, *, top: int) -> ShownTable:
    """Return the largest variables, each with what it shares with others."""
    found = measure_variables(list_variables(shell), stop_at=(shell.user_ns,))
    listed = [row for row in found.rows if row.size_bytes is None or row.size_bytes >= SMALL_BYTES]
    shown = listed[:top]
    notes = []
    if len(listed) > len(shown):
        more = len(listed) - len(shown)
        notes.append(f"{more} more {'variable' if more == 1 else 'variables'}: %memwatch vars --top {len(listed)}")
    if len(found.rows) > len(listed):
        small = len(found.rows) - len(listed)
        notes.append(f"{small} {'holds' if small == 1 else 'hold'} less than {format_bytes(SMALL_BYTES)} each.")
    if any(row.is_estimate for row in shown):
        notes.append("\u2248 is estimated from a sample of the elements.")
    if not found.is_complete:
        missing = [row.name for row in found.rows if row.size_bytes is None]
        names = f" Not measured: {', '.join(missing)}." if missing else ""
        notes.append(f"Stopped after {found.took_s:.1f} s: \u2265 is what was found until then.{names}")
    count = len(found.rows)
    return ShownTable(
        headline=f"{count} {'variable holds' if count == 1 else 'variables hold'} {format_bytes(found.total_bytes)}; "
        "what several share is counted once.",
        table=Table(
            [Column("variable", "code"), Column("size", "number"), Column("type"), Column("shared")],
            [[row.name, _size(row), row.type, _shared(row)] for row in shown],
            label="Variables",
        ),
        notes=notes,
    )


def _size(row: VariableSize) -> str:
    if row.size_bytes is None:
        return NOT_AVAILABLE
    sign = "" if row.is_complete else "\u2265 "
    return (sign or ("\u2248 " if row.is_estimate else "")) + format_bytes(row.size_bytes)


def _shared(row: VariableSize) -> str:
    if not row.shared_with:
        return ""
    more = len(row.shared_with) - MAX_NAMES
    names = ", ".join(name for name, _ in row.shared_with[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
    return f"{format_bytes(row.shared_bytes)} with {names}"
