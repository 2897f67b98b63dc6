"""Add what of a ledger could not be read or judged as rows beside the verdicts: one a service, with what and why.

A row has the shape ``unreadable``, no numbers and no leak. A torn last line is no such thing: every killed process
leaves one. Neither is a broken index of runs, beside which all rows are read.
"""

from collections.abc import Iterable, Sequence

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.analysis.verdict import UNREADABLE, VERDICT_COLUMNS, VERDICT_DTYPES
from memanalysis.ledger.paths import LIVE_FOLDER, PARTITION_PREFIX, service_of_slug, slug_of_service
from memanalysis.ledger.reading.file_sources import SkippedRows

__all__ = ["UnreadableRun", "add_unreadable", "describe_damage", "is_unreadable"]

MAX_NAMED = 3
"""Damaged files that the sentence of a service names; ``memanalysis info`` lists them all."""

UnreadableRun = tuple[str | None, str | None, str]
"""Service and run that could not be judged, and why."""


def is_unreadable(verdicts: pd.DataFrame) -> "pd.Series[bool]":
    """Return which rows of a verdict frame stand for what could not be read."""
    return verdicts["shape"].eq(UNREADABLE).fillna(value=False).astype(bool)


def add_unreadable(
    verdicts: pd.DataFrame, damage: Iterable[SkippedRows], runs: Sequence[UnreadableRun] = ()
) -> pd.DataFrame:
    """Add a row for each service with damage, and for each run that could not be judged, after the verdicts.

    Parameters
    ----------
    verdicts : DataFrame
        What ``explain_leaks`` gives.
    damage : iterable of SkippedRows
        What the ledger left out.
    runs : sequence of UnreadableRun
        Runs that could not be judged.
    """
    by_service: dict[str | None, list[SkippedRows]] = {}
    for record in damage:
        if not record.is_torn_tail and not record.is_of_index:
            by_service.setdefault(_slug_of(record.file), []).append(record)
    services = verdicts["service"].dropna().unique() if by_service else ()  # a fleet has many, and mostly no damage
    names = {slug_of_service(name): name for name in services if name}
    rows = [_make_row(service, run_id, f"This run could not be judged: {reason}") for service, run_id, reason in runs]
    for slug, records in by_service.items():
        service = None if slug is None else names.get(slug) or service_of_slug(slug)
        is_name_unknown = slug not in {None, slug_of_service(None)} and service is None
        note = " The service has the name of its folder here: its own could not be read." if is_name_unknown else ""
        rows.append(_make_row(slug if is_name_unknown else service, None, _describe(records) + note))
    if not rows:
        return verdicts
    added = pd.DataFrame(rows, columns=list(VERDICT_COLUMNS)).astype(VERDICT_DTYPES)
    if verdicts.empty:
        return added
    return pd.concat([verdicts.astype(object), added.astype(object)], ignore_index=True).astype(VERDICT_DTYPES)


def describe_damage(record: SkippedRows) -> str:
    """File, what and why, in one line."""
    return make_printable(f"{record.file}: {record.describe()}")


def _slug_of(file: str) -> str | None:
    """Name of the service's folder; None for a file that is a ledger, and for what belongs to no service."""
    folder = next((part for part in file.removeprefix(f"{LIVE_FOLDER}/").split("/")[1:2]), "")
    return folder.removeprefix(PARTITION_PREFIX) if folder.startswith(PARTITION_PREFIX) else None


def _describe(records: Sequence[SkippedRows]) -> str:
    files = list(dict.fromkeys(record.file for record in records))
    named = [
        f"{file}: {'; '.join(record.describe() for record in records if record.file == file)}"
        for file in files[:MAX_NAMED]
    ]
    count = "Parts of 1 file were" if len(files) == 1 else f"Parts of {len(files):,} files were"
    more = f" | and {len(files) - MAX_NAMED:,} more" if len(files) > MAX_NAMED else ""
    return f"{count} left out. {' | '.join(named)}{more}"


def _make_row(service: str | None, run_id: str | None, sentence: str) -> dict[str, object]:
    known = {
        "service": service,
        "run_id": run_id,
        "shape": UNREADABLE,
        "origin": "unknown",
        "is_leak": False,
        "severity": "none",
        "windows": 0,
        "n_samples": 0,
        "sentence": sentence,
    }
    # names of files may be no text, which a column of text refuses
    cleaned = {name: make_printable(value) if isinstance(value, str) else value for name, value in known.items()}
    return {name: cleaned.get(name) for name in VERDICT_COLUMNS}
