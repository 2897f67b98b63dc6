"""Every number that a verdict hangs on, on one page: its value, its unit, what it is for, and where it comes from.

The steps of a verdict take a `Thresholds`. A sweep or a frozen release is another instance:
``replace(DEFAULT_THRESHOLDS, origin=OriginThresholds(min_share=0.5))``. What changes no verdict, such as the number of
series in one thread, stays where it is used. Loads no numpy.

Sources: a paper by its authors and year; *measured* is chosen and held by a benchmark of this project, named after it;
*convention* is a choice, whose reason is in the meaning.
"""

from dataclasses import dataclass, field
from typing import Any

from memanalysis.analysis.series.fold_limits import FOLD_SIZE, MAX_POINTS_KEPT
from memanalysis.schema import Sensitivity
from memanalysis.units import KIB, MIB

__all__ = [
    "DEFAULT_THRESHOLDS",
    "BaselineThresholds",
    "ComparisonThresholds",
    "ForecastThresholds",
    "GrowthThresholds",
    "LevelChangeThresholds",
    "OriginThresholds",
    "PeriodThresholds",
    "RetainerThresholds",
    "SeriesThresholds",
    "SeverityThresholds",
    "ShapeThresholds",
    "SiteThresholds",
    "SlowingThresholds",
    "Thresholds",
]

CONVENTION = "convention"
DETECTION = "measured: benchmarks detection"
SPEED = "measured: benchmarks analysis"
CPYTHON = "measured: sizes of CPython 3.11 to 3.13"


