"""Find the rows of each run in the tables of a ledger once, so that another choice scans no table again."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_extension_array_dtype, is_numeric_dtype

from memanalysis.analysis.input_frames import known_floats, with_elapsed
from memanalysis.reports.verdict_cells import METRIC_NAMES
from memanalysis.schema import BYTE_METRICS

__all__ = ["METRICS", "RunRows", "SampleRuns"]

METRICS = {
    **METRIC_NAMES,
    "traced_peak_bytes": "most that Python allocated so far",
    "allocator_free_bytes": "held free by the C allocator",
    "tracer_bytes": "memory of the tracer itself",
}
"""Columns of ``samples`` that can be selected, and their names; those that verdicts are given on come first."""


class RunRows:
    """Rows of a table by service and run.

    Parameters
    ----------
    table : DataFrame
        Any table of a ledger. A run without an id, as in a JSON array, has an empty name.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table
        keys = [] if table.empty else [table["service"], table["run_id"].fillna("")]
        found = table.groupby(keys, sort=False, observed=True).indices if keys else {}
        self._places = {_name_run(key): np.asarray(places) for key, places in found.items()}

    def find(self, service: str, run_id: str) -> pd.DataFrame:
        """Return the rows of a run; none where the table has no such run. Rows that lie together are not copied."""
        places = self._places.get((service, run_id))
        if places is None:
            return self._table.iloc[:0]
        if places[-1] - places[0] + 1 == places.size:
            return self._table.iloc[places[0] : places[-1] + 1]
        return self._table.iloc[places]

    def list_runs(self) -> list[tuple[str, str]]:
        """Return service and run id of each run, in the order of both."""
        return sorted(self._places)


class SampleRuns:
    """Runs of the table ``samples``; what was once read of a run is kept.

    Parameters
    ----------
    samples : DataFrame
        Its nullable numbers are made plain ones, which judgements reckon with, here and not for each run.
    """

    def __init__(self, samples: pd.DataFrame) -> None:
        self._rows = RunRows(_with_plain_numbers(samples))
        self._runs: dict[str, list[str]] = {}
        for service, run_id in self._rows.list_runs():
            self._runs.setdefault(service, []).append(run_id)
        self._by_age: dict[str, list[str]] = {}
        self._lengths_s: dict[tuple[str, str], Mapping[str, float]] = {}

    def find(self, service: str, run_id: str) -> pd.DataFrame:
        """Return the samples of a run."""
        return self._rows.find(service, run_id)

    def list_services(self) -> Sequence[str]:
        """Return the services by name."""
        return list(self._runs)

    def list_runs(self, service: str) -> Sequence[str]:
        """Return the run ids of a service from the oldest to the newest; none where it has no samples."""
        if service not in self._by_age:
            began = {each: self.find(service, each)["timestamp"].min() for each in self._runs.get(service, [])}
            first_seen = pd.Series(began, dtype="datetime64[us, UTC]")
            self._by_age[service] = [str(each) for each in first_seen.sort_values(kind="stable").index]
        return self._by_age[service]

    def find_lengths_s(self, service: str, run_id: str) -> Mapping[str, float]:
        """Return the metrics that are known in a run, each with the seconds to its last sample; never none."""
        key = (service, run_id)
        if key not in self._lengths_s:
            self._lengths_s[key] = _measure_lengths(self.find(service, run_id)) or {BYTE_METRICS[0]: 0.0}
        return self._lengths_s[key]


def _with_plain_numbers(table: pd.DataFrame) -> pd.DataFrame:
    are_nullable = {
        str(column): is_extension_array_dtype(kind) and is_numeric_dtype(kind) for column, kind in table.dtypes.items()
    }
    return table.astype({column: "float64" for column, is_nullable in are_nullable.items() if is_nullable})


def _name_run(key: Any) -> tuple[str, str]:
    service, run_id = key
    return str(service), str(run_id)


def _measure_lengths(run: pd.DataFrame) -> dict[str, float]:
    elapsed_s = with_elapsed(run)
    zero_s = elapsed_s[np.isfinite(elapsed_s)].min(initial=np.inf)
    lengths_s = {}
    for metric in METRICS:
        is_known = np.isfinite(known_floats(run, metric))
        if is_known.any():
            known_s = elapsed_s[is_known & np.isfinite(elapsed_s)]
            lengths_s[metric] = float(known_s.max() - zero_s) if known_s.size else 0.0
    return lengths_s
