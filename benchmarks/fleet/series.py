"""The memory of one simulated run: a level, its warm-up, the day, saw-teeth of a cache, noise, and the leak."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from benchmarks.fleet.plan import DAY_S, FleetPlan, PlannedRun
from memanalysis.analysis.arrays import FloatArray

__all__ = ["RunSeries", "draw_series"]

PEAK_HOUR = 14.0
NOISE_LAG = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeries:
    """Arrays of one run, a value a sample; ``leaked_bytes`` is the planted part of ``rss_bytes``."""

    elapsed_s: FloatArray
    rss_bytes: FloatArray
    sampled_bytes: FloatArray
    leaked_bytes: FloatArray


def draw_series(plan: FleetPlan, run: PlannedRun) -> RunSeries:
    """Return the samples of a run, the same for the same seed."""
    rng = np.random.default_rng(run.seed)
    traits = run.traits
    count = max(2, int((run.recorded_until - run.started) / plan.interval_s))
    elapsed_s = np.arange(count) * plan.interval_s + rng.uniform(0.0, 0.02, size=count)
    hours = ((run.started + elapsed_s) % DAY_S) / 3600
    steady = traits.day_bytes * np.sin((hours - PEAK_HOUR + 6) * np.pi / 12)
    if traits.tooth_bytes:
        steady += traits.tooth_bytes * ((elapsed_s / traits.tooth_s + rng.random()) % 1.0)
    noise = traits.noise_bytes * _ar_noise(rng, count)
    grown = traits.warm_up_bytes * -np.expm1(-elapsed_s / traits.warm_up_s)
    leaked = np.zeros(count) if run.leak is None else run.leak.bytes_per_s * elapsed_s * rng.uniform(0.9, 1.1)
    held = 0.6 * traits.level_bytes + grown + steady
    return RunSeries(
        elapsed_s=elapsed_s,
        rss_bytes=held + 0.4 * traits.level_bytes + noise + leaked,
        sampled_bytes=traits.traced_share * (held + 0.5 * noise) + leaked,
        leaked_bytes=leaked,
    )


def _ar_noise(rng: np.random.Generator, count: int) -> FloatArray:
    innovations = rng.normal(size=count + 50) * np.sqrt(1 - NOISE_LAG**2)
    noise: FloatArray = lfilter([1.0], [1.0, -NOISE_LAG], innovations)[50:]
    return noise
