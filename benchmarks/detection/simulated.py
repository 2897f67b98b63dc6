"""Series of known truth, by the thousand: coverage of the slope's interval, false alarms, coverage of the forecast."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.signal import lfilter

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.batch_verdict import judge_batch
from memanalysis.analysis.budgets.recurrence import forecast_recurrence
from memanalysis.analysis.series.prepare import prepare_batch
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.units import MIB

__all__ = [
    "BENIGN",
    "ar_noise",
    "coverage_of_forecasts",
    "coverage_of_returns",
    "coverage_of_slopes",
    "false_alarms",
    "judge_all",
]

Series = tuple[FloatArray, FloatArray]
SEED = 20260101
LEVEL = 200 * MIB


def ar_noise(rng: np.random.Generator, n: int, lag_one: float) -> FloatArray:
    """Stationary AR(1) noise of standard deviation 1."""
    innovations = rng.normal(size=n + 300) * np.sqrt(1 - lag_one**2)
    noise: FloatArray = lfilter([1.0], [1.0, -lag_one], innovations)[300:]
    return noise


def judge_all(series: list[Series], limit_bytes: float = np.nan) -> dict[str, FloatArray]:
    """Verdicts on a list of series, as the columns of the engine."""
    batch = prepare_batch(
        np.repeat(np.arange(len(series)), [times.size for times, _ in series]),
        np.concatenate([times for times, _ in series]),
        np.maximum(0.0, np.concatenate([values for _, values in series])),
        n_series=len(series),
    )
    return judge_batch(batch, np.full(len(series), limit_bytes), SeverityRules())


def coverage_of_slopes(count: int) -> Iterator[tuple[str, float, float]]:
    """For each kind of noise the share of 95 % intervals that hold the true slope, and the median width in slopes."""
    for name, noise in SLOPE_NOISE.items():
        rng = np.random.default_rng(SEED)
        series, truth = [], []
        for _ in range(count):
            n = int(np.exp(rng.uniform(np.log(60), np.log(2000))))
            slope = rng.choice([0.0, 1.0]) * rng.uniform(0.5, 20) * MIB / n
            times = np.arange(float(n)) * rng.choice([1.0, 15.0, 60.0])
            step = times[1]
            series.append((times, LEVEL + slope * np.arange(n) + noise(rng, n) * MIB))
            truth.append(slope / step)
        judged, true = judge_all(series), np.array(truth)
        held = (judged["low_bytes_per_s"] <= true) & (true <= judged["high_bytes_per_s"])
        yield name, float(held.mean()), count


def _outliers(rng: np.random.Generator, n: int) -> FloatArray:
    noise = ar_noise(rng, n, 0.5)
    spikes = rng.random(n) < 0.02
    return noise + spikes * rng.normal(size=n) * 30


def _sawtooth(rng: np.random.Generator, n: int) -> FloatArray:
    period = int(rng.integers(5, max(6, n // 8)))
    return 6 * ((np.arange(n) + rng.integers(period)) % period) / period + 0.3 * rng.normal(size=n)


SLOPE_NOISE: dict[str, Callable[[np.random.Generator, int], FloatArray]] = {
    "white noise": lambda rng, n: rng.normal(size=n),
    "AR(1) 0.5": lambda rng, n: ar_noise(rng, n, 0.5),
    "AR(1) 0.7": lambda rng, n: ar_noise(rng, n, 0.7),
    "AR(1) 0.9": lambda rng, n: ar_noise(rng, n, 0.9),
    "saw-tooth": _sawtooth,
    "AR(1) 0.5 with 2 % outliers": _outliers,
}


def _stationary(rng: np.random.Generator) -> Series:
    n = int(np.exp(rng.uniform(np.log(20), np.log(2000))))
    return np.arange(float(n)), LEVEL + ar_noise(rng, n, rng.uniform(0, 0.95)) * rng.uniform(0.1, 20) * MIB


def _warm_up(rng: np.random.Generator) -> Series:
    n = int(rng.integers(40, 1000))
    share = np.arange(n) / n
    constant = rng.uniform(0.02, 0.35)
    rise = 1 - np.exp(-share / constant) if rng.random() < 0.5 else np.minimum(1, share / rng.uniform(0.1, 0.8))
    return np.arange(float(n)), LEVEL + rise * rng.uniform(5, 200) * MIB + ar_noise(rng, n, 0.3) * rng.uniform(
        0, 1
    ) * MIB


def _steps(rng: np.random.Generator) -> Series:
    n = int(rng.integers(40, 1000))
    places = np.sort(rng.random(rng.integers(1, 4)))
    level = sum((np.arange(n) / n >= place) * rng.uniform(5, 100) for place in places)
    return np.arange(float(n)), LEVEL + (level + ar_noise(rng, n, 0.3) * rng.uniform(0, 1)) * MIB


def _saw_teeth(rng: np.random.Generator) -> Series:
    n = int(rng.integers(60, 1500))
    period = rng.uniform(4, n / 3)
    tooth = ((np.arange(n) + rng.uniform(0, period)) % period) / period
    return np.arange(float(n)), LEVEL + (tooth * rng.uniform(5, 200) + ar_noise(rng, n, 0.3) * rng.uniform(0, 2)) * MIB


def _day_cycles(rng: np.random.Generator) -> Series:
    days = rng.uniform(1, 7)
    n = int(days * rng.choice([48, 96, 288]))
    phase = 2 * np.pi * (np.arange(n) / n * days + rng.random())
    swing = np.sin(phase) + 0.3 * np.sin(2 * phase + rng.uniform(0, 6))
    times = np.arange(float(n)) / n * days * 86400
    return times, LEVEL + (swing * rng.uniform(5, 80) + ar_noise(rng, n, 0.6) * rng.uniform(0.5, 5)) * MIB


BENIGN: dict[str, Callable[[np.random.Generator], Series]] = {
    "stationary AR(1)": _stationary,
    "warm-ups": _warm_up,
    "steps": _steps,
    "saw-teeth": _saw_teeth,
    "day cycles": _day_cycles,
}


def false_alarms(count: int) -> Iterator[tuple[str, int, list[Series]]]:
    """For each kind of benign series how many were called a leak, and those."""
    for name, make in BENIGN.items():
        rng = np.random.default_rng(SEED)
        series = [make(rng) for _ in range(count)]
        alarms = np.flatnonzero(judge_all(series)["is_leak"])
        yield name, int(alarms.size), [series[i] for i in alarms]


def coverage_of_forecasts(count: int) -> tuple[float, int]:
    """Share of 90 % intervals that hold the moment at which a leak really reached its limit, and how many leaks."""
    rng = np.random.default_rng(SEED)
    series, truth, limit = [], [], LEVEL + 400 * MIB
    for _ in range(count):
        n = int(rng.integers(60, 600))
        slope = rng.uniform(0.05, 0.5)
        noise = ar_noise(rng, 200_000 // 20, rng.uniform(0, 0.9)) * rng.uniform(0.2, 6)
        whole = LEVEL + (slope * np.arange(noise.size) + noise) * MIB
        reached = np.flatnonzero(whole >= limit)
        if not reached.size or reached[0] <= n:
            continue
        series.append((np.arange(float(n)), whole[:n]))
        truth.append(float(reached[0] - (n - 1)))
    judged, true = judge_all(series, limit), np.array(truth)
    forecast = judged["is_leak"]
    held = (judged["time_to_exhaustion_low_s"] <= true) & (true <= judged["time_to_exhaustion_high_s"])
    return float(held[forecast].mean()), int(forecast.sum())


GAPS: dict[str, Callable[[np.random.Generator, float], FloatArray]] = {
    "regular, give or take a tenth": lambda rng, mean: mean * (1 + 0.1 * rng.normal(size=100)),
    "filling (gamma of eight)": lambda rng, mean: rng.gamma(8, mean / 8, size=100),
    "at random (Poisson)": lambda rng, mean: 10 + rng.exponential(mean - 10, size=100),
    "log-normal": lambda rng, mean: rng.lognormal(np.log(mean) - 0.18, 0.6, size=100),
    "of two jobs": lambda rng, mean: np.where(rng.random(100) < 0.3, 0.4, 1.26) * mean + rng.normal(size=100),
}


def coverage_of_returns(count: int) -> Iterator[tuple[str, list[float]]]:
    """For each kind of gaps the share of 90 % intervals that hold the next start, after about 3, 5, 12, 30 of them."""
    for name, make in GAPS.items():
        shares = []
        for episodes in (3, 5, 12, 30):
            rng = np.random.default_rng(SEED)
            held, n_forecast = 0, 0
            for _ in range(count):
                mean = rng.uniform(80, 300)
                starts = rng.uniform(0, mean) + np.cumsum(np.maximum(6.0, make(rng, mean)))
                now_s = float(np.floor(mean * (episodes + rng.uniform(0.5, 1.5))))
                past = starts[starts <= now_s]
                forecast = forecast_recurrence(np.floor(past), now_s=now_s, step_s=1.0)
                n_forecast += not np.isnan(forecast.time_s)
                held += forecast.low_s <= starts[past.size] - now_s <= forecast.high_s
            shares.append(held / n_forecast)
        yield name, shares
