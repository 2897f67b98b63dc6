"""The ledgers that were named on the command line, and the service and the run in them that a question names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from memanalysis.assistant.answer_text import ToolError, plain_value, quote_name, quote_text
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.policy.model import Policy
from memanalysis.verdicts.part_verdicts import of_run
from memanalysis.verdicts.run_selection import find_latest
from memanalysis.verdicts.run_spans import read_spans

__all__ = ["ServedLedgers", "name_place", "read_run", "refer_to"]

MAX_KNOWN = 10
"""Names that an error lists."""


@dataclass(frozen=True, slots=True)
class ServedLedgers:
    """What may be asked about.

    Parameters
    ----------
    ledgers : sequence of Ledger
        By the number that a question gives.
    policy : Policy or None
        The budgets.
    """

    ledgers: Sequence[Ledger]
    policy: Policy | None

    def find_ledger(self, number: int) -> Ledger:
        """Return a ledger by its number."""
        if not 0 <= number < len(self.ledgers):
            raise ToolError(f"There is no ledger {number}: they have the numbers 0 to {len(self.ledgers) - 1}.")
        return self.ledgers[number]

    def find_service(self, ledger: Ledger, name: str) -> str:
        """Return the whole name of a service, which is given whole or as an answer shows it."""
        return _find_named(name, ledger.services, what="service", cure="list_services gives the names")

    def find_run(self, ledger: Ledger, service: str, run_id: str | None) -> str | None:
        """Return the whole name of a run of a service; of its latest run where none is named."""
        spans = read_spans(ledger, services=[service])
        if run_id is None:
            latest = find_latest(spans)
            if latest.empty:
                raise ToolError("This service has no samples.", service=quote_name(service))
            first = latest["run_id"].iloc[0]
            return None if pd.isna(first) else str(first)
        known = [str(name) for name in spans["run_id"].dropna()]
        return _find_named(run_id, known, what="run_id", cure="list_runs gives those of a service")


def read_run(
    ledger: Ledger, table: str, service: Any, run_id: Any, *, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the rows of one run, in the order of time."""
    wanted = None if columns is None else list(dict.fromkeys(["service", "run_id", *columns]))
    services = None if pd.isna(service) else [service]
    return of_run(ledger.read(table, columns=wanted, services=services), service, run_id)


def refer_to(table: str, rows: pd.DataFrame, columns: Iterable[str] = ()) -> dict[str, Any]:
    """Return where numbers come from: the table, the run, and the first and the last of the rows by number and time.

    Parameters
    ----------
    table : str
    rows : DataFrame
        With ``run_id``, ``timestamp`` and perhaps ``seq``.
    columns : iterable of str
        Those that the numbers were made from.
    """
    run_ids = rows["run_id"].dropna().unique()
    reference: dict[str, Any] = {"table": table, "rows": len(rows)}
    if len(run_ids) == 1:
        reference["run_id"] = quote_name(run_ids[0])
    else:
        reference["runs"] = len(run_ids)
    for name, column in (("seq", "seq"), ("time", "timestamp")):
        if column not in rows or (name == "seq" and len(run_ids) > 1):  # each run counts its own
            continue
        known = rows[column].dropna()
        if len(known):
            reference[name] = [plain_value(known.min()), plain_value(known.max())]
    if columns := list(columns):
        reference["columns"] = columns
    return reference


def name_place(row: "Mapping[Any, Any] | pd.Series[Any]", *, prefix: str = "") -> dict[str, Any] | None:
    """Return file, line and function of a row; None where no file is known."""
    if pd.isna(row[f"{prefix}file"]):
        return None
    return {
        "file": quote_text(row[f"{prefix}file"], keeps_end=True),
        "line": plain_value(row[f"{prefix}line"]),
        "function": quote_name(row[f"{prefix}function"]),
    }


def _find_named(name: str, known: Sequence[str], *, what: str, cure: str) -> str:
    if name in known:
        return name
    found = [each for each in known if quote_name(each) == name]
    if len(found) != 1:
        problem = f"Several have this {what}" if found else f"There is no such {what}"
        raise ToolError(
            f"{problem}: {cure}.", asked=quote_name(name), known=[quote_name(each) for each in known[:MAX_KNOWN]]
        )
    return found[0]
