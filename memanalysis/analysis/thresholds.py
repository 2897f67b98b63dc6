"""Every number that a verdict hangs on: its value, its unit, what it is for, and where it comes from.

The steps of a verdict take a `Thresholds`. A sweep or a frozen release is another instance:
``replace(DEFAULT_THRESHOLDS, origin=OriginThresholds(min_share=0.5))``. The numbers of a series, of a trend and of a
line are in `series_thresholds`, `trend_thresholds` and `line_thresholds`. What changes no verdict, such as the number
of series in one thread, stays where it is used. Loads no numpy.
"""

from dataclasses import dataclass, field, replace

from memanalysis.analysis.line_thresholds import RetainerThresholds, SiteThresholds
from memanalysis.analysis.series_thresholds import BaselineThresholds, GrowthThresholds, SeriesThresholds
from memanalysis.analysis.threshold_fields import CONVENTION, DETECTION, SPEED, make_number
from memanalysis.analysis.trend_thresholds import (
    FallThresholds,
    JumpThresholds,
    LevelChangeThresholds,
    OnsetThresholds,
    PartThresholds,
    PeriodThresholds,
    ShapeThresholds,
    SlowingThresholds,
)
from memanalysis.schema import Sensitivity
from memanalysis.units import KIB, MIB

__all__ = [
    "DEFAULT_THRESHOLDS",
    "AllocatorThresholds",
    "BaselineThresholds",
    "ComparisonThresholds",
    "FallThresholds",
    "FamilyThresholds",
    "ForecastThresholds",
    "GrowthThresholds",
    "HistoryThresholds",
    "JumpThresholds",
    "LevelChangeThresholds",
    "OnsetThresholds",
    "OriginThresholds",
    "PartThresholds",
    "PeerThresholds",
    "PeriodThresholds",
    "PileUpThresholds",
    "PivotThresholds",
    "RetainerThresholds",
    "SeriesThresholds",
    "SeverityThresholds",
    "ShapeThresholds",
    "SiteThresholds",
    "SlowingThresholds",
    "TaskThresholds",
    "Thresholds",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityThresholds:
    """How bad a leak is; growth is measured against the thresholds of the policy."""

    excess_steps: tuple[float, float, float] = make_number(
        (1.0, 2.0, 5.0), "multiples of the policy's threshold", CONVENTION, "Growth that is medium, high, critical"
    )
    days_left_steps: tuple[float, float, float] = make_number(
        (7.0, 1.0, 1 / 24), "days to the limit", CONVENTION, "A week, a day, an hour: medium, high, critical"
    )
    low_sensitivity: float = make_number(
        2.0, "factor", CONVENTION, "The policy's thresholds times this: half as sensitive"
    )
    medium_sensitivity: float = make_number(1.0, "factor", CONVENTION, "The policy's thresholds as they are")
    high_sensitivity: float = make_number(
        0.5, "factor", CONVENTION, "The policy's thresholds times this: twice as sensitive"
    )

    def sensitivity_factor(self, sensitivity: Sensitivity) -> float:
        """Return the factor on the policy's thresholds."""
        return {"low": self.low_sensitivity, "medium": self.medium_sensitivity, "high": self.high_sensitivity}[
            sensitivity
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastThresholds:
    """When a limit is reached, and when an episode comes back."""

    confidence: float = make_number(0.90, "probability", DETECTION, "Coverage of the time to the limit")
    lead_sigmas: float = make_number(
        2.0, "standard deviations", DETECTION, "Noise reaches a limit before the line: by up to this in 19 of 20 series"
    )
    min_share_beyond: float = make_number(
        0.001, "share of the limit", CONVENTION, "What is beyond it by less is at its limit, and not over it"
    )
    min_episodes: int = make_number(3, "episodes", CONVENTION, "Two gaps are the fewest that show how much gaps differ")
    gap_confidence: float = make_number(
        0.93,
        "probability",
        DETECTION,
        "Of the distribution of a gap, for an interval that holds the next start in 90 %",
    )
    overdue_share: float = make_number(
        0.02,
        "share of gaps",
        CONVENTION,
        "Where fewer gaps would be as long as the present one, the episodes have ended",
    )
    hysteresis_sigmas: float = make_number(
        2.0,
        "standard deviations",
        CONVENTION,
        "An episode ends this far below its level: at the level noise crosses often",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginThresholds:
    """Where growth of RSS comes from."""

    min_share: float = make_number(
        0.4, "share of the growth", DETECTION, "A part that explains this much of the growth of RSS is its origin"
    )
    min_share_of_a_leak: float = make_number(
        0.1, "share of the growth", DETECTION, "The same where traced bytes leak too: allocators inflate small objects"
    )
    min_unexplained_share: float = make_number(
        0.1, "share of the growth", CONVENTION, "Left to explain at least, whatever the tracer itself takes"
    )
    min_seen_bytes: int = make_number(
        MIB, "bytes", CONVENTION, "Growth in all windows that is no mere page of an arena or a stack"
    )
    max_slowdown: float = make_number(
        50.0, "times", CONVENTION, "By which tracing slows a program, and its leak, at most"
    )
    sampling_interval_bytes: int = make_number(
        128 * KIB, "bytes", CONVENTION, "Mean bytes between two samples of the recorder's sampler"
    )
    min_private_samples: int = make_number(5, "samples", CONVENTION, "As many as every verdict needs")
    min_copy_steps: int = make_number(3, "steps", CONVENTION, "Of private memory, at least: fewer are ends of children")
    min_copy_step_share: float = make_number(0.02, "share of the growth", CONVENTION, "A rise by less is no such step")
    min_rest_share: float = make_number(
        0.1, "share of the growth", CONVENTION, "Left without its largest step: one step is the end of a child"
    )
    max_falling_share: float = make_number(
        0.1, "share of the growth", CONVENTION, "By which private memory may fall between: copies are not undone"
    )
    max_resident_share_of_a_leak: float = make_number(
        0.1, "share of the growth", CONVENTION, "Resident memory that seems to leak is none beside so much more copying"
    )
    min_copied_bytes: int = make_number(
        8 * MIB, "bytes", CONVENTION, "The heap of an interpreter, which every forked process copies in the end"
    )
    min_copied_share: float = make_number(0.02, "share of the level", CONVENTION, "The same for large processes")
    max_resident_share: float = make_number(
        0.25, "share of the growth", CONVENTION, "Resident memory that grows by more of it is no mere copying"
    )
    min_traced_share: float = make_number(
        0.1, "share of the growth", CONVENTION, "Where less of a native leak is traced no line is named"
    )
    min_share_to_settle: float = make_number(
        0.25, "share of the growth", CONVENTION, "Sampled bytes that grow steadily by this much settle what slows down"
    )
    max_share_of_a_swing: float = make_number(
        0.1, "share of the swing", DETECTION, "Growth of RSS below, beside sampled bytes that swing, is no leak"
    )
    swing_quantiles: tuple[float, float] = make_number(
        (0.1, 0.9), "quantiles", CONVENTION, "Between them lies a swing: eight in ten values"
    )
    min_turns_of_a_swing: int = make_number(
        4, "turns", CONVENTION, "Between rises and falls: one step, or a trend, turns at most once"
    )
    min_share_of_a_turn: float = make_number(
        2 / 3, "share of the swing", CONVENTION, "By as much each rise and fall must go"
    )
    sampling_sigmas: float = make_number(
        2.0, "standard errors", CONVENTION, "Added to what is sampled before growth is called native"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PileUpThresholds:
    """Which growth of the number of threads or descriptors is a leak."""

    min_growth: int = make_number(10, "count", CONVENTION, "A pool that fills adds fewer after the warm-up")
    min_share: float = make_number(0.25, "share of the count", CONVENTION, "The same for processes that have many")
    min_readings: int = make_number(10, "readings", CONVENTION, "They are read every two seconds at most")
    min_seconds: float = make_number(20.0, "seconds", CONVENTION, "Pools open their threads and connections at first")


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocatorThresholds:
    """When memory that the allocator holds free is mentioned though nothing leaks."""

    min_free_bytes: int = make_number(16 * MIB, "bytes", CONVENTION, "Less is the reserve of a healthy allocator")
    min_free_share: float = make_number(0.2, "share of the level", CONVENTION, "The same for large processes")
    last_readings: int = make_number(3, "readings", CONVENTION, "The middle of the last ones counts: one may be odd")


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyThresholds:
    """How the sum over a family of processes is judged."""

    min_readings: int = make_number(8, "readings", CONVENTION, "Of the sum: it is read every two seconds at most")
    min_seconds: float = make_number(20.0, "seconds", CONVENTION, "Workers start and warm up at first")
    min_share: float = make_number(0.5, "share of the growth", CONVENTION, "What explains this much is the explanation")
    min_alike_share: float = make_number(
        0.3, "share of the largest growth", CONVENTION, "A worker that grows by this much grows like the others"
    )
    min_alike_workers: float = make_number(0.7, "share of the workers", CONVENTION, "This part of them is each of them")
    max_flat_share: float = make_number(
        0.25, "share of the growth", CONVENTION, "Private memory and sum that move by less show that pages are shared"
    )
    min_private_readings: int = make_number(5, "readings", CONVENTION, "As many as every verdict needs")
    edge_share: float = make_number(0.1, "share of the time", CONVENTION, "Processes are counted so far from both ends")
    max_points: int = make_number(2_000, "points", CONVENTION, "Of the series of a sum: more are not judged")
    start_slack_s: float = make_number(
        1.0, "seconds", CONVENTION, "A parent's recorder may begin so much later than its child's: clocks differ"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonThresholds:
    """Which change from one ledger to another matters."""

    confidence: float = make_number(0.95, "probability", CONVENTION, "Coverage of the interval of a change")
    max_p_value: float = make_number(
        0.01, "probability", CONVENTION, "Chance makes a change of less than this in a comparison with none"
    )
    min_change_bytes: int = make_number(512 * KIB, "bytes", CONVENTION, "A process is never twice the same size")
    min_change_share: float = make_number(
        0.03,
        "share of the level",
        CONVENTION,
        "Memory that stays at its highest so far differs by less from run to run",
    )
    min_site_bytes: int = make_number(64 * KIB, "bytes", CONVENTION, "The same for one allocation site")
    level_scatter: float = make_number(
        0.005, "share of the level", DETECTION, "Two runs of one program differ by this, which one run does not show"
    )
    slope_scatter: float = make_number(
        0.05, "share of the slope", CONVENTION, "The same for growth, whose pace follows the load of the machine"
    )
    blocks: int = make_number(
        8, "blocks", CONVENTION, "A series is cut into as many: their means differ by what its level is uncertain by"
    )
    min_blocks: int = make_number(4, "blocks", CONVENTION, "Fewer do not show how much they differ")
    min_samples_of_block: int = make_number(5, "samples", CONVENTION, "Shorter blocks are not independent")
    max_variance_without: float = make_number(
        0.1, "share of the variance", CONVENTION, "First blocks are left out where the level then has at most as much"
    )
    max_points_of_a_period: int = make_number(
        1024, "points", SPEED, "Of a longer series as many are searched for a period"
    )
    min_snapshots_of_a_line: int = make_number(
        4, "snapshots", CONVENTION, "From as many the growth of a site is no noise: a line through three fits anything"
    )
    warm_up_share: float = make_number(
        0.25, "share of the time", CONVENTION, "Earlier snapshots are left out where enough remain: warm-up"
    )
    single_snapshot_error: float = make_number(
        0.4, "share of the size", CONVENTION, "What a site holds at one moment may be a batch that is freed in the next"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryThresholds:
    """When a leak that was seen is gone, and when a service is still recorded."""

    min_healthy_share: float = make_number(
        0.5, "share of the shortest leaking run", CONVENTION, "A run that was shorter had no time to show the leak"
    )
    still_recorded_s: float = make_number(
        3600.0, "seconds", CONVENTION, "A run may be so much behind the last sample of the ledger and go on"
    )
    still_recorded_steps: float = make_number(10.0, "steps", CONVENTION, "The same of one with few samples")


@dataclass(frozen=True, slots=True, kw_only=True)
class PivotThresholds:
    """Which value of a label explains a leak."""

    max_p_value: float = make_number(
        0.01, "probability", CONVENTION, "Chance names a value of less than this in a fleet where none matters"
    )
    min_difference: float = make_number(
        0.25, "share of the runs", CONVENTION, "What leaks hardly more often with a value is not explained by it"
    )
    min_units: int = make_number(2, "runs", CONVENTION, "What one run alone has is its name and no explanation")
    min_z_score: float = make_number(
        2.0, "standard deviations", CONVENTION, "Below it none remains after the correction: no exact test is made"
    )
    same_runs: float = make_number(
        0.95, "share of the runs", CONVENTION, "Values that have as many runs in common cannot be held apart"
    )
    max_explanations: int = make_number(5, "explanations", CONVENTION, "A reader has no use for more")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerThresholds:
    """Which run differs from the other runs of its service."""

    min_z_score: float = make_number(
        3.5, "modified z-scores", "paper: Iglewicz and Hoaglin 1993", "Distance from the median, by the median distance"
    )
    min_share: float = make_number(0.25, "share of the median", CONVENTION, "What is nearer makes no difference")
    min_peers: int = make_number(4, "runs", CONVENTION, "Fewer have no usual size")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskThresholds:
    """Which tasks of a worker grow its memory."""

    min_share: float = make_number(
        0.5, "share of the growth", CONVENTION, "Tasks with less of it are not named: most of it is elsewhere"
    )
    min_sigmas: float = make_number(
        3.0, "standard errors", CONVENTION, "Growth by a task's memory in one block is no growth with each task"
    )
    groups: int = make_number(
        20, "groups of blocks", CONVENTION, "Left out one by one (jackknife): what differs among them is the error"
    )
    min_groups: int = make_number(5, "groups of blocks", CONVENTION, "Fewer do not show how much they differ")
    min_apart: float = make_number(
        1e-6,
        "ratio of singular values",
        CONVENTION,
        "Below it kinds of tasks always run together, and share the growth",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Every number that a verdict hangs on."""

    series: SeriesThresholds = field(default_factory=SeriesThresholds)
    growth: GrowthThresholds = field(default_factory=GrowthThresholds)
    baseline: BaselineThresholds = field(default_factory=BaselineThresholds)
    period: PeriodThresholds = field(default_factory=PeriodThresholds)
    level_change: LevelChangeThresholds = field(default_factory=LevelChangeThresholds)
    slowing: SlowingThresholds = field(default_factory=SlowingThresholds)
    jump: JumpThresholds = field(default_factory=JumpThresholds)
    fall: FallThresholds = field(default_factory=FallThresholds)
    part: PartThresholds = field(default_factory=PartThresholds)
    onset: OnsetThresholds = field(default_factory=OnsetThresholds)
    shape: ShapeThresholds = field(default_factory=ShapeThresholds)
    severity: SeverityThresholds = field(default_factory=SeverityThresholds)
    forecast: ForecastThresholds = field(default_factory=ForecastThresholds)
    origin: OriginThresholds = field(default_factory=OriginThresholds)
    pile_up: PileUpThresholds = field(default_factory=PileUpThresholds)
    allocator: AllocatorThresholds = field(default_factory=AllocatorThresholds)
    family: FamilyThresholds = field(default_factory=FamilyThresholds)
    site: SiteThresholds = field(default_factory=SiteThresholds)
    retainer: RetainerThresholds = field(default_factory=RetainerThresholds)
    comparison: ComparisonThresholds = field(default_factory=ComparisonThresholds)
    history: HistoryThresholds = field(default_factory=HistoryThresholds)
    pivot: PivotThresholds = field(default_factory=PivotThresholds)
    peer: PeerThresholds = field(default_factory=PeerThresholds)
    task: TaskThresholds = field(default_factory=TaskThresholds)

    def from_first_evidence(self) -> "Thresholds":
        """Return the same for series whose warm-up is known to be over, or which have no more samples to come."""
        series = replace(
            self.series,
            min_seconds_of_a_leak=0.0,
            min_seconds_of_few_samples=0.0,
            min_seconds_of_few_bytes=0.0,
            min_seconds_of_a_small_share=0.0,
        )
        return replace(self, series=series)

    def of_counts(self) -> "Thresholds":
        """Return the same for counts of threads or descriptors, which are read rarely."""
        rules = self.from_first_evidence()
        return replace(rules, shape=replace(rules.shape, min_growth_bytes=self.pile_up.min_growth))


DEFAULT_THRESHOLDS = Thresholds()
"""What every verdict is judged by where nothing else is given."""
