"""Select a part of a ledger and make what is shown of it. Pure: frames in, records out, no widgets.

A selection is one run of one service, one metric and a stretch of time in seconds since the run's first sample. It is
always one that can be shown: each change gives a new selection that fits the ledger.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from memanalysis._text import make_printable
from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.input_frames import known_floats
from memanalysis.analysis.series_verdict import assess_series
from memanalysis.errors import InvalidArgumentError
from memanalysis.reports.drawn_series import Series, read_series
from memanalysis.reports.series_thinning import thin_series
from memanalysis.reports.verdict_cells import METRIC_NAMES
from memanalysis.schema import BYTE_METRICS

__all__ = [
    "METRICS",
    "Choices",
    "Selection",
    "View",
    "choose_metric",
    "choose_range",
    "choose_run",
    "choose_service",
    "first_selection",
    "list_choices",
    "make_view",
]

METRICS = {
    **METRIC_NAMES,
    "traced_peak_bytes": "most that Python allocated so far",
    "allocator_free_bytes": "held free by the C allocator",
    "tracer_bytes": "memory of the tracer itself",
}
"""Columns of ``samples`` that can be selected, and their names; those that verdicts are given on come first."""

MAX_MARKS = 12
"""Names beside each other in one picture: more would cover each other."""

MARKED_KINDS = ("mark", "cell", "breach", "alert", "cleanup", "error")
"""Events that are drawn: those that something may have happened to memory with."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is drawn and written of a selection.

    Parameters
    ----------
    elapsed_s, values : arrays of float
        The selected stretch, thinned to what a picture can show.
    marks : sequence of (seconds, name)
        Events of the stretch.
    sentence : str
        The verdict on this stretch alone, as a sentence.
    started : Timestamp or None
        When the run's clock was at zero.
    """

    selection: Selection
    elapsed_s: FloatArray
    values: FloatArray
    marks: Sequence[tuple[float, str]]
    sentence: str
    started: pd.Timestamp | None


def first_selection(samples: pd.DataFrame) -> Selection | None:
    """The newest run of the first service, whole; None when there are no samples."""
    if samples.empty:
        return None
    return _select(samples, str(min(samples["service"])))


def list_choices(samples: pd.DataFrame, selection: Selection) -> Choices:
    """What can be selected from here."""
    of_service = samples[samples["service"] == selection.service]
    run = _run_of(samples, selection)
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


def make_view(samples: pd.DataFrame, events: pd.DataFrame, selection: Selection) -> View:
    """Return what is drawn and written of a selection."""
    run = _run_of(samples, selection)
    series = read_series(run, selection.metric)
    inside = (series.elapsed_s >= selection.start_s) & (series.elapsed_s <= selection.end_s)
    elapsed_s, values = series.elapsed_s[inside], series.values[inside]
    verdict = assess_series(elapsed_s, values)
    thin_s, thin_values = thin_series(elapsed_s, values)
    started = _zero_of(run, series)
    return View(
        selection=selection,
        elapsed_s=thin_s,
        values=thin_values,
        marks=_find_marks(events, selection, started),
        sentence=verdict.sentence,
        started=started,
    )


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


def _run_of(samples: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    return samples[(samples["service"] == selection.service) & (samples["run_id"].fillna("") == selection.run_id)]


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


def _zero_of(run: pd.DataFrame, series: Series) -> pd.Timestamp | None:
    """When the run's clock was at the zero of the series."""
    known = run.dropna(subset=["timestamp"])
    if known.empty:
        return None
    first = known.iloc[0]
    elapsed_s = known_floats(known, "elapsed_s")[0]
    ahead_s = elapsed_s - series.zero_s if np.isfinite(elapsed_s) else 0.0
    zero: pd.Timestamp = first["timestamp"] - pd.Timedelta(seconds=float(ahead_s))
    return zero


def _find_marks(events: pd.DataFrame, selection: Selection, started: pd.Timestamp | None) -> list[tuple[float, str]]:
    """The last few events of the stretch, by their time in the run."""
    if started is None or events.empty:
        return []
    own = events[
        (events["service"] == selection.service)
        & (events["run_id"].fillna("") == selection.run_id)
        & events["kind"].isin(MARKED_KINDS)
    ].dropna(subset=["timestamp"])
    at_s = (own["timestamp"] - started).dt.total_seconds().to_numpy(dtype=np.float64)
    inside = (at_s >= selection.start_s) & (at_s <= selection.end_s)
    names = [_name_event(*event) for event in own.loc[inside, ["kind", "message", "data"]].itertuples(index=False)]
    return list(zip(map(float, at_s[inside]), names, strict=True))[-MAX_MARKS:]


def _name_event(kind: object, message: object, data: object) -> str:
    if kind == "cell" and isinstance(data, Mapping) and isinstance(data.get("cell"), str):
        return make_printable(data["cell"])
    return make_printable(message if kind == "mark" and isinstance(message, str) else kind)
