"""The rows themselves, by which every number of another answer can be checked."""

import json
from typing import Any

import pandas as pd

from memanalysis.assistant.answer_text import ToolError, fit_answer, plain_value, quote_name, quote_text
from memanalysis.assistant.questions import AskRows
from memanalysis.assistant.served_ledgers import ServedLedgers, read_run
from memanalysis.schema import TABLES

__all__ = ["give_rows"]


def give_rows(served: ServedLedgers, question: AskRows) -> str:
    """Return rows of one run, in the order of time."""
    ledger = served.find_ledger(question.ledger)
    service = served.find_service(ledger, question.service)
    known = TABLES[question.table]
    unknown = [name for name in question.columns or () if name not in known]
    if unknown:
        raise ToolError(
            f"The table {question.table} has no such columns.",
            asked=[quote_name(name) for name in unknown[:3]],
            columns=list(known),
        )
    run_id = served.find_run(ledger, service, question.run_id)
    rows = _cut(read_run(ledger, question.table, service, run_id), question)
    columns = question.columns or [name for name in known if name not in ("service", "run_id")]

    def make(place: int) -> dict[str, Any]:
        row = rows.iloc[place]
        return {name: _show_cell(row[name], known[name]) for name in columns}

    head = {"table": question.table, "service": quote_name(service), "run_id": quote_name(run_id)}
    return fit_answer(head, "rows", make, count=len(rows), offset=question.offset)


def _cut(rows: pd.DataFrame, question: AskRows) -> pd.DataFrame:
    for bound, is_first in ((question.first_seq, True), (question.last_seq, False)):
        if bound is not None:
            if "seq" not in rows:
                raise ToolError(f"The table {question.table} has no seq. Use since and until.")
            is_wanted = rows["seq"] >= bound if is_first else rows["seq"] <= bound
            rows = rows[is_wanted.fillna(value=False).astype(bool)]
    times = "started" if question.table == "runs" else "timestamp"
    for text, is_first in ((question.since, True), (question.until, False)):
        if text is not None:
            moment = _parse_moment(text)
            is_wanted = rows[times] >= moment if is_first else rows[times] <= moment
            rows = rows[is_wanted.fillna(value=False).astype(bool)]
    return rows


def _parse_moment(text: str) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(text)
    except (ValueError, TypeError, OverflowError):
        moment = pd.NaT  # type: ignore[assignment]
    if pd.isna(moment):
        raise ToolError("since and until need a moment such as 2026-11-01T08:00:00Z.", asked=quote_name(text))
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")


def _show_cell(cell: Any, kind: str) -> Any:
    if kind == "json":
        is_there = isinstance(cell, list | tuple | dict) or not pd.isna(cell)
        return quote_text(json.dumps(cell, default=str)) if is_there else None
    return quote_text(cell, keeps_end=True) if kind == "string" else plain_value(cell, is_exact=True)
