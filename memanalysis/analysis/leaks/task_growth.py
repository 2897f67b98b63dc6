"""Which tasks of a worker grow its memory? From the tasks of each kind in short intervals, and the growth in them.

A worker runs several tasks at a time, and memory is that of the whole process. So each kind has a size, in bytes per
task, and these sizes are those that fit best to the growth of all intervals (least squares). With one task at a time
that is the mean growth while a task of the kind runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, TaskThresholds

__all__ = ["GrowingTask", "find_growing_task", "measure_tasks"]

TASK_COLUMNS = ("prefix", "tasks", "growth_bytes", "stderr_bytes", "ahead_stderr_bytes")

Block = Mapping[str, Any]
"""Sums of an interval, as `memanalysis.dask` records them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowingTask:
    """The kind of tasks that carries most of the growth.

    Parameters
    ----------
    prefix : str
        Prefix of their keys.
    share : float
        Part of the growth that they carry.
    bytes_per_task : float
        Growth by each of them.
    """

    prefix: str
    share: float
    bytes_per_task: float


def find_growing_task(
    blocks: Sequence[Block], *, size: str, thresholds: TaskThresholds = DEFAULT_THRESHOLDS.task
) -> GrowingTask | None:
    """Return the kind of tasks that grows the memory, or None where none is shown to.

    It carries at least half of the growth, and more than each other kind, both beyond three standard errors. Where
    other kinds take and give as much memory, nothing is named: what they hold for each other, such as results that are
    sized wrongly, hides a leak. Nor is it where two kinds always run together, and share the growth.

    Parameters
    ----------
    blocks : sequence of mappings
        Of one run, in the order of time.
    size : str
        What grows: ``rss_bytes`` or ``sampled_bytes``.
    thresholds : TaskThresholds
        The numbers to judge by.
    """
    tasks = measure_tasks(blocks, size=size, thresholds=thresholds)
    if tasks.empty:
        return None
    total = sum(block["growth"].get(size) or 0.0 for block in blocks)
    moved = max(total, tasks["growth_bytes"].abs().sum())
    first = tasks.iloc[0]
    ahead = first["growth_bytes"] - tasks["growth_bytes"].iloc[1:]
    is_first = bool((ahead > thresholds.min_sigmas * tasks["ahead_stderr_bytes"].iloc[1:]).all())
    is_shown = first["growth_bytes"] > thresholds.min_sigmas * first["stderr_bytes"]
    if not (is_shown and is_first) or first["tasks"] < 1 or first["growth_bytes"] < thresholds.min_share * moved:
        return None
    return GrowingTask(
        prefix=str(first["prefix"]),
        share=float(first["growth_bytes"] / moved),
        bytes_per_task=float(first["growth_bytes"] / first["tasks"]),
    )


def measure_tasks(
    blocks: Sequence[Block], *, size: str, thresholds: TaskThresholds = DEFAULT_THRESHOLDS.task
) -> pd.DataFrame:
    """Return ``prefix``, ``tasks``, ``growth_bytes``, ``stderr_bytes`` and ``ahead_stderr_bytes`` of each kind.

    The first grew most, and the last column is the standard error of what it grew more than this kind. Empty where
    there are too few blocks to judge by.

    Notes
    -----
    The standard error is that of the jackknife over groups of consecutive blocks (Efron and Stein 1981).
    """
    names = list(dict.fromkeys(name for block in blocks for name in block["prefixes"]))
    groups = [group for group in np.array_split(np.arange(len(blocks)), thresholds.groups) if group.size]
    if not names or len(groups) < thresholds.min_groups:
        return pd.DataFrame({name: [] for name in TASK_COLUMNS})
    sums = [_add_up([blocks[i] for i in group], names, size) for group in groups]
    together, grown, tasks = (np.sum([part[i] for part in sums], axis=0) for i in range(3))
    growth = _fit_sizes(together, grown, thresholds) * tasks
    without = np.array([_fit_sizes(together - part[0], grown - part[1], thresholds) * tasks for part in sums])
    ahead = without[:, [int(np.argmax(growth))]] - without
    columns = (names, tasks, growth, _jackknife(without), _jackknife(ahead))
    found = pd.DataFrame(dict(zip(TASK_COLUMNS, columns, strict=True)))
    return found.sort_values("growth_bytes", ascending=False, kind="stable", ignore_index=True)


def _add_up(blocks: Sequence[Block], names: Sequence[str], size: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the sums over some blocks: tasks together, growth by task, and tasks."""
    place = {name: i for i, name in enumerate(names)}
    together, grown, tasks = np.zeros((len(names), len(names))), np.zeros(len(names)), np.zeros(len(names))
    for block in blocks:
        own = np.array([place[name] for name in block["prefixes"]], dtype=np.int64)
        if own.size and size in block["growth_by_task"]:
            together[np.ix_(own, own)] += np.array(block["together"], dtype=np.float64)
            grown[own] += np.array(block["growth_by_task"][size], dtype=np.float64)
            tasks[own] += np.array(block["tasks"], dtype=np.float64)
    return together, grown, tasks


def _jackknife(without: FloatArray) -> FloatArray:
    """Return the standard error of each column from what it is without each group."""
    n_groups = len(without)
    stderr = np.sqrt((n_groups - 1) / n_groups * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    return np.asarray(stderr, dtype=np.float64)


def _fit_sizes(together: FloatArray, grown: FloatArray, thresholds: TaskThresholds) -> FloatArray:
    """Return the bytes per task of each kind; kinds that always run together share the growth."""
    sizes = np.linalg.lstsq(together, grown, rcond=thresholds.min_apart)[0]
    return np.asarray(sizes, dtype=np.float64)
