"""The verdict on the unmanaged memory of Dask's workers: leak, fragmentation or cache, and the tasks that grow it.

Dask calls *managed* the results that a worker holds, and *unmanaged* what its process takes beside them. The verdict is
the one on every series. It is given on the resident memory less what is managed, so results that pile up are no leak.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.leaks.task_growth import GrowingTask, find_growing_task
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.verdict import UNREADABLE
from memanalysis.dask.watch_workers import TASK_SIZES, TASKS_EVENT, WORKER_LABEL
from memanalysis.errors import InvalidArgumentError
from memanalysis.units import format_bytes
from memanalysis.verdicts.part_verdicts import assess_tables, of_run
from memanalysis.verdicts.sources import LedgerSource, resolve_ledger

__all__ = ["WORKER_COLUMNS", "assess_workers"]

WORKER_COLUMNS = ("worker", "memory", "task_prefix", "task_share", "bytes_per_task")
"""Columns of the frame beside those of every verdict. ``worker`` is its name; ``memory`` is ``leak``,
``fragmentation``, ``cache``, ``steady`` or ``unknown``."""

_TYPES = {"task_share": "float64", "bytes_per_task": "float64"}

_KEYS = ["service", "run_id"]

_SIZES = ("rss_bytes", "uss_bytes", "pss_bytes", "traced_bytes", "sampled_bytes")
"""Columns of ``samples`` that hold what is managed."""

_TRACED = ("traced_bytes", "sampled_bytes")

_NO_LIMITS = ("limit_bytes", "container_bytes", "family_bytes")
"""Columns of ``samples`` that are about the whole of the memory, and not about a part."""


def assess_workers(ledger: LedgerSource, *, services: Collection[str] | None = None) -> pd.DataFrame:
    """Return the verdicts on the unmanaged memory of the workers that `WatchWorkers` recorded, a row a worker.

    Parameters
    ----------
    ledger : Ledger, path or URL
        What was recorded.
    services : collection of str, optional
        Workers of these services only.

    Returns
    -------
    DataFrame
        Columns as of `memanalysis.assess` and `WORKER_COLUMNS`. ``memory`` names what the unmanaged memory is: a
        ``leak``; ``fragmentation``, which the C allocator holds free and `memanalysis.trim` gives back; a ``cache``,
        which grew and levels off; ``steady``; or ``unknown``, too early to judge. ``task_prefix`` is the prefix of the
        tasks that carry ``task_share`` of the growth, ``bytes_per_task`` each; None where it is none, or not known.
        Sizes are those of the unmanaged memory, so there is no forecast: `memanalysis.assess` gives the one of all.

    Raises
    ------
    InvalidArgumentError
        The ledger has no such workers.
    LedgerError
        The ledger cannot be read.

    Examples
    --------
    >>> from memanalysis.dask import assess_workers
    >>> workers = assess_workers("sample_ledgers/dask_workers")
    >>> workers[["worker", "memory", "task_prefix"]].to_numpy().tolist()
    [['0', 'leak', 'remember'], ['1', 'cache', None]]
    """
    source = resolve_ledger(ledger, call="assess_workers")
    events = source.read("events", columns=(*_KEYS, "timestamp", "kind", "data"))
    tasks = events[events["kind"].eq(TASKS_EVENT).fillna(value=False).astype(bool)]
    if services is not None:
        tasks = tasks[tasks["service"].isin(list(services))]
    runs = tasks[_KEYS].drop_duplicates()
    if runs.empty:
        raise InvalidArgumentError(
            f"assess_workers needs workers that WatchWorkers recorded, but {source.path} has none. "
            "Register it: client.register_plugin(WatchWorkers(ledger))."
        )
    recorded = sorted(set(runs["service"]))  # a fleet's ledger has other services, which are not read
    samples = source.read("samples", services=recorded).merge(runs, on=_KEYS)
    unmanaged = _take_managed_off(samples, tasks)
    sites = source.read("sites", services=recorded).merge(_find_runs_of_own_sites(samples, unmanaged), on=_KEYS)
    verdicts = assess_tables(unmanaged, sites=sites, events=events.merge(runs, on=_KEYS), policy=None)
    names = _read_names(source.read("runs", columns=(*_KEYS, "labels"), services=recorded))
    rows = [_describe(verdict, unmanaged, tasks, names) for verdict in verdicts.to_dict("records")]
    columns = zip([*WORKER_COLUMNS, "sentence"], zip(*rows, strict=True), strict=True)
    found = pd.DataFrame({name: pd.Series(cells, dtype=_TYPES.get(name, "object")) for name, cells in columns})
    order = [*_KEYS, *WORKER_COLUMNS]
    joined = pd.concat([verdicts.drop(columns="sentence"), found], axis=1)
    joined = joined[[*order, *(name for name in verdicts.columns if name not in order)]]
    return joined.sort_values(["service", "worker", "run_id"], kind="stable", ignore_index=True)


def _take_managed_off(samples: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """Return the samples with the memory less what was managed at their time, in a line between two events."""
    unmanaged = samples.drop(columns=[name for name in _NO_LIMITS if name in samples])
    columns = [name for name in _SIZES if name in samples]
    unmanaged[columns] = unmanaged[columns].astype("float64")
    events = dict(iter(tasks.groupby(_KEYS, observed=True)))
    for key, own in samples.groupby(_KEYS, observed=True):
        managed = _read_managed(events[key], own["timestamp"])
        for name in columns:
            rest = unmanaged.loc[own.index, name] - managed
            least = np.nan if name in _TRACED else 0.0  # not all that is managed is traced
            unmanaged.loc[own.index, name] = rest.where(rest >= 0, least)
    return unmanaged


def _find_runs_of_own_sites(samples: pd.DataFrame, unmanaged: pd.DataFrame) -> pd.DataFrame:
    """Return the runs whose sites are not mostly those of results: the table ``sites`` has both."""
    grown, own = (
        frame.groupby(_KEYS, observed=True)["rss_bytes"].agg(lambda sizes: sizes.iloc[-1] - sizes.iloc[0])
        for frame in (samples.sort_values("elapsed_s"), unmanaged.sort_values("elapsed_s"))
    )
    is_own = (grown - own) < DEFAULT_THRESHOLDS.origin.min_share * grown.clip(lower=0.0)
    return is_own[is_own].index.to_frame(index=False)


def _read_managed(events: pd.DataFrame, times: "pd.Series[Any]") -> FloatArray:
    """Return what was managed at some times."""
    own = events.sort_values("timestamp")
    cells = [(when.timestamp(), data) for when, data in zip(own["timestamp"], own["data"], strict=True)]
    moments, sizes = list[float](), list[float]()
    for when, data in cells:
        if sizes:  # it was as at the last event until this interval began
            moments.append(max(moments[-1], when - float(data.get("seconds", 0.0))))
            sizes.append(sizes[-1])
        moments.append(when)
        sizes.append(float(data["managed_bytes"]))
    managed: FloatArray = np.interp([when.timestamp() for when in times], moments, sizes)
    return managed


def _read_names(runs: pd.DataFrame) -> dict[tuple[Any, Any], str]:
    return {
        (row["service"], row["run_id"]): row["labels"][WORKER_LABEL]
        for row in runs.to_dict("records")
        if isinstance(row["labels"], Mapping) and WORKER_LABEL in row["labels"]
    }


def _describe(
    verdict: Mapping[Any, Any], samples: pd.DataFrame, tasks: pd.DataFrame, names: Mapping[tuple[Any, Any], str]
) -> tuple[Any, ...]:
    """Return the cells of `WORKER_COLUMNS` and the sentence of one worker."""
    memory = _name_memory(verdict)
    found = _find_tasks(verdict, samples, tasks) if memory != "steady" and verdict["growth_bytes"] > 0 else None
    worker = names.get((verdict["service"], verdict["run_id"]))
    if found is None:
        return worker, memory, None, np.nan, np.nan, verdict["sentence"]
    sentence = (
        f"{verdict['sentence']} Tasks of {found.prefix} carry {found.share:.0%} of the growth, "
        f"{format_bytes(found.bytes_per_task)} each."
    )
    return worker, memory, found.prefix, found.share, found.bytes_per_task, sentence


def _name_memory(verdict: Mapping[Any, Any]) -> str:
    """Return what the unmanaged memory is, by the facts of its verdict."""
    if verdict["origin"] == "fragmentation":
        return "fragmentation"
    if verdict["is_leak"]:
        return "leak"
    if verdict["shape"] in ("plateauing", "slowing"):
        return "cache"
    return "unknown" if verdict["shape"] in ("inconclusive", UNREADABLE) else "steady"


def _find_tasks(verdict: Mapping[Any, Any], samples: pd.DataFrame, tasks: pd.DataFrame) -> GrowingTask | None:
    """Return the tasks that grow the memory: of a leak after warm-up, of all else from the start on.

    The first measure that explains the growth counts. What is resident is the last, and counts where the others are
    known and do not explain it: memory that leaks into free pages does not grow it until another task needs pages.
    """
    own = of_run(tasks, verdict["service"], verdict["run_id"]).sort_values("timestamp")
    if verdict["is_leak"]:
        last = of_run(samples, verdict["service"], verdict["run_id"])["timestamp"].max()
        own = own[own["timestamp"] >= last - pd.Timedelta(seconds=verdict["judged_s"])]
    blocks = [data for data in own["data"] if "prefixes" in data]
    growth = {size: sum(block["growth"].get(size, 0.0) for block in blocks) for size in TASK_SIZES}
    enough = DEFAULT_THRESHOLDS.origin.min_share * growth["rss_bytes"]
    all_known = all(block["growth"].keys() >= set(TASK_SIZES) for block in blocks)
    for size in TASK_SIZES if all_known else TASK_SIZES[:-1]:
        if growth[size] >= enough:
            return find_growing_task(blocks, size=size)
    return None
