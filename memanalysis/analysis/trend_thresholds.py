"""The numbers of a trend: which shape a series has, and when the word leak is given or kept. Loads no numpy."""

from dataclasses import dataclass

from memanalysis.analysis.threshold_fields import CONVENTION, DETECTION, SPEED, make_number
from memanalysis.units import KIB

__all__ = [
    "FallThresholds",
    "JumpThresholds",
    "LevelChangeThresholds",
    "OnsetThresholds",
    "PartThresholds",
    "PeriodThresholds",
    "ShapeThresholds",
    "SlowingThresholds",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodThresholds:
    """Whether a series swings with a period."""

    min_periods: int = make_number(3, "periods", CONVENTION, "Fewer whole periods have no baselines to compare")
    min_power: float = make_number(
        0.5, "share of variance", CONVENTION, "What must come back after one period for a series to be periodic"
    )
    max_uneven_steps: float = make_number(
        1.0, "steps", CONVENTION, "Times that are further off an even grid are put onto it"
    )
    first_peak_share: float = make_number(
        0.9, "share of the highest peak", CONVENTION, "The first peak this high is the period, not a multiple of it"
    )
    min_points: int = make_number(12, "points", CONVENTION, "Fewer points show no period")
    min_phases: int = make_number(4, "parts of a period", CONVENTION, "The mean of each is taken out with a cycle")
    max_phases: int = make_number(24, "parts of a period", CONVENTION, "The same where there are many samples: hours")


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChangeThresholds:
    """Whether a few jumps between flat stretches explain a series."""

    max_changes: int = make_number(3, "jumps", CONVENTION, "More are no longer a few steps")
    min_piece: int = make_number(
        3, "points", CONVENTION, "A flat stretch is at least this long, so that a spike is none"
    )
    min_gain: float = make_number(
        0.02, "share of variance", DETECTION, "A cut counts when it removes at least this much"
    )
    explained_share: float = make_number(
        0.85, "share of variance", DETECTION, "What the jumps must explain of a stepped series"
    )
    sudden_share: float = make_number(
        0.5, "share of the change", CONVENTION, "What must happen within a few points: a step does, a ramp does not"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowingThresholds:
    """Whether growth slows down: a saturating curve against a straight line."""

    min_time_constant: float = make_number(0.03, "share of the length", CONVENTION, "Shortest time constant of a curve")
    max_time_constant: float = make_number(6.0, "share of the length", CONVENTION, "Longest: beyond, curves are lines")
    time_constants: int = make_number(20, "curves", SPEED, "Time constants tried, evenly spread by their logarithm")
    min_information_gain: float = make_number(
        6.0, "BIC", "paper: Kass and Raftery 1995", "From here on one model is strongly preferred"
    )
    max_end_to_mean: float = make_number(
        0.85, "ratio of slopes", DETECTION, "A preferred curve that ends below this share of its mean slope slows down"
    )
    bends: int = make_number(15, "bends", SPEED, "Places tried at which the slope of a line may change once")
    min_bend_gain: float = make_number(
        10.0, "BIC", "paper: Kass and Raftery 1995", "From here on a slope that changes once is very strongly preferred"
    )
    max_end_to_mean_of_bend: float = make_number(
        0.7, "ratio of slopes", DETECTION, "A slope that changes once slows down only where it ends below this share"
    )
    min_end_to_mean_of_growth: float = make_number(
        0.5, "ratio of slopes", DETECTION, "What slows down but ends above this share still grows, and fills no cache"
    )
    max_end_to_mean_of_half: float = make_number(
        0.85, "ratio of slopes", DETECTION, "The same in the second half alone, where a curve bends less"
    )
    min_points_of_half: int = make_number(5, "points", CONVENTION, "Fewer points show no bend")
    beginning_part: int = make_number(
        10, "1 / share of points", CONVENTION, "The very beginning, left out of early growth, is a tenth of it"
    )
    points_of_a_short_series: int = make_number(
        50, "points", DETECTION, "With fewer a cache that fills is nearly a line: growth must be the steadier"
    )
    min_steady_end_to_mean_of_short: float = make_number(
        0.9, "ratio of slopes", DETECTION, "Steady growth of few points ends this fast, after its very beginning"
    )
    min_steady_end_to_mean: float = make_number(0.85, "ratio of slopes", DETECTION, "The same of more points")
    min_steady_end_to_mean_of_warm: float = make_number(
        0.98, "ratio of slopes", DETECTION, "Or this fast after the warm-up, which may take longer"
    )
    late_start: float = make_number(0.4, "share of points", DETECTION, "Where starting up took longer than that")
    min_steady_end_to_mean_of_late: float = make_number(
        0.9, "ratio of slopes", DETECTION, "Growth since then is steady if it ends this fast, less a standard error"
    )
    min_steady_end_to_mean_of_late_short: float = make_number(
        0.93, "ratio of slopes", DETECTION, "The same of few points"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpThresholds:
    """Which sudden jumps are taken out before growth is judged again."""

    min_sigmas: float = make_number(
        6.0, "robust standard deviations", DETECTION, "A step this far beyond the usual one is a jump"
    )
    min_range_share: float = make_number(0.015, "share of the range", DETECTION, "A smaller jump bends no line")
    min_half_share: float = make_number(
        0.25, "share of the jump", CONVENTION, "In each of two steps over which a jump is spread"
    )
    max_steps: int = make_number(2, "steps", CONVENTION, "A rise over more steps is growth, not a jump")
    max_jumps: int = make_number(5, "jumps", CONVENTION, "More are the way in which a series grows")
    max_released_share: float = make_number(
        0.7, "share of the rise", DETECTION, "Falls that give back more of the rise are teeth of a saw"
    )
    parts_with_lows: int = make_number(4, "parts", CONVENTION, "Whose lows must rise where memory is released in part")
    fitted_share: float = make_number(
        0.125, "share of the samples", CONVENTION, "On each side of a jump, by which its size is measured"
    )
    min_fitted_samples: int = make_number(4, "samples", CONVENTION, "The same of a short series")
    min_low_rise: float = make_number(
        0.25, "share of the mean rise", DETECTION, "By which each low must rise, of a part or a period"
    )
    min_mean_low_rise: float = make_number(
        0.6, "share of the mean rise", DETECTION, "The same for all lows of periods, or after falls"
    )
    min_falls_with_lows: int = make_number(3, "falls", CONVENTION, "Fewer levels after falls show no rise")
    min_explained_of_lows: float = make_number(
        0.6, "share of variance", DETECTION, "What a line must explain of the levels after falls"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FallThresholds:
    """Which large falls make growth after them doubtful, and which are restarts."""

    min_share_of_growth: float = make_number(
        0.5, "share of the growth", DETECTION, "A fall by this much of what grew since may come again"
    )
    min_share_of_largest: float = make_number(
        0.5, "share of the largest fall", CONVENTION, "A smaller fall does not compare with the largest"
    )
    min_falls_of_a_cycle: int = make_number(3, "falls", CONVENTION, "As many show a baseline, which the windows judge")
    min_samples_before: int = make_number(4, "samples", CONVENTION, "Fewer show no rate of growth before the fall")
    max_ratio_of_slopes: float = make_number(
        2.5, "ratio of slopes", DETECTION, "Growth before and after a fall is the same up to this"
    )
    max_share_of_other_falls: float = make_number(
        0.25, "share of the largest fall", DETECTION, "Another fall by more, beside that of a restart, is a collection"
    )
    min_rise_of_lows: float = make_number(
        0.5, "share of the slope", DETECTION, "At least as fast the lows after many falls must rise"
    )
    max_ratio_of_slopes_of_restart: float = make_number(
        1.5, "ratio of slopes", DETECTION, "A leak goes on after a restart at its rate up to this"
    )
    min_samples_after_restart: int = make_number(
        75, "samples", DETECTION, "With fewer a fall that took back all that had grown may be one of many"
    )
    max_share_of_a_part: float = make_number(
        0.8, "share of the growth", DETECTION, "A fall by more of what grew before it may be collected garbage"
    )
    min_share_beyond: float = make_number(
        0.2, "share of the growth", DETECTION, "Growth that goes less beyond a level held before only regains it"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartThresholds:
    """When a leak that a part of the record shows is one still."""

    min_points: int = make_number(40, "points", DETECTION, "The shortest part that is judged by itself")
    ratio: float = make_number(1.1, "ratio", SPEED, "Of one part to the next shorter one")
    min_share: float = make_number(0.25, "share of the record", CONVENTION, "A shorter part is long ago")
    min_ratio_of_slopes: float = make_number(
        0.85, "ratio of slopes", DETECTION, "The whole must grow by as much of the rate of the part"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OnsetThresholds:
    """Where growth begins that was not there at first."""

    first_share: float = make_number(0.1, "share of the time", CONVENTION, "An earlier onset is a warm-up")
    last_share: float = make_number(0.85, "share of the time", DETECTION, "A later onset leaves too little to judge")
    last_bend: float = make_number(0.95, "share of the time", CONVENTION, "Until here a rise at the end is seen")
    onsets: int = make_number(35, "onsets", SPEED, "Onsets tried, evenly spread")
    max_earlier_slope: float = make_number(
        0.25, "ratio of slopes", DETECTION, "What is steeper before the onset is growth, or a rise that slows"
    )
    max_earlier_range: float = make_number(
        0.35, "share of the rise", DETECTION, "What moves more before the onset swings, as a day does"
    )
    range_quantiles: tuple[float, float] = make_number(
        (0.05, 0.95), "quantiles", CONVENTION, "Between them lies the range before the onset: one spike is no swing"
    )
    min_explained: float = make_number(0.9, "share of variance", DETECTION, "What the bent line must explain")
    min_samples: int = make_number(16, "samples", CONVENTION, "As many as are needed to leave a warm-up out")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeThresholds:
    """Which shape a series has."""

    proof_confidence: float = make_number(
        0.98, "probability", DETECTION, "At which the slope must lie above zero before a leak is shown"
    )
    proof_confidence_all_windows: float = make_number(
        0.90,
        "probability",
        DETECTION,
        "The same where all eight baselines are distinct: their rise is most of the proof",
    )
    min_weakest_share: float = make_number(
        0.05, "share of the slope", DETECTION, "The baseline must rise at least this fast in each window"
    )
    min_growth_noise: float = make_number(
        4.0, "standard deviations", DETECTION, "Growth must exceed this much slow noise: slow swings look like growth"
    )
    min_growth_bytes: int = make_number(
        32 * KIB, "bytes", CONVENTION, "Eight pages: allocators move by as much with nothing retained"
    )
    min_end_rise_bytes: int = make_number(
        16 * KIB, "bytes", CONVENTION, "Half of that: what lies less above its middle at the end hides no growth"
    )
    min_growth_share: float = make_number(
        0.001, "share of the level", CONVENTION, "Less is not distinct from an allocator's drift"
    )
    max_lag_one_of_white_noise: float = make_number(
        0.35, "correlation", DETECTION, "White noise lies below this in 19 of 20 series; with less there is no step"
    )
    swing_share: float = make_number(0.4, "share of the range", CONVENTION, "A smaller rise or fall is noise, no swing")
    min_swings: int = make_number(3, "swings", CONVENTION, "Up, down, up and down again")
    sawtooth_share: float = make_number(
        0.2, "share of the level", CONVENTION, "Smaller swings are noise about a stable level, no saw-tooth"
    )
    still_share: float = make_number(
        0.1, "share of the rise", CONVENTION, "A level that moves by less than this, after its rise, keeps still"
    )
    min_rise_without_jumps: float = make_number(
        0.1, "share of the range", CONVENTION, "What rises by less without its jumps is not read without them"
    )
    min_share_of_range: float = make_number(
        0.2, "share of the range", DETECTION, "Growth of another reading must be this part of what the series moved"
    )
    drift_percent: float = make_number(
        1.0, "percent", CONVENTION, "Growth of less, and of less an hour, is drift where no limit is near"
    )
    drift_days_left: float = make_number(7.0, "days", CONVENTION, "A limit that is reached sooner is near")
    beginning_part: int = make_number(
        20, "1 / share of points", CONVENTION, "The beginning of a series is a 20th of it"
    )
    last_part: int = make_number(10, "1 / share of points", CONVENTION, "The very end of a series is a tenth of it")
    min_end_rise_noise: float = make_number(
        1.5, "standard deviations", SPEED, "What lies this far above its middle at the end may hide growth"
    )
    end_part: int = make_number(5, "1 / share of points", CONVENTION, "The end of a series is a fifth of it")
    min_points_of_part: int = make_number(3, "points", CONVENTION, "Beginning and end have at least this many points")
    over_part: int = make_number(
        20, "1 / share of the rise", CONVENTION, "A rise is over when less than a 20th of it is in the last windows"
    )
    last_windows_part: int = make_number(
        4, "1 / share of windows", CONVENTION, "The last windows are a quarter of all, and two at least"
    )
