"""The steps of a verdict, in order; a live series and a fleet of recorded runs take the same.

Each step takes a frame and the thresholds, and returns a frame with more columns; none changes what it was given. What
a step reads beside the frame is bound to it here. Loads numpy only: a step loads pandas when it is given a table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, partial

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.batch_verdict import judge_series
from memanalysis.analysis.leaks.accepted_leaks import AcceptedLeak, apply_known_leaks
from memanalysis.analysis.leaks.copy_on_write import find_copy_on_write
from memanalysis.analysis.leaks.families import judge_families
from memanalysis.analysis.leaks.fingerprint import add_fingerprint
from memanalysis.analysis.leaks.held_free import find_held_free
from memanalysis.analysis.leaks.origin import RunSamples, find_origin
from memanalysis.analysis.leaks.pile_ups import find_pile_ups
from memanalysis.analysis.leaks.responsible_line import SiteSource, TableSource, find_responsible
from memanalysis.analysis.series.prepare import SeriesBatch
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import Thresholds
from memanalysis.analysis.verdict import VerdictFrame
from memanalysis.analysis.verdict_sentence import write_sentence

__all__ = ["VerdictInputs", "VerdictStep", "make_verdict_steps", "run_verdict_steps"]

VerdictStep = Callable[[VerdictFrame, Thresholds], VerdictFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictInputs:
    """What the steps read: the series, and what is known beside them.

    Parameters
    ----------
    batches : mapping
        Prepared series by metric, each of the same m series.
    limits : array of float, shape (m,)
        Limits in bytes, NaN where there is none.
    rules : SeverityRules
        Thresholds of severity.
    samples : RunSamples, optional
        The samples, whose other columns show the origin.
    sites, events : DataFrame or callable, optional
        These tables, or what reads them; a callable is called only where there is a leak, that of the sites with the
        ids of the runs that leak.
    runs : DataFrame or callable, optional
        The table, or what reads it where there is more than one run: shows which processes are one family.
    accepted : iterable of AcceptedLeak
        Leaks that somebody accepted.
    today : date, optional
        The day to judge acceptances by; needed where there are any.
    """

    batches: Mapping[str, SeriesBatch]
    limits: FloatArray
    rules: SeverityRules
    samples: RunSamples | None = None
    sites: SiteSource = None
    events: TableSource = None
    runs: TableSource = None
    accepted: Iterable[AcceptedLeak] = ()
    today: date | None = None


def make_verdict_steps(inputs: VerdictInputs) -> list[VerdictStep]:
    """Return the steps of a verdict, in their order, bound to what they read."""
    events = cache(inputs.events) if callable(inputs.events) else inputs.events  # two steps read it
    return [
        partial(judge_series, batches=inputs.batches, limits=inputs.limits, rules=inputs.rules),
        partial(find_origin, samples=inputs.samples, events=events),
        partial(find_copy_on_write, batches=inputs.batches),
        partial(find_pile_ups, batches=inputs.batches),
        partial(find_held_free, samples=inputs.samples),
        partial(find_responsible, sites=inputs.sites, events=events),
        partial(judge_families, runs=inputs.runs, samples=inputs.samples, limits=inputs.limits, rules=inputs.rules),
        add_fingerprint,
        partial(apply_known_leaks, accepted=inputs.accepted, today=inputs.today),
        write_sentence,
    ]


def run_verdict_steps(steps: Sequence[VerdictStep], frame: VerdictFrame, thresholds: Thresholds) -> VerdictFrame:
    """Return what the last step returns."""
    for step in steps:
        frame = step(frame, thresholds)
    return frame
