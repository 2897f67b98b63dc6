"""The numbers of a series: how it is made fit to judge, how it grows, and where its baseline lies. Loads no numpy."""

from dataclasses import dataclass

from memanalysis.analysis.series.fold_limits import FOLD_SIZE, MAX_POINTS_KEPT
from memanalysis.analysis.threshold_fields import CONVENTION, DETECTION, SPEED, make_number
from memanalysis.units import KIB

__all__ = ["BaselineThresholds", "GrowthThresholds", "SeriesThresholds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesThresholds:
    """How a series is made fit to judge."""

    restart_fall: float = make_number(
        0.5, "share", "convention of coroot", "A fall by more than this share of the value before may be a restart"
    )
    partial_fall: float = make_number(
        0.15, "share", DETECTION, "The same where the series lies higher at its end than before the only such fall"
    )
    restart_share: float = make_number(
        1 / 3, "share", CONVENTION, "The part after a restart is judged alone when it is at least this long"
    )
    late_fall_samples: int = make_number(
        3, "samples", CONVENTION, "So few after a fall do not show how it goes on: they are not judged"
    )
    late_fall_share: float = make_number(
        0.5, "share of the range", DETECTION, "As much of what moved after the warm-up must such a fall take back"
    )
    late_fall_ratio: float = make_number(
        0.5, "share of the fall", CONVENTION, "An earlier fall by as much shows a saw-tooth, or noise"
    )
    fold_size: int = make_number(FOLD_SIZE, "points", CONVENTION, "Points that become one, the middle of them")
    max_points_kept: int = make_number(
        MAX_POINTS_KEPT,
        "points",
        CONVENTION,
        "A longer series is folded: 32 KB, 10 or more for each judged point",
    )
    max_points: int = make_number(
        64, "points", SPEED, "A longer stretch is judged as this many medians: 2,016 pairwise slopes"
    )
    min_samples: int = make_number(
        5, "samples", CONVENTION, "Five samples that all rise happen by chance once in 120 orders"
    )
    min_samples_of_a_leak: int = make_number(
        30, "samples", DETECTION, "With fewer, most warm-ups and filling caches look like a leak in their first hour"
    )
    min_samples_of_unsteady_growth: int = make_number(
        100, "samples", DETECTION, "With fewer, in the first hour, only steady growth is a leak: caches bend early"
    )
    min_seconds_of_few_samples: float = make_number(
        3600.0, "seconds", CONVENTION, "A longer record may have fewer samples: few programs warm up for an hour"
    )
    min_seconds_of_a_leak: float = make_number(
        10.0, "seconds", CONVENTION, "The same for quick sampling: programs load modules and open pools at first"
    )
    min_early_bytes_of_a_leak: int = make_number(
        256 * KIB, "bytes", CONVENTION, "Growth of less in the first minute is pages that a program touches at first"
    )
    min_seconds_of_few_bytes: float = make_number(
        60.0, "seconds", DETECTION, "A longer record may have grown by less: a real leak grew by 71 KiB in 450 s"
    )
    min_share_of_a_small_leak: float = make_number(
        0.01, "share of the level", DETECTION, "Growth of less in the first two minutes may be the allocator's alone"
    )
    max_small_bytes: int = make_number(1024 * KIB, "bytes", CONVENTION, "Of a large process no more than this is asked")
    min_seconds_of_a_small_share: float = make_number(
        120.0, "seconds", CONVENTION, "A longer record may have grown by a smaller share of the level"
    )
    warm_up_share: float = make_number(
        0.25,
        "share of the time",
        CONVENTION,
        "Programs fill caches and import modules at first: growth is judged after",
    )
    min_samples_to_cut_warm_up: int = make_number(
        16, "samples", CONVENTION, "A shorter series is judged whole: what is left would be too little"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthThresholds:
    """How fast a series grows, and between which bounds."""

    confidence: float = make_number(0.95, "probability", CONVENTION, "Coverage of the interval of the slope")
    min_freedom: float = make_number(
        3.0, "degrees of freedom", CONVENTION, "Fewer are not taken: their quantiles are wider than any use"
    )
    lag_one_caution: float = make_number(
        0.5,
        "standard errors",
        DETECTION,
        "Autocorrelation is taken higher than estimated: too narrow is the worse error",
    )
    max_lag_one: float = make_number(0.98, "correlation", CONVENTION, "Beyond, a line and a random walk look alike")
    max_paired_points: int = make_number(
        48, "points", SPEED, "Of more points the slope is taken from means of neighbours: pairs grow as the square"
    )
    outlier_sigmas: float = make_number(
        5.0,
        "robust standard deviations",
        CONVENTION,
        "Residuals are clipped here: one spike must not widen the interval",
    )
    slow_waves: int = make_number(
        8, "cosines", "paper: Mueller 2007", "The slowest cosines, which show whether residuals swing slowly"
    )
    min_points_of_slow_waves: int = make_number(
        24, "points", CONVENTION, "In a shorter series eight cosines are no longer its slow ones"
    )
    slow_power_margin: float = make_number(
        2.5, "ratio", DETECTION, "Slow power below 1 / 2.5 of the expected lowers the variance; 1 AR(1) series in 20"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineThresholds:
    """The lower envelope of a series, window by window."""

    max_windows: int = make_number(
        8, "windows", CONVENTION, "Eight baselines in rising order: one chance in 40,320 where order is chance"
    )
    min_windows: int = make_number(
        4,
        "windows",
        CONVENTION,
        "Four in rising order: one chance in 24; the slope's interval adds the rest of the proof",
    )
    min_samples_for_fewer_windows: float = make_number(
        10.0, "independent samples", CONVENTION, "With fewer the noise is not known well enough to trade windows for it"
    )
    distinct_sigmas: float = make_number(
        3.0, "standard deviations", CONVENTION, "Baselines are distinct when they differ by more noise than this"
    )
    quantile: float = make_number(
        0.2, "share of samples", CONVENTION, "The baseline of a window: the very lowest sample may be a misreading"
    )
    quantile_noise: float = make_number(
        1.4, "ratio", "theory: normal quantiles", "A low quantile scatters this much more than a mean"
    )
