"""Series whose truth is known: seeded, with the true slope, for the tests of the analysis."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.units import MIB

__all__ = ["Series", "ar_noise", "as_samples", "plateau", "ramp", "sawtooth", "staircase", "steps"]


@dataclass(frozen=True)
class Series:
    """Seconds, bytes, and the slope that was put in."""

    elapsed_s: NDArray[np.float64]
    values: NDArray[np.float64]
    slope_bytes_per_s: float


def ar_noise(rng: np.random.Generator, n: int, *, lag_one: float, sigma: float) -> NDArray[np.float64]:
    """Stationary AR(1) noise with standard deviation ``sigma``."""
    noise = np.empty(n)
    noise[0] = rng.normal()
    innovations = rng.normal(size=n) * np.sqrt(1 - lag_one**2)
    for i in range(1, n):
        noise[i] = lag_one * noise[i - 1] + innovations[i]
    return noise * sigma


def ramp(*, slope: float = MIB, n: int = 60, start: float = 50 * MIB, sigma: float = 0.0, seed: int = 0) -> Series:
    """A straight rise, one sample a second, with white noise."""
    t = np.arange(n, dtype=float)
    return Series(t, start + slope * t + np.random.default_rng(seed).normal(size=n) * sigma, slope)


def plateau(*, height: float = 40 * MIB, n: int = 200, filled_at: float = 0.4, seed: int = 0) -> Series:
    """A cache that fills at an even pace, and then is full."""
    t = np.arange(n, dtype=float)
    noise = np.random.default_rng(seed).normal(size=n) * height / 500
    return Series(t, 50 * MIB + height * np.minimum(1, t / (filled_at * n)) + noise, 0.0)


def sawtooth(*, height: float = 40 * MIB, period: int = 25, n: int = 200, slope: float = 0.0, seed: int = 0) -> Series:
    """Batches that fill memory and release it, over a baseline that rises by ``slope``."""
    t = np.arange(n, dtype=float)
    noise = np.random.default_rng(seed).normal(size=n) * height / 200
    return Series(t, 50 * MIB + height * (t % period) / period + slope * t + noise, slope)


def staircase(*, slope: float = MIB, every: int = 7, n: int = 200) -> Series:
    """A leak that shows as regular stairs, because the allocator takes memory in chunks."""
    t = np.arange(n, dtype=float)
    return Series(t, 50 * MIB + slope * (t // every) * every, slope)


def steps(*, height: float = 40 * MIB, at: float = 0.5, n: int = 200, seed: int = 0) -> Series:
    """Something large is loaded once and kept."""
    t = np.arange(n, dtype=float)
    noise = np.random.default_rng(seed).normal(size=n) * height / 500
    return Series(t, 50 * MIB + height * (t >= at * n) + noise, 0.0)


def as_samples(series: Series, *, service: str = "shop", run_id: str = "run-1", **columns: object) -> pd.DataFrame:
    """Rows of the table ``samples`` with the series as RSS; further columns as given."""
    return pd.DataFrame(
        {
            "run_id": run_id,
            "service": service,
            "timestamp": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(series.elapsed_s, unit="s"),
            "elapsed_s": series.elapsed_s,
            "rss_bytes": pd.array(series.values.round().astype("int64"), dtype="Int64"),
            **columns,
        }
    )
