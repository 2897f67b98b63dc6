"""Does it leak? The verdicts as `assess` gives them, each with the rows that it was made from."""

from typing import Any

import pandas as pd

from memanalysis.analysis.verdict import Reason
from memanalysis.assistant.answer_text import fit_answer, plain_value, quote_name, quote_text
from memanalysis.assistant.questions import AboutServices
from memanalysis.assistant.served_ledgers import ServedLedgers, name_place, read_run, refer_to
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.reports.headline import order_verdicts
from memanalysis.verdicts.assess import judge_ledger
from memanalysis.verdicts.run_ends import rewrite_sentences
from memanalysis.verdicts.run_selection import RunSelection
from memanalysis.verdicts.unreadable import is_unreadable

__all__ = ["give_verdicts"]

NUMBERS = (
    "slope_bytes_per_s", "low_bytes_per_s", "high_bytes_per_s", "growth_bytes", "onset_s", "latest_bytes",
    "limit_bytes", "time_to_exhaustion_s", "process_count", "growing_count", "growth_count", "slope_count_per_s",
    "n_samples", "judged_s",
)  # fmt: skip
"""Columns of the verdict frame that are given, under their own names."""

MAX_CHAIN_BYTES = 160
MAX_REASON_BYTES = 200


def give_verdicts(served: ServedLedgers, question: AboutServices) -> str:
    """Return the verdicts, the worst first."""
    ledger = served.find_ledger(question.ledger)
    services = None if question.service is None else [served.find_service(ledger, question.service)]
    selection = RunSelection(services=services, only_latest=not question.all_runs)
    found = order_verdicts(judge_ledger(ledger, served.policy, selection).verdicts).reset_index(drop=True)
    unreadable = is_unreadable(found)
    verdicts = _without_names(found, ~unreadable)

    def make(place: int) -> dict[str, Any]:
        row, original = verdicts.iloc[place], found.iloc[place]
        names = {"service": quote_name(row["service"]), "run_id": quote_name(row["run_id"])}
        if unreadable.iloc[place]:
            return {**names, "shape": row["shape"], "why": quote_text(row["sentence"], max_bytes=MAX_REASON_BYTES)}
        return {
            **names,
            **{name: row[name] for name in ("role", "metric", "shape", "is_leak", "severity", "origin", "sentence")},
            "is_leak": bool(row["is_leak"]),
            "has_ended": bool(row["has_ended"]),
            **{name: plain_value(row[name]) for name in NUMBERS},
            "responsible": name_place(original, prefix="responsible_"),
            "allocated": name_place(original, prefix="allocated_"),
            "held_by": quote_text(original["held_by"], max_bytes=MAX_CHAIN_BYTES),
            "fingerprint": row["fingerprint"],
            "from": _refer(ledger, row, found),
        }

    head = {"ledger": question.ledger, "has_policy": served.policy is not None}
    return fit_answer(head, "verdicts", make, count=len(verdicts), offset=question.offset)


def _without_names(verdicts: pd.DataFrame, are_chosen: "pd.Series[bool]") -> pd.DataFrame:
    """Return verdicts whose sentences name the keys of the answer in place of what was recorded."""
    columns: dict[str, list[Any]] = {"reasons": [_without_holder(reasons) for reasons in verdicts["reasons"]]}
    for role in ("responsible", "allocated"):
        columns[f"{role}_file"] = [f"<{role}>" if known else None for known in verdicts[f"{role}_file"].notna()]
        columns[f"{role}_function"] = [None] * len(verdicts)
    return rewrite_sentences(
        verdicts.assign(**pd.DataFrame(columns, index=verdicts.index, dtype=object)),
        are_chosen,
    )


def _without_holder(reasons: Any) -> Any:
    """Return the codes of a sentence without that of a chain of holders, which has the names of types."""
    if not isinstance(reasons, str):
        return reasons
    return " ".join(code for code in reasons.split() if code != Reason.HELD_BY_CHAIN)


def _refer(ledger: Ledger, row: "pd.Series[Any]", verdicts: pd.DataFrame) -> dict[str, Any]:
    """Return the samples that a verdict was made from; those of a family are those of its members."""
    columns = ("seq", "timestamp", row["metric"])
    if row["role"] != "family":
        samples = read_run(ledger, "samples", row["service"], row["run_id"], columns=columns)
    else:
        members = verdicts[verdicts["family_id"].eq(row["family_id"]) & verdicts["role"].ne("family")]
        own = ledger.read("samples", columns=["service", "run_id", *columns], services=sorted(set(members["service"])))
        samples = own[own["run_id"].isin(members["run_id"])]
    known = samples[samples[row["metric"]].notna()]
    return refer_to("samples", known, [row["metric"]])
