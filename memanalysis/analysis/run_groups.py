"""The samples of each run of each service, found without sorting what lies together already."""

from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.analysis.arrays import IntArray

__all__ = ["group_runs"]


def group_runs(samples: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, IntArray]:
    """Return samples run after run, and which runs these are.

    Runs are found at the edges between them. Samples that lie together already are not copied.

    Parameters
    ----------
    samples : DataFrame
        With the column ``service``; without ``run_id`` a service is one run.

    Returns
    -------
    samples : DataFrame
    runs : DataFrame
        ``service`` and ``run_id`` of each of m runs, in the order of both, the unknown last.
    counts : array of int, shape (m,)
        Samples of each run.
    """
    services, service_names = _encode(samples["service"])
    runs, run_names = _encode(samples["run_id"] if "run_id" in samples else pd.Series([None]).repeat(len(samples)))
    is_edge = np.ones(services.size, dtype=bool)
    is_edge[1:] = (services[1:] != services[:-1]) | (runs[1:] != runs[:-1])
    starts = np.flatnonzero(is_edge)
    service_ranks, run_ranks = _ranks(service_names), _ranks(run_names)
    places = service_ranks[services[starts]] * run_ranks.size + run_ranks[runs[starts]]
    _, firsts, numbers = np.unique(places, return_index=True, return_inverse=True)
    names = {
        "service": service_names.take(services[starts[firsts]]),
        "run_id": run_names.take(runs[starts[firsts]]),
    }
    named = pd.DataFrame(names, dtype=object)
    lengths = np.diff(np.append(starts, services.size))
    if bool(np.all(numbers[1:] > numbers[:-1])):
        return samples, named, lengths
    series = np.repeat(numbers, lengths)
    grouped = samples.iloc[np.argsort(series, kind="stable")]
    return grouped, named, np.bincount(series, minlength=firsts.size)


def _encode(texts: "pd.Series[Any]") -> tuple[NDArray[np.integer[Any]], "pd.Index[Any]"]:
    """Return the number of each text, and the texts by number; the unknown have -1, and so the place past the last."""
    if isinstance(texts.dtype, pd.CategoricalDtype):
        codes, known = texts.array.codes, texts.array.categories
    else:
        codes, known = pd.factorize(texts)
    names = np.empty(len(known) + 1, dtype=object)
    names[:-1], names[-1] = known.to_numpy(dtype=object), None
    return codes, pd.Index(names, dtype=object)


def _ranks(names: "pd.Index[Any]") -> IntArray:
    """Return the place of each name in the order of all; the last, which stands for the unknown, stays last.

    Names that cannot be compared, such as numbers and texts, stay in the order in which they come.
    """
    known = names[:-1]
    ranks = np.arange(names.size)
    if not known.is_monotonic_increasing:
        with suppress(TypeError):
            ranks[known.argsort()] = np.arange(known.size)
    return ranks
