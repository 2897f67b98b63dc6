"""Select a part of a ledger. Pure: frames in, records out, no widgets.

A selection is one run of one service, one metric and a stretch of time in seconds since the run's first sample. It is
always one that can be shown: each change gives a new selection that fits the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memanalysis.errors import InvalidArgumentError
from memanalysis.widgets.run_rows import SampleRuns

__all__ = [
    "Choices",
    "Selection",
    "choose_metric",
    "choose_range",
    "choose_run",
    "choose_service",
    "first_selection",
    "list_choices",
]


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


def first_selection(runs: SampleRuns) -> Selection | None:
    """The newest run of the first service, whole; None when there are no samples."""
    services = runs.list_services()
    return _select(runs, services[0]) if services else None


def list_choices(runs: SampleRuns, selection: Selection) -> Choices:
    """What can be selected from here."""
    lengths_s = runs.find_lengths_s(selection.service, selection.run_id)
    return Choices(
        services=runs.list_services(),
        run_ids=runs.list_runs(selection.service),
        metrics=list(lengths_s),
        length_s=lengths_s[selection.metric],
    )


def choose_service(runs: SampleRuns, selection: Selection, service: str) -> Selection:
    """Select another service: its newest run, the same metric if it has it, all of its time.

    Raises
    ------
    InvalidArgumentError
        The ledger has no such service.
    """
    return _select(runs, service, metric=selection.metric)


def choose_run(runs: SampleRuns, selection: Selection, run_id: str) -> Selection:
    """Select another run of the service, all of its time."""
    return _select(runs, selection.service, run_id=run_id, metric=selection.metric)


def choose_metric(runs: SampleRuns, selection: Selection, metric: str) -> Selection:
    """Select another metric of the same stretch of time."""
    whole = _select(runs, selection.service, run_id=selection.run_id, metric=metric)
    return choose_range(whole, selection.start_s, selection.end_s, length_s=whole.end_s)


def choose_range(selection: Selection, start_s: float, end_s: float, *, length_s: float) -> Selection:
    """Select another stretch of time, cut to the run; a stretch turned round is turned back."""
    start_s, end_s = sorted((start_s, end_s))
    start_s = min(max(start_s, 0.0), length_s)
    return replace(selection, start_s=start_s, end_s=min(max(end_s, start_s), length_s))


def _select(runs: SampleRuns, service: str, *, run_id: str | None = None, metric: str | None = None) -> Selection:
    run_ids = runs.list_runs(service)
    if not run_ids:
        known = ", ".join(runs.list_services())
        raise InvalidArgumentError(f"The ledger has no service {service!r}. It has: {known}.")
    run_id = run_ids[-1] if run_id not in run_ids or run_id is None else run_id
    lengths_s = runs.find_lengths_s(service, run_id)
    metric = next(iter(lengths_s)) if metric not in lengths_s or metric is None else metric
    return Selection(service=service, run_id=run_id, metric=metric, start_s=0.0, end_s=lengths_s[metric])