def _number(value: object, unit: str, source: str, meaning: str) -> Any:
    """Make a field of a threshold: its default, and what the table of thresholds shows of it."""
    return field(default=value, metadata={"unit": unit, "source": source, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesThresholds:
    """How a series is made fit to judge."""

    restart_fall: float = _number(
        0.5, "share", "convention of coroot", "A fall by more than this share of the value before may be a restart"
    )
    restart_share: float = _number(
        1 / 3, "share", CONVENTION, "The part after a restart is judged alone when it is at least this long"
    )
    fold_size: int = _number(FOLD_SIZE, "points", CONVENTION, "Points that become one, the middle of them")
    max_points_kept: int = _number(
        MAX_POINTS_KEPT,
        "points",
        CONVENTION,
        "A longer series is folded: 32 KB, 10 or more for each judged point",
    )
    max_points: int = _number(
        64, "points", SPEED, "A longer stretch is judged as this many medians: 2,016 pairwise slopes"
    )
    min_samples: int = _number(
        5, "samples", CONVENTION, "Five samples that all rise happen by chance once in 120 orders"
    )
    warm_up_share: float = _number(
        0.25,
        "share of the time",
        CONVENTION,
        "Programs fill caches and import modules at first: growth is judged after",
    )
    min_samples_to_cut_warm_up: int = _number(
        16, "samples", CONVENTION, "A shorter series is judged whole: what is left would be too little"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthThresholds:
    """How fast a series grows, and between which bounds."""

    confidence: float = _number(0.95, "probability", CONVENTION, "Coverage of the interval of the slope")
    min_freedom: float = _number(
        3.0, "degrees of freedom", CONVENTION, "Fewer are not taken: their quantiles are wider than any use"
    )
    lag_one_caution: float = _number(
        0.5,
        "standard errors",
        DETECTION,
        "Autocorrelation is taken higher than estimated: too narrow is the worse error",
    )
    max_lag_one: float = _number(0.98, "correlation", CONVENTION, "Beyond, a line and a random walk look alike")
    max_paired_points: int = _number(
        48, "points", SPEED, "Of more points the slope is taken from means of neighbours: pairs grow as the square"
    )
    outlier_sigmas: float = _number(
        5.0,
        "robust standard deviations",
        CONVENTION,
        "Residuals are clipped here: one spike must not widen the interval",
    )
    slow_waves: int = _number(
        8, "cosines", "paper: Mueller 2007", "The slowest cosines, which show whether residuals swing slowly"
    )
    min_points_of_slow_waves: int = _number(
        24, "points", CONVENTION, "In a shorter series eight cosines are no longer its slow ones"
    )
    slow_power_margin: float = _number(
        2.5, "ratio", DETECTION, "Slow power below 1 / 2.5 of the expected lowers the variance; 1 AR(1) series in 20"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineThresholds:
    """The lower envelope of a series, window by window."""

    max_windows: int = _number(
        8, "windows", CONVENTION, "Eight baselines in rising order: one chance in 40,320 where order is chance"
    )
    min_windows: int = _number(
        4,
        "windows",
        CONVENTION,
        "Four in rising order: one chance in 24; the slope's interval adds the rest of the proof",
    )
    min_samples_for_fewer_windows: float = _number(
        10.0, "independent samples", CONVENTION, "With fewer the noise is not known well enough to trade windows for it"
    )
    distinct_sigmas: float = _number(
        3.0, "standard deviations", CONVENTION, "Baselines are distinct when they differ by more noise than this"
    )
    quantile: float = _number(
        0.2, "share of samples", CONVENTION, "The baseline of a window: the very lowest sample may be a misreading"
    )
    quantile_noise: float = _number(
        1.4, "ratio", "theory: normal quantiles", "A low quantile scatters this much more than a mean"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodThresholds:
    """Whether a series swings with a period."""

    min_periods: int = _number(3, "periods", CONVENTION, "Fewer whole periods have no baselines to compare")
    min_power: float = _number(
        0.5, "share of variance", CONVENTION, "What must come back after one period for a series to be periodic"
    )
    max_uneven_steps: float = _number(
        1.0, "steps", CONVENTION, "Times that are further off an even grid are put onto it"
    )
    first_peak_share: float = _number(
        0.9, "share of the highest peak", CONVENTION, "The first peak this high is the period, not a multiple of it"
    )
    min_points: int = _number(12, "points", CONVENTION, "Fewer points show no period")


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChangeThresholds:
    """Whether a few jumps between flat stretches explain a series."""

    max_changes: int = _number(3, "jumps", CONVENTION, "More are no longer a few steps")
    min_piece: int = _number(3, "points", CONVENTION, "A flat stretch is at least this long, so that a spike is none")
    min_gain: float = _number(0.02, "share of variance", DETECTION, "A cut counts when it removes at least this much")
    explained_share: float = _number(
        0.85, "share of variance", DETECTION, "What the jumps must explain of a stepped series"
    )
    sudden_share: float = _number(
        0.5, "share of the change", CONVENTION, "What must happen within a few points: a step does, a ramp does not"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowingThresholds:
    """Whether growth slows down: a saturating curve against a straight line."""

    min_time_constant: float = _number(0.03, "share of the length", CONVENTION, "Shortest time constant of a curve")
    max_time_constant: float = _number(2.0, "share of the length", CONVENTION, "Longest: beyond, curves are lines")
    time_constants: int = _number(16, "curves", SPEED, "Time constants tried, evenly spread by their logarithm")
    min_information_gain: float = _number(
        10.0, "BIC", "paper: Kass and Raftery 1995", "From here on one model is very strongly preferred"
    )
    max_end_to_mean: float = _number(
        0.75, "ratio of slopes", DETECTION, "A preferred curve that ends below this share of its mean slope slows down"
    )
    max_end_to_mean_of_half: float = _number(
        0.85, "ratio of slopes", DETECTION, "The same in the second half alone, where a curve bends less"
    )
    min_points_of_half: int = _number(5, "points", CONVENTION, "Fewer points show no bend")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeThresholds:
    """Which shape a series has."""

    proof_confidence: float = _number(
        0.98, "probability", DETECTION, "At which the slope must lie above zero before a leak is shown"
    )
    proof_confidence_all_windows: float = _number(
        0.90,
        "probability",
        DETECTION,
        "The same where all eight baselines are distinct: their rise is most of the proof",
    )
    min_weakest_share: float = _number(
        0.05, "share of the slope", DETECTION, "The baseline must rise at least this fast in each window"
    )
    min_growth_noise: float = _number(
        4.0, "standard deviations", DETECTION, "Growth must exceed this much slow noise: slow swings look like growth"
    )
    min_growth_bytes: int = _number(
        32 * KIB, "bytes", CONVENTION, "Eight pages: allocators move by as much with nothing retained"
    )
    min_growth_share: float = _number(
        0.001, "share of the level", CONVENTION, "Less is not distinct from an allocator's drift"
    )
    max_lag_one_of_white_noise: float = _number(
        0.35, "correlation", DETECTION, "White noise lies below this in 19 of 20 series; with less there is no step"
    )
    swing_share: float = _number(0.4, "share of the range", CONVENTION, "A smaller rise or fall is noise, no swing")
    min_swings: int = _number(3, "swings", CONVENTION, "Up, down, up and down again")
    sawtooth_share: float = _number(
        0.2, "share of the level", CONVENTION, "Smaller swings are noise about a stable level, no saw-tooth"
    )
    still_share: float = _number(
        0.1, "share of the rise", CONVENTION, "A level that moves by less than this, after its rise, keeps still"
    )
    beginning_part: int = _number(20, "1 / share of points", CONVENTION, "The beginning of a series is a 20th of it")
    end_part: int = _number(5, "1 / share of points", CONVENTION, "The end of a series is a fifth of it")
    min_points_of_part: int = _number(3, "points", CONVENTION, "Beginning and end have at least this many points")
    over_part: int = _number(
        20, "1 / share of the rise", CONVENTION, "A rise is over when less than a 20th of it is in the last windows"
    )
    last_windows_part: int = _number(
        4, "1 / share of windows", CONVENTION, "The last windows are a quarter of all, and two at least"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityThresholds:
    """How bad a leak is; growth is measured against the thresholds of the policy."""

    excess_steps: tuple[float, float, float] = _number(
        (1.0, 2.0, 5.0), "multiples of the policy's threshold", CONVENTION, "Growth that is medium, high, critical"
    )
    days_left_steps: tuple[float, float, float] = _number(
        (7.0, 1.0, 1 / 24), "days to the limit", CONVENTION, "A week, a day, an hour: medium, high, critical"
    )
    low_sensitivity: float = _number(2.0, "factor", CONVENTION, "The policy's thresholds times this: half as sensitive")
    medium_sensitivity: float = _number(1.0, "factor", CONVENTION, "The policy's thresholds as they are")
    high_sensitivity: float = _number(
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

    confidence: float = _number(0.90, "probability", DETECTION, "Coverage of the time to the limit")
    lead_sigmas: float = _number(
        2.0, "standard deviations", DETECTION, "Noise reaches a limit before the line: by up to this in 19 of 20 series"
    )
    min_episodes: int = _number(3, "episodes", CONVENTION, "Two gaps are the fewest that show how much gaps differ")
    gap_confidence: float = _number(
        0.93,
        "probability",
        DETECTION,
        "Of the distribution of a gap, for an interval that holds the next start in 90 %",
    )
    overdue_share: float = _number(
        0.02,
        "share of gaps",
        CONVENTION,
        "Where fewer gaps would be as long as the present one, the episodes have ended",
    )
    hysteresis_sigmas: float = _number(
        2.0,
        "standard deviations",
        CONVENTION,
        "An episode ends this far below its level: at the level noise crosses often",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginThresholds:
    """Where growth of RSS comes from."""

    min_share: float = _number(
        0.4, "share of the growth", DETECTION, "A part that explains this much of the growth of RSS is its origin"
    )
    min_share_of_a_leak: float = _number(
        0.1, "share of the growth", DETECTION, "The same where traced bytes leak too: allocators inflate small objects"
    )
    min_unexplained_share: float = _number(
        0.1, "share of the growth", CONVENTION, "Left to explain at least, whatever the tracer itself takes"
    )
    min_seen_bytes: int = _number(
        MIB, "bytes", CONVENTION, "Growth in all windows that is no mere page of an arena or a stack"
    )
    max_slowdown: float = _number(50.0, "times", CONVENTION, "By which tracing slows a program, and its leak, at most")
    sampling_interval_bytes: int = _number(
        128 * KIB, "bytes", CONVENTION, "Mean bytes between two samples of the recorder's sampler"
    )
    sampling_sigmas: float = _number(
        2.0, "standard errors", CONVENTION, "Added to what is sampled before growth is called native"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteThresholds:
    """How the growth of allocation sites is measured over snapshots."""

    warm_up_share: float = _number(0.25, "share of the time", CONVENTION, "Earlier snapshots are left out: warm-up")
    min_snapshots: int = _number(3, "snapshots", CONVENTION, "Where fewer remain after the warm-up, all are taken")
    max_snapshots: int = _number(
        60, "snapshots", SPEED, "More are thinned evenly: slopes take their square for each site"
    )
    min_sampling_sigmas: float = _number(
        2.0, "standard errors", CONVENTION, "Growth of a sampled site counts from here on"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainerThresholds:
    """Which line holds the container that retains what leaked."""

    min_objects: int = _number(
        200, "objects", CONVENTION, "Added at least: smaller containers are in every program, and grow for many reasons"
    )
    min_bytes_an_object: float = _number(
        4.0, "bytes", CPYTHON, "Half a reference of 8 bytes: a list is enlarged by an eighth ahead of its need"
    )
    max_bytes_an_object: float = _number(
        200.0, "bytes", CPYTHON, "After a resize an entry of a dict takes up to 120, of a set 107; more is data"
    )
    objects_a_block: int = _number(
        32,
        "objects",
        CPYTHON,
        "A container is one block, a deque one for 64 references; half as many more may be others",
    )
    min_bytes_an_added_block: float = _number(
        500.0, "bytes", CPYTHON, "A deque adds a block of 528 bytes, other containers none: smaller blocks are objects"
    )
    min_share: float = _number(
        0.05, "share of the growth", CONVENTION, "A line with less does not show how many objects leaked"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonThresholds:
    """Which change from one ledger to another matters."""

    confidence: float = _number(0.95, "probability", CONVENTION, "Coverage of the interval of a change")
    min_change_bytes: int = _number(MIB, "bytes", CONVENTION, "A process is never twice the same size")
    min_change_share: float = _number(0.02, "share of the level", CONVENTION, "The same for large processes")
    min_site_bytes: int = _number(64 * KIB, "bytes", CONVENTION, "The same for one allocation site")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Every number that a verdict hangs on."""

    series: SeriesThresholds = SeriesThresholds()
    growth: GrowthThresholds = GrowthThresholds()
    baseline: BaselineThresholds = BaselineThresholds()
    period: PeriodThresholds = PeriodThresholds()
    level_change: LevelChangeThresholds = LevelChangeThresholds()
    slowing: SlowingThresholds = SlowingThresholds()
    shape: ShapeThresholds = ShapeThresholds()
    severity: SeverityThresholds = SeverityThresholds()
    forecast: ForecastThresholds = ForecastThresholds()
    origin: OriginThresholds = OriginThresholds()
    site: SiteThresholds = SiteThresholds()
    retainer: RetainerThresholds = RetainerThresholds()
    comparison: ComparisonThresholds = ComparisonThresholds()


DEFAULT_THRESHOLDS = Thresholds()
"""What every verdict is judged by where nothing else is given."""
