"""What became worse or better, between two ledgers, at a mark or from release to release? With the rows."""

from typing import Any

from memanalysis.assistant.answer_text import ToolError, fit_answer, plain_value, quote_name
from memanalysis.assistant.questions import AskCompare
from memanalysis.assistant.served_ledgers import ServedLedgers, name_place, refer_to
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.verdicts.compare import choose_sides, compare_sides
from memanalysis.verdicts.comparison_sides import Side, find_releases
from memanalysis.verdicts.run_ends import read_runs

__all__ = ["give_comparison"]

NUMBERS = ("before", "after", "change", "low", "high", "p_value", "runs_before", "runs_after")

MAX_KNOWN = 10


def give_comparison(served: ServedLedgers, question: AskCompare) -> str:
    """Return level, growth and lines of each service on both sides; what changed comes first."""
    ledger = served.find_ledger(question.ledger)
    sides = _find_sides(served, ledger, question)
    if question.service is not None:
        service = served.find_service(ledger, question.service)
        sides = (_of_service(sides[0], service), _of_service(sides[1], service))
    changes = compare_sides(*sides)
    changes = changes.assign(is_same=changes["verdict"].eq("same")).sort_values("is_same", kind="stable")

    def make(place: int) -> dict[str, Any]:
        row = changes.iloc[place]
        table = "sites" if row["what"] == "site_bytes" else "samples"
        rows = [getattr(_of_service(side, row["service"]), table) for side in sides]
        return {
            "service": quote_name(row["service"]),
            "what": row["what"],
            "verdict": row["verdict"],
            **{name: plain_value(row[name]) for name in NUMBERS},
            **(name_place(row) or {}),
            "before_from": refer_to(table, rows[0]),
            "after_from": refer_to(table, rows[1]),
        }

    head = {"changed": int((~changes["is_same"]).sum())}
    return fit_answer(head, "comparisons", make, count=len(changes), offset=question.offset)


def _find_sides(served: ServedLedgers, ledger: Ledger, question: AskCompare) -> tuple[Side, Side]:
    given = [question.other_ledger is not None, question.mark is not None, question.releases is not None]
    if sum(given) != 1:
        raise ToolError("compare needs one of other_ledger, mark and releases, and only one.")
    if question.other_ledger is not None:
        return choose_sides(ledger, served.find_ledger(question.other_ledger))
    releases = None if question.releases is None else (question.releases[0], question.releases[1])
    try:
        return choose_sides(ledger, mark=question.mark, release=releases)
    except InvalidArgumentError as exc:  # its text has names of the ledger
        what, known = ("marks", _list_marks(ledger)) if releases is None else ("releases", _list_releases(ledger))
        raise ToolError(
            f"The ledger cannot be cut there: it has no such {what}, or both are the same.",
            asked=[quote_name(name) for name in releases or (question.mark,)],
            **{what: [quote_name(name) for name in known[:MAX_KNOWN]]},
        ) from exc


def _list_marks(ledger: Ledger) -> list[str]:
    events = ledger.read("events", columns=["kind", "message"])
    marks = events.loc[events["kind"].eq("mark").fillna(value=False).astype(bool), "message"]
    return sorted(marks.dropna().unique())


def _list_releases(ledger: Ledger) -> list[str]:
    return list(dict.fromkeys(find_releases(read_runs(ledger))["name"].dropna()))


def _of_service(side: Side, service: str) -> Side:
    samples, sites = (
        rows[rows["service"].eq(service).fillna(value=False).astype(bool)] for rows in (side.samples, side.sites)
    )
    return Side(samples, sites)
