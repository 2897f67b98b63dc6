"""Which host, release, package or label explains the leaks? The verdicts on a ledger joined with its table ``runs``."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from memanalysis.analysis.leak_pivot import LeakPivot, pivot_leaks
from memanalysis.analysis.verdict import UNREADABLE
from memanalysis.errors import InvalidArgumentError
from memanalysis.verdicts.assess import judge_ledger
from memanalysis.verdicts.engines import EngineSource, resolve_engine
from memanalysis.verdicts.run_selection import RunSelection
from memanalysis.verdicts.run_spans import Moment
from memanalysis.verdicts.sources import LedgerSource, PolicySource, resolve_ledger, resolve_policy

__all__ = ["LABEL_COLUMNS", "pivot", "pivot_verdicts"]

_KEYS = ["service", "run_id"]

_COLUMNS = ("host", "python", "platform", "release", "git_commit")
"""Columns of ``runs`` that are labels of their own."""

LABEL_COLUMNS = (*_COLUMNS, "labels", "packages")
"""All columns of ``runs`` that have labels."""

_UNJUDGED = ("inconclusive", UNREADABLE)
"""Shapes of runs that may leak or not."""


def pivot(
    ledger: LedgerSource,
    *,
    labels: Collection[str] | None = None,
    policy: PolicySource = None,
    services: Collection[str] | None = None,
    since: Moment | None = None,
    engine: EngineSource = "pandas",
) -> LeakPivot:
    """Return the values of labels that the leaks of a fleet go with: a host, a release, a package, a label.

    Parameters
    ----------
    ledger : Ledger, path or URL
        What was recorded.
    labels : collection of str, optional
        Compare these labels only: columns of ``runs`` (host, python, platform, release, git_commit), names of packages
        or labels of ``watch(labels=...)``. All when not given.
    policy : path, mapping or Policy, optional
        As of `memanalysis.assess`.
    services : collection of str, optional
        Runs of these services only.
    since : float, str or datetime, optional
        Only runs that were still recorded then or later.
    engine : {"pandas", "dask"} or Engine
        As of `memanalysis.assess`.

    Returns
    -------
    LeakPivot
        ``explanations``, the best first and none where nothing explains the leaks, and ``sentence``.

    Raises
    ------
    InvalidArgumentError
        The ledger has none of the labels, or no such service.
    LedgerError
        The ledger cannot be read.

    See Also
    --------
    memanalysis.assess : The verdict on each run.
    memanalysis.compare : Two releases of one service, size by size and line by line.

    Notes
    -----
    Whether chance puts the leaks there is judged by an exact test within services, adjusted for all values of all
    labels by Holm's method: see `memanalysis.analysis.leak_pivot`.

    Examples
    --------
    >>> import memanalysis
    >>> memanalysis.pivot("sample_ledgers/leaking_service").sentence
    '1 of 1 runs leak; 0 values of 0 labels were compared. None of them explains the leaks.'
    """
    source, judging = resolve_ledger(ledger, call="pivot"), resolve_engine(engine, call="pivot")
    selection = RunSelection(services=services, since=since)
    verdicts = judge_ledger(source, resolve_policy(policy, call="pivot"), selection, engine=judging).verdicts
    runs = source.read("runs", columns=(*_KEYS, *LABEL_COLUMNS))
    return pivot_verdicts(runs, verdicts, path=source.path, labels=labels)


def pivot_verdicts(
    runs: pd.DataFrame, verdicts: pd.DataFrame, *, path: str, labels: Collection[str] | None = None
) -> LeakPivot:
    """Return the values of labels that the leaks go with.

    Parameters
    ----------
    runs : DataFrame
        Rows of the table ``runs``, with ``LABEL_COLUMNS``.
    verdicts : DataFrame
        What `assess` gives for them.
    path : str
        Of the ledger, for an error.
    labels : collection of str, optional
        As for `pivot`.
    """
    judged = verdicts[~verdicts["shape"].isin(_UNJUDGED) & verdicts["role"].ne("family")]
    leaks = judged.groupby(_KEYS, dropna=False)["is_leak"].any().reset_index()
    joined = leaks.merge(_make_label_table(runs, labels, path), on=_KEYS)
    hosts = leaks.merge(runs[[*_KEYS, "host"]], on=_KEYS)["host"]
    return pivot_leaks(joined.drop(columns="run_id"), hosts=hosts)


def _make_label_table(runs: pd.DataFrame, labels: Collection[str] | None, path: str) -> pd.DataFrame:
    """Return ``service`` and ``run_id`` of each run, and a column a label; unknown is None.

    A label of a run wins over a column of ``runs`` of its name, and that over a package.
    """
    rows = [_read_labels(row) for row in runs.to_dict("records")]
    names = list(dict.fromkeys(name for row in rows for name in row))
    if labels is not None:
        unknown = sorted(set(labels) - set(names))
        if unknown:
            raise InvalidArgumentError(
                f"pivot needs labels that {path} has, but got {', '.join(map(repr, unknown))}. It has "
                f"{', '.join(names) or 'none'}."
            )
        names = [name for name in names if name in labels]
    found = {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names}
    keys = {key: pd.Series(runs[key].to_numpy(dtype=object), dtype=object) for key in _KEYS}
    return pd.DataFrame(keys | found)


def _read_labels(row: Mapping[Any, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for mapping in (row["packages"], {name: row[name] for name in _COLUMNS}, row["labels"]):
        if isinstance(mapping, Mapping):
            found |= {str(name): str(value) for name, value in mapping.items() if _is_known(value)}
    return {name: value for name, value in found.items() if name not in _KEYS and name != "is_leak"}


def _is_known(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
