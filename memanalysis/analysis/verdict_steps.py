"""What more is known of leaks than samples tell: the guilty line, the origin that windows saw, the fingerprint."""

from typing import Any

import pandas as pd

from memanalysis.analysis.input_frames import require_columns, run_key
from memanalysis.analysis.leaks.fingerprint import fingerprint_leaks
from memanalysis.analysis.leaks.origin import explain_by_windows
from memanalysis.analysis.leaks.site_ranking import pick_responsible_lines, rank_sites
from memanalysis.analysis.verdict import VERDICT_COLUMNS, VERDICT_DTYPES
from memanalysis.analysis.verdict_sentence import describe_responsible

__all__ = ["explain_leaks"]

_NAMED = {f"responsible_{name}": name for name in ("file", "line", "function", "share")} | {
    name: name for name in ("allocated_file", "allocated_line", "allocated_function", "allocated_share")
}
"""Columns of a verdict by those of ``pick_responsible_lines``."""


def explain_leaks(
    verdicts: pd.DataFrame, *, sites: pd.DataFrame | None = None, events: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Add to each leak the line that keeps or makes it, its origin where windows tell it, and its fingerprint.

    Parameters
    ----------
    verdicts : DataFrame
        What ``runs.judge_samples`` gives.
    sites, events : DataFrame, optional
        Rows of the tables ``sites`` and ``events``; without them the columns are empty.

    Returns
    -------
    DataFrame
        ``VERDICT_COLUMNS``.
    """
    explained = _name_guilty(verdicts, sites)
    if events is not None:
        explained = explain_by_windows(explained, events)
    explained["fingerprint"] = pd.Series(fingerprint_leaks(explained), dtype=object)
    explained["known"] = explained["fingerprint"].where(explained["fingerprint"].isna(), "new")
    return explained[list(VERDICT_COLUMNS)].astype(VERDICT_DTYPES)


def _name_guilty(verdicts: pd.DataFrame, sites: pd.DataFrame | None) -> pd.DataFrame:
    found: dict[str, list[Any]] = {name: [None] * len(verdicts) for name in _NAMED}
    sentences = verdicts["sentence"].to_list()
    if sites is not None and len(sites) and verdicts["is_leak"].any():
        leaking = verdicts.loc[verdicts["is_leak"], ["service", "run_id"]]
        if "run_id" not in sites and leaking["run_id"].isna().all():  # the samples have none either
            sites = sites.assign(run_id=None)
        require_columns("assess", sites, ["service", "run_id"])
        nameless = sites["run_id"].isna() & bool(leaking["run_id"].isna().any())
        ranked = rank_sites(sites[sites["run_id"].isin(leaking["run_id"].dropna()) | nameless])
        guilty = {run_key(row): row for row in pick_responsible_lines(ranked).to_dict("records")}
        for i, leak in zip(leaking.index, leaking.to_dict("records"), strict=True):
            if (row := guilty.get(run_key(leak))) is not None:
                for name in ("function", "allocated_function"):
                    row[name] = row[name] if isinstance(row[name], str) else None
                for name, source in _NAMED.items():
                    found[name][i] = row[source]
                sentences[i] += describe_responsible(row)
    columns = {name: pd.Series(values, dtype=object) for name, values in found.items()}
    return verdicts.assign(sentence=sentences, **columns)
