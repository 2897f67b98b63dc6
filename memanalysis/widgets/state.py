"""Select a part of a ledger. Pure: frames in, records out, no widgets.

A selection is one run of one service, one metric and a stretch of time in seconds since the run's first sample. It is
always one that can be shown: each change gives a new selection that fits the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from memanalysis.analysis.input_frames import known_floats
from memanalysis.errors import InvalidArgumentError
from memanalysis.reports.drawn_series import read_series
from memanalysis.reports.verdict_cells import METRIC_NAMES
from memanalysis.schema import BYTE_METRICS

__all__ = [
    "METRICS",
    "Choices",
    "Selection",
    "choose_metric",
    "choose_range",
    "choose_run",
    "choose_service",
    "first_selection",
    "list_choices",
    "rows_of_run",
]

METRICS = {
    **METRIC_NAMES,
    "traced_peak_bytes": "most that Python allocated so far",
    "allocator_free_bytes": "held free by the C allocator",
    "tracer_bytes": "memory of the tracer itself",
}
"""Columns of ``samples`` that can be selected, and their names; those that verdicts are given on come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is selected; seconds count from the run's first sample."""

    service: str
    run_id: str
    metric: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What can be selected beside what is: the run ids from the oldest to the newest, and the run's length."""

    services: Sequence[str]
    run_ids: Sequence[str]
    metrics: Sequence[str]
    length_s: float


def first_selection(samples: pd.DataFrame) -> Selection | None:
    """The newest run of the first service, whole; None when there are no samples."""
    if samples.empty:
        return None
    return _select(samples, str(min(samples["service"])))


def list_choices(samples: pd.DataFrame, selection: Selection) -> Choices:
    """What can be selected from here."""
    of_service = samples[samples["service"] == selection.service]
    run = rows_of_run(samples, selection)
    return Choices(
        services=sorted(map(str, samples["service"].unique())),
        run_ids=_list_runs(of_service),
        metrics=_list_metrics(run),
        length_s=_length_s(run, selection.metric),
    )


def choose_service(samples: pd.DataFrame, selection: Selection, service: str) -> Selection:
    """Select another service: its newest run, the same metric if it has it, all of its time.

    Raises
    ------
    InvalidArgumentError
        The ledger has no such service.
    """
    return _select(samples, service, metric=selection.metric)


def choose_run(samples: pd.DataFrame, selection: Selection, run_id: str) -> Selection:
    """Select another run of the service, all of its time."""
    return _select(samples, selection.service, run_id=run_id, metric=selection.metric)


def choose_metric(samples: pd.DataFrame, selection: Selection, metric: str) -> Selection:
    """Select another metric of the same stretch of time."""
    whole = _select(samples, selection.service, run_id=selection.run_id, metric=metric)
    return choose_range(whole, selection.start_s, selection.end_s, length_s=whole.end_s)


def choose_range(selection: Selection, start_s: float, end_s: float, *, length_s: float) -> Selection:
    """Select another stretch of time, cut to the run; a stretch turned round is turned back."""
    start_s, end_s = sorted((start_s, end_s))
    start_s = min(max(start_s, 0.0), length_s)
    return replace(selection, start_s=start_s, end_s=min(max(end_s, start_s), length_s))


def rows_of_run(samples: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Rows of the run that is selected, of any table."""
    return samples[(samples["service"] == selection.service) & (samples["run_id"].fillna("") == selection.run_id)]


def _select(samples: pd.DataFrame, service: str, *, run_id: str | None = None, metric: str | None = None) -> Selection:
    of_service = samples[samples["service"] == service]
    if of_service.empty:
        known = ", ".join(sorted(map(str, samples["service"].unique())))
        raise InvalidArgumentError(f"The ledger has no service {service!r}. It has: {known}.")
    run_ids = _list_runs(of_service)
    run_id = run_ids[-1] if run_id not in run_ids or run_id is None else run_id
    run = of_service[of_service["run_id"].fillna("") == run_id]
    metrics = _list_metrics(run)
    metric = metrics[0] if metric not in metrics or metric is None else metric
    return Selection(service=service, run_id=run_id, metric=metric, start_s=0.0, end_s=_length_s(run, metric))


def _list_runs(of_service: pd.DataFrame) -> list[str]:
    """Run ids from the oldest to the newest; a JSON array has none: its run has an empty name."""
    first_seen = of_service.assign(run_id=of_service["run_id"].fillna("")).groupby("run_id")["timestamp"].min()
    return [str(run_id) for run_id in first_seen.sort_values(kind="stable").index]


def _list_metrics(run: pd.DataFrame) -> list[str]:
    known = [metric for metric in METRICS if np.isfinite(known_floats(run, metric)).any()]
    return known or [BYTE_METRICS[0]]


def _length_s(run: pd.DataFrame, metric: str) -> float:
    elapsed_s = read_series(run, metric).elapsed_s
    return float(elapsed_s[-1]) if elapsed_s.size else 0.0
