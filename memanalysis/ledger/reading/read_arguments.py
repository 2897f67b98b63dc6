"""Check the arguments of `Ledger.read`: a table, its columns, and moments."""

from collections.abc import Collection, Sequence
from datetime import datetime

from memanalysis.errors import InvalidArgumentError, MissingColumnError
from memanalysis.ledger.reading.dataframes import key_columns
from memanalysis.ledger.reading.ledger_part import LedgerPart
from memanalysis.ledger.values import microseconds_from
from memanalysis.schema import TABLES

__all__ = ["find_order_columns", "list_needed", "parse_bound"]


def list_needed(table: str, columns: Sequence[str] | None, *, timed: bool) -> list[str]:
    """Return the columns that a read needs: those that are asked for, and those that give the order.

    Raises
    ------
    InvalidArgumentError
        There is no such table.
    MissingColumnError
        The table has no such column.
    """
    if table not in TABLES:
        raise InvalidArgumentError(
            f"Ledger.read needs a table of {list(TABLES)}, but got {table!r}. Name one of these."
        )
    known = list(TABLES[table])
    if columns is None:
        return known
    unknown = [column for column in columns if column not in known]
    if isinstance(columns, str) or unknown:
        raise MissingColumnError(
            f"Ledger.read needs columns of {table!r}, {known}, but got {columns!r}. Name some of these."
        )
    wanted = {*columns, *key_columns(table)}
    if timed and table == "runs":
        wanted.add("ended")
    return [column for column in known if column in wanted]


def find_order_columns(
    table: str,
    columns: Sequence[str] | None,
    *,
    services: Collection[str] | None,
    since: int | None,
    until: int | None,
    part: LedgerPart,
) -> set[str]:
    """Return the columns of the order that nobody asked for and no filter uses."""
    used = set(TABLES[table] if columns is None else columns)
    if services is not None:
        used.add("service")
    if part.run_ids is not None:
        used.add("run_id")
    if since is not None or until is not None:
        used |= {"timestamp", "started"}
    return set(key_columns(table)) - used


def parse_bound(name: str, moment: float | str | datetime | None) -> int | None:
    """Return a moment in microseconds; None for none.

    Raises
    ------
    InvalidArgumentError
        It is no moment.
    """
    if moment is None:
        return None
    try:
        microseconds = microseconds_from(moment)
    except (ValueError, TypeError, OverflowError) as exc:
        raise InvalidArgumentError(
            f"Ledger.read needs {name} as epoch seconds, ISO 8601 text or a datetime, but got {moment!r}. "
            "Pass one of these."
        ) from exc
    if microseconds is None:
        raise InvalidArgumentError(f"Ledger.read needs a finite {name}, but got {moment!r}. Leave it out for no bound.")
    return microseconds
