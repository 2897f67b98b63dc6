"""On what does it rest? The series of a run in a few points, the lines that grew, and who holds the objects."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.leaks.site_ranking import count_from_start, rank_sites
from memanalysis.analysis.leaks.user_lines import use_user_lines
from memanalysis.assistant.answer_text import dump_answer, fit_answer, plain_value, quote_name, quote_text
from memanalysis.assistant.questions import AboutRun
from memanalysis.assistant.served_ledgers import ServedLedgers, name_place, read_run, refer_to
from memanalysis.reports.held_line import use_held_bytes
from memanalysis.schema import BYTE_METRICS
from memanalysis.verdicts.run_ends import read_run_ends

__all__ = ["give_evidence", "give_holders"]

N_POINTS = 6
"""Samples of a series that are given, spread evenly over its rows, with the first and the last."""

PARTS = ("uss_bytes", "pss_bytes", "sampled_bytes", "traced_bytes", "allocator_free_bytes", "limit_bytes")
"""What the memory consisted of when it was read last."""

MAX_CHAINS = 4
MAX_TYPES = 6
MAX_CHAIN_BYTES = 200


def give_evidence(served: ServedLedgers, question: AboutRun) -> str:
    """Return the series of one run and the lines of code that grew most."""
    ledger = served.find_ledger(question.ledger)
    service = served.find_service(ledger, question.service)
    run_id = served.find_run(ledger, service, question.run_id)
    columns = ("seq", "timestamp", "elapsed_s", *BYTE_METRICS, *PARTS)
    samples = read_run(ledger, "samples", service, run_id, columns=columns)
    sites = read_run(ledger, "sites", service, run_id)
    events = read_run(ledger, "events", service, run_id)
    end = read_run_ends(ledger).get((service, str(run_id)))
    trace = None if end is None else end.run["trace"]
    lines = use_user_lines(sites)
    ranked = rank_sites(lines) if trace is None else count_from_start(rank_sites(lines), lines)
    at_end = use_held_bytes(ranked, lines, samples, events, trace=trace)
    is_windows = trace == "windows"  # their sizes are what survived them, which is not what a line holds

    def make(place: int) -> dict[str, Any]:
        row, end = ranked.iloc[place], at_end.iloc[place]
        own, allocated = name_place(row) or {}, name_place(row, prefix="allocated_")
        return {
            **own,
            "first_bytes": None if is_windows else _round(row["first_bytes"]),
            "last_bytes": None if is_windows else _round(row["last_bytes"]),
            "growth_bytes": _round(end["growth_bytes"]),
            "held_at_end_bytes": None if trace is None else _round(end["last_bytes"]),
            "share": plain_value(row["share"]),
            "allocated": None if allocated == own else allocated,
        }

    head = {
        "service": quote_name(service),
        "run_id": quote_name(run_id),
        "trace": quote_name(trace),
        "series": None if question.offset else _describe_series(samples),
        "last_known": None if question.offset else _describe_parts(samples),
        "sites_from": refer_to("sites", _pick_judged(sites, ranked)) if len(sites) else None,
    }
    return fit_answer(head, "sites", make, count=len(ranked), offset=question.offset)


def give_holders(served: ServedLedgers, question: AboutRun) -> str:
    """Return the chains of references that hold what grew, and the types whose objects became more."""
    ledger = served.find_ledger(question.ledger)
    service = served.find_service(ledger, question.service)
    run_id = served.find_run(ledger, service, question.run_id)
    events = read_run(ledger, "events", service, run_id)
    found = events[events["kind"].eq("holders").fillna(value=False).astype(bool)]
    last = found.iloc[-1] if len(found) else None
    data = last["data"] if last is not None and isinstance(last["data"], list | tuple | np.ndarray) else []
    chains = [
        {"chain": quote_text(item.get("chain"), max_bytes=MAX_CHAIN_BYTES), "share": plain_value(item.get("share"))}
        for item in list(data)[:MAX_CHAINS]
        if isinstance(item, Mapping) and isinstance(item.get("share"), int | float)
    ]
    objects = read_run(ledger, "objects", service, run_id)
    answer = {
        "service": quote_name(service),
        "run_id": quote_name(run_id),
        "chains": chains,
        "chains_from": None if last is None else {"kind": "holders", **refer_to("events", found.iloc[-1:])},
        "types": _find_grown_types(objects),
        "types_from": refer_to("objects", objects, ["count"]) if len(objects) else None,
        "note": None if chains else "No holders were recorded: no type or container grew by enough.",
    }
    return dump_answer(answer)


def _pick_judged(sites: pd.DataFrame, ranked: pd.DataFrame) -> pd.DataFrame:
    """Return the tables from which the first and last sizes of the lines are."""
    since, until = ranked["judged_from"].min(), ranked["judged_to"].max()
    if pd.isna(since) or pd.isna(until):  # there is but one table, or none with a time
        return sites
    judged: pd.DataFrame = sites[sites["timestamp"].between(since, until)]
    return judged


def _describe_series(samples: pd.DataFrame) -> dict[str, Any] | None:
    """Return the metric that verdicts are made from, in a few numbers and rows."""
    metrics = [metric for metric in BYTE_METRICS if samples[metric].notna().any()]
    if not metrics:
        return None
    metric = metrics[0]
    known = samples[samples[metric].notna()]
    values = known[metric].astype("float64")
    rows = np.unique(np.linspace(0, len(known) - 1, N_POINTS).round().astype(int))
    points = known.iloc[rows][["seq", "elapsed_s", metric]].to_numpy(dtype=object).tolist()
    return {
        "metric": metric,
        **{f"{name}_bytes": plain_value(getattr(values, name)()) for name in ("min", "median", "max")},
        "points": [[plain_value(value) for value in point] for point in points],
        "points_are": ["seq", "elapsed_s", metric],
        "from": refer_to("samples", known, [metric]),
    }


def _describe_parts(samples: pd.DataFrame) -> dict[str, Any] | None:
    parts = {}
    for column in PARTS:
        known = samples[samples[column].notna()]
        if len(known):
            parts[column] = [plain_value(known[column].iloc[-1]), plain_value(known["seq"].iloc[-1])]
    return {"parts_are": ["bytes", "seq"], **parts} if parts else None


def _find_grown_types(objects: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the types that became most more from the first census to the last."""
    known = objects.dropna(subset=["timestamp", "count"])
    if known["timestamp"].nunique() < 2:
        return []
    first, last = (
        known[known["timestamp"] == moment].groupby("type")["count"].sum()
        for moment in (known["timestamp"].min(), known["timestamp"].max())
    )
    counts = pd.DataFrame({"first": first, "last": last}).dropna()
    grown = counts.assign(more=counts["last"] - counts["first"]).sort_values("more", ascending=False, kind="stable")
    return [
        {"type": quote_name(name), "first": int(row["first"]), "last": int(row["last"])}
        for name, row in grown[grown["more"] > 0].head(MAX_TYPES).iterrows()
    ]


def _round(value: float | None) -> int | None:
    return None if value is None or not np.isfinite(value) else round(value)
