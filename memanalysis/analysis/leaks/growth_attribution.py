"""How the growth of a run is shared: among the lines that allocate, the types of its objects, and what holds them.

`attribute_growth` shares the growth out, with a row for the rest; `assess_sites` and `assess_objects` judge each site
and each type by the engine that judges whole runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.batch_verdict import judge_batch
from memanalysis.analysis.input_frames import finite_float, require_columns
from memanalysis.analysis.leaks.held_table import HeldTable, measure_growth, tabulate_run
from memanalysis.analysis.leaks.site_ranking import rank_sites
from memanalysis.analysis.series.prepare import prepare_batch
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS

__all__ = [
    "ATTRIBUTION_COLUMNS",
    "OBJECT_VERDICT_COLUMNS",
    "SITE_VERDICT_COLUMNS",
    "assess_objects",
    "assess_sites",
    "attribute_growth",
]

ATTRIBUTION_COLUMNS = (
    "service",
    "run_id",
    "kind",
    "name",
    "file",
    "line",
    "function",
    "growth_bytes",
    "share",
    "is_rest",
)
"""Columns of the frame that ``attribute_growth`` gives."""

_JUDGED = {
    "shape": "shape",
    "is_leak": "is_leak",
    "slope_bytes_per_s": "slope_bytes_per_s",
    "low_bytes_per_s": "low_bytes_per_s",
    "high_bytes_per_s": "high_bytes_per_s",
    "growth_bytes": "growth_bytes",
    "latest_bytes": "latest_bytes",
    "n_snapshots": "n_samples",
    "duration_s": "duration_s",
}
"""Columns of a verdict on a site or type, by the engine's names."""

SITE_VERDICT_COLUMNS = ("service", "run_id", "site_id", "file", "line", "function", *_JUDGED)
"""Columns of the frame that ``assess_sites`` gives."""

OBJECT_VERDICT_COLUMNS = ("service", "run_id", "type", *_JUDGED)
"""Columns of the frame that ``assess_objects`` gives."""

_THRESHOLDS = DEFAULT_THRESHOLDS.from_first_evidence()
"""Sites and types are counted seldom, and the verdict on their run has waited already."""

MAX_NAMED = 10
"""Rows of each kind and run; what else grew is in the row of the rest."""

REST = "the rest"


def attribute_growth(
    *,
    sites: pd.DataFrame | None = None,
    objects: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
    most: int = MAX_NAMED,
) -> pd.DataFrame:
    """Share out the growth of each run among lines of code, types and holders.

    Parameters
    ----------
    sites, objects, events : DataFrame, optional
        Rows of these tables; what is not given, or not recorded, has no rows in the answer.
    most : int
        Rows of each kind and run at most, but for the rest.

    Returns
    -------
    DataFrame
        ``ATTRIBUTION_COLUMNS``, the largest share of a run and kind first and the row of the rest last. ``kind`` is
        ``site`` (``name`` is file and line), ``type`` or ``holder`` (``name`` is the chain). The shares of a run and
        kind add up to 1: of sites and types they are parts of all that grew, of holders parts of the objects of the
        fastest growing type that were examined, or of the bytes of the entries that came to containers, whose
        ``growth_bytes`` are not known. ``growth_bytes`` is the fitted slope times the time judged. Where nothing grew
        there is no row.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    """
    rows: list[dict[str, Any]] = []
    if sites is not None and len(sites):
        ranked = rank_sites(sites)
        named = ranked.assign(
            name=[f"{file}:{line}" for file, line in ranked[["file", "line"]].itertuples(index=False)],
            growth_bytes=ranked["fitted_growth_bytes"],
        )
        for (service, run_id), of_run in named.groupby(["service", "run_id"], sort=True, dropna=False, observed=True):
            rows += _share_out({"service": service, "run_id": run_id, "kind": "site"}, of_run, most)
    if objects is not None and len(objects):
        require_columns("attribute_growth", objects, ("service", "run_id", "timestamp", "type", "size_bytes"))
        for (service, run_id), run in objects.groupby(["service", "run_id"], sort=True, dropna=False, observed=True):
            held = tabulate_run(run, keys=("type",), counts="count")
            grown = measure_growth(held)
            table = held.names.assign(name=held.names["type"], growth_bytes=grown.growth, share=grown.shares)
            rows += _share_out({"service": service, "run_id": run_id, "kind": "type"}, table, most)
    if events is not None and len(events):
        require_columns("attribute_growth", events, ("service", "run_id", "timestamp", "kind", "data"))
        holders = events[events["kind"] == "holders"].sort_values("timestamp", kind="stable")
        for (service, run_id), run in holders.groupby(["service", "run_id"], sort=True, dropna=False, observed=True):
            table = _read_holders(run["data"].iloc[-1])
            rows += _share_out({"service": service, "run_id": run_id, "kind": "holder"}, table, most)
    return pd.DataFrame(rows, columns=list(ATTRIBUTION_COLUMNS)).astype({"line": "Int64"})


def assess_sites(sites: pd.DataFrame, *, rules: SeverityRules | None = None) -> pd.DataFrame:
    """Judge each allocation site of each run, all in one batch.

    A site that a snapshot does not list held nothing then, unless the snapshot was cut to its first rows: then the site
    held at most as much as the smaller of the biggest, which is taken where it had been larger, and else is not known.

    Parameters
    ----------
    sites : DataFrame
        Rows of the table ``sites``.
    rules : SeverityRules, optional
        Thresholds of severity.

    Returns
    -------
    DataFrame
        ``SITE_VERDICT_COLUMNS``, a row a run and site, the steepest slope of a run first. ``n_snapshots`` counts those
        in which the size is known; with fewer than five the shape is ``inconclusive``.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.

    Notes
    -----
    A snapshot may have been cut when it lists as many sites as the fullest of its run.
    """
    keys = ("site_id", "file", "line")
    require_columns("assess_sites", sites, ("service", "run_id", "timestamp", *keys, "size_bytes"))
    whole = sites if "function" in sites else sites.assign(function=None)
    return _assess(whole, keys=keys, counts="live_allocations", others=("function",), by_size=True, rules=rules)


def assess_objects(objects: pd.DataFrame, *, rules: SeverityRules | None = None) -> pd.DataFrame:
    """Judge the bytes of each type of each run, all in one batch.

    Parameters
    ----------
    objects : DataFrame
        Rows of the table ``objects``. A type that a census does not list had no objects then, unless the census was cut
        to its first rows: then it is not known.
    rules : SeverityRules, optional
        Thresholds of severity.

    Returns
    -------
    DataFrame
        ``OBJECT_VERDICT_COLUMNS``, a row a run and type, the steepest slope of a run first. Bytes are those of the
        objects alone, without what they refer to.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    """
    require_columns("assess_objects", objects, ("service", "run_id", "timestamp", "type", "size_bytes"))
    return _assess(objects, keys=("type",), counts="count", others=(), by_size=False, rules=rules)


def _share_out(run: Mapping[str, Any], grown: pd.DataFrame, most: int) -> list[dict[str, Any]]:
    """Rows of the first few that have a share, and one of what is left."""
    table = grown[grown["share"] > 0].sort_values("share", ascending=False, kind="stable")
    if table.empty:
        return []
    named = table.head(most)
    rows = [
        {**run, **{str(key): value for key, value in row.items()}, "is_rest": False} for row in named.to_dict("records")
    ]
    share = max(0.0, 1.0 - float(named["share"].sum()))
    left = float(table["growth_bytes"].to_numpy()[most:].sum()) if len(table) > most else 0.0 * rows[0]["growth_bytes"]
    return [*rows, {**run, "name": REST, "growth_bytes": left, "share": share, "is_rest": True}]


def _read_holders(data: object) -> pd.DataFrame:
    """Return the chains of an event with their shares; entries of another layout are left out."""
    chains_read = data if isinstance(data, list) else []
    chains = [
        {"name": str(chain["chain"]), "share": share, "growth_bytes": np.nan}
        for chain in chains_read
        if isinstance(chain, Mapping)
        and "chain" in chain
        and (share := finite_float(chain.get("share"))) is not None
        and share >= 0
    ]
    read = pd.DataFrame(chains, columns=["name", "share", "growth_bytes"])
    return read.assign(share=read["share"] / max(1.0, float(read["share"].sum())))


def _assess(
    table: pd.DataFrame,
    *,
    keys: Sequence[str],
    counts: str,
    others: Sequence[str],
    by_size: bool,
    rules: SeverityRules | None,
) -> pd.DataFrame:
    columns = ("service", "run_id", *keys, *others, *_JUDGED)
    named, times, values, lengths = [], [], [], []
    runs: Iterable[tuple[Any, pd.DataFrame]] = table.groupby(
        ["service", "run_id"], sort=True, dropna=False, observed=True
    )
    for (service, run_id), run in runs:
        held = tabulate_run(run, keys=keys, counts=counts, others=others)
        n_things = held.sizes.shape[1]
        named.append(held.names.assign(service=service, run_id=run_id))
        times.append(np.tile(held.elapsed_s, n_things))
        values.append(_known_sizes(held, by_size=by_size).T.ravel())
        lengths.append(np.full(n_things, held.elapsed_s.size))
    if not named or not sum(len(names) for names in named):
        return pd.DataFrame(columns=list(columns))
    things = pd.concat(named, ignore_index=True)
    series = np.repeat(np.arange(len(things)), np.concatenate(lengths))
    batch = prepare_batch(series, np.concatenate(times), np.concatenate(values), n_series=len(things))
    judged = judge_batch(batch, np.full(len(things), np.nan), rules or SeverityRules(), thresholds=_THRESHOLDS)
    verdicts = things.assign(**{name: judged[source] for name, source in _JUDGED.items()})[list(columns)]
    order = ["service", "run_id", "slope_bytes_per_s"]
    return verdicts.sort_values(order, ascending=[True, True, False], kind="stable", ignore_index=True)


def _known_sizes(held: HeldTable, *, by_size: bool) -> FloatArray:
    """Bytes of each thing in each snapshot, shape (t, m); NaN where it is not known.

    Of a table that was cut, the bigger half of the rows are the biggest there were (the rest may be those that grew
    most): what is missing held no more than the least of them.
    """
    listed = held.is_listed.sum(axis=1)
    is_cut = listed == listed.max(initial=0)
    unknown = ~held.is_listed & is_cut[:, None]
    sizes: FloatArray = np.where(unknown, np.nan, held.sizes)
    if not by_size or not unknown.any():
        return sizes
    most = np.array(
        [np.sort(row)[::-1][max(0, (count + 1) // 2 - 1)] for row, count in zip(held.sizes, listed, strict=True)]
    )
    latest = np.maximum.accumulate(np.where(np.isnan(sizes), -1, np.arange(len(sizes))[:, None]), axis=0)
    before = np.where(latest >= 0, np.take_along_axis(sizes, np.maximum(latest, 0), axis=0), -np.inf)
    return np.where(unknown & (before > most[:, None]), np.broadcast_to(most[:, None], sizes.shape), sizes)
