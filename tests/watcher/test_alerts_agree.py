"""Alerts of a watched run and the verdict on its ledger are one judgement: 60 series of four hours with known truth."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from factories import ar_noise
from numpy.typing import NDArray

from memanalysis.analysis.series_verdict import assess_series
from memanalysis.analysis.verdict import Verdict
from memanalysis.policy.loader import read_default_policy
from memanalysis.policy.model import Policy
from memanalysis.units import MIB
from memanalysis.verdicts.assess import assess
from memanalysis.verdicts.policy_severity import reported_severity, severity_rules
from memanalysis.watcher.live_verdict import make_live_run
from memanalysis.watcher.policy_runtime import PolicyRuntime

pytestmark = pytest.mark.slow

HOUR_S = 3600.0
ELAPSED_S = np.arange(0, 4 * HOUR_S, 30.0)
MINUTES = ELAPSED_S / 60

SAW_TEETH = [(60, 100), (17, 60), (5, 30), (37, 80), (90, 50), (11, 20), (25, 60), (45, 10), (100, 60), (8, 90)]
SAW_TEETH += [(30, 40), (55, 90)]
"""Minutes a tooth, and MB."""

CACHES = [(40, 100), (10, 50), (20, 30), (5, 200), (15, 80), (30, 60), (25, 150), (2, 40), (8, 20), (35, 90)]
CACHES += [(12, 300), (50, 50)]
"""Minutes until a cache is 63 % full, and MB."""

LEAKS = [(30, 6), (10, 1), (5, 0.5), (60, 6), (120, 10), (8, 2), (300, 20), (20, 1), (15, 3), (40, 10), (6, 0.2)]
LEAKS += [(1000, 30)]
"""MB an hour, and MB of noise."""


def _noise(seed: int, sigma_mb: float = 0.5) -> NDArray[np.float64]:
    return ar_noise(np.random.default_rng(seed), ELAPSED_S.size, lag_one=0.5, sigma=sigma_mb)


def _steps(seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    level = np.full(ELAPSED_S.size, 150.0)
    for _ in range(1 + seed % 3):
        level[rng.uniform(0.1, 0.9) * ELAPSED_S[-1] <= ELAPSED_S] += rng.uniform(10, 80)
    return level


def _cycle(seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    hours, height_mb, phase = rng.uniform(0.4, 2.5), rng.uniform(5, 60), rng.uniform(0, 6)
    return 200 + height_mb * np.sin(2 * np.pi * ELAPSED_S / HOUR_S / hours + phase)


def _all_series() -> Iterator[tuple[str, bool, NDArray[np.float64]]]:
    """Name, whether it is a leak, and MB."""
    for seed, (minutes, mb) in enumerate(SAW_TEETH):
        yield f"saw-tooth of {minutes} min", False, 200 + mb * (MINUTES % minutes) / minutes + _noise(seed)
    for seed, (minutes, mb) in enumerate(CACHES, 100):
        yield f"cache of {minutes} min", False, 150 + mb * (1 - np.exp(-MINUTES / minutes)) + _noise(seed)
    for seed in range(200, 212):
        yield f"steps {seed}", False, _steps(seed) + _noise(seed)
    for seed in range(300, 312):
        yield f"cycle {seed}", False, _cycle(seed) + _noise(seed, 1.0)
    for seed, (mb_per_hour, noise_mb) in enumerate(LEAKS, 400):
        yield f"leak of {mb_per_hour} MB/h", True, 200 + mb_per_hour * ELAPSED_S / HOUR_S + _noise(seed, noise_mb)


SERIES = list(_all_series())


COMMON = (
    "shape", "is_leak", "severity", "slope_bytes_per_s", "low_bytes_per_s", "high_bytes_per_s", "growth_bytes",
    "onset_s", "time_to_exhaustion_s", "sentence",
)  # fmt: skip
"""What a verdict on one series, on a run that goes on and on a ledger have in common: all but the origin."""


def make_samples(service: str, values_bytes: NDArray[np.float64]) -> pd.DataFrame:
    """Return the samples as a ledger gives them."""
    return pd.DataFrame(
        {
            "service": service,
            "run_id": "one",
            "seq": np.arange(values_bytes.size),
            "timestamp": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(ELAPSED_S, unit="s"),
            "elapsed_s": ELAPSED_S,
            "rss_bytes": values_bytes.astype("int64"),
        }
    )


def assert_agrees(other: Verdict | pd.Series | None, verdict: Verdict) -> None:
    """Compare field by field; unknown is None in one and NaN in the other."""
    assert other is not None
    for name in COMMON:
        own, theirs = getattr(verdict, name), other[name] if isinstance(other, pd.Series) else getattr(other, name)
        assert own == theirs or (own is None and pd.isna(theirs)), name


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_default_policy()


def test_there_are_sixty_series_twelve_of_them_leaks() -> None:
    assert (len(SERIES), sum(leaks for _, leaks, _ in SERIES)) == (60, 12)


@pytest.mark.parametrize(("name", "leaks", "values_mb"), SERIES, ids=[name for name, _, _ in SERIES])
def test_live_alerts_and_the_verdict_agree(hand_clock, policy: Policy, name: str, leaks: bool, values_mb) -> None:
    """A leak alerts once a level, anything else never; after a check, severity is that of the samples so far."""
    service = "a service with the global budget of 512 MB"
    live, runtime = make_live_run(service, policy), PolicyRuntime(service, policy, clock=hand_clock)
    severities: list[str] = ["none"]
    alerts: list[str] = []

    def record_event(kind: str, *, level: str = "", message: str, data: object = None) -> None:
        if kind == "leak":
            severities.append(level)
        if kind == "alert" and message.startswith(f"{service}: "):  # an alert of the budget begins otherwise
            alerts.append(level)

    runtime.begin(record_event, live)
    values_bytes = (values_mb * MIB).round()
    budget_bytes, rules = 512 * MIB, severity_rules(policy.leak_detection)
    for index, value in enumerate(values_bytes):
        sample = {"elapsed_s": ELAPSED_S[index], "rss_bytes": int(value), "traced_bytes": None, "limit_bytes": None}
        live.add(sample)
        runtime.on_sample(sample, record_event)
        if index % 120 == 119:  # an hour is over: what a reader of the ledger would see now
            checked = index - index % 10 + 1  # the last check was at a multiple of 300 s
            verdict = assess_series(ELAPSED_S[:checked], values_bytes[:checked], limit_bytes=budget_bytes, rules=rules)
            assert severities[-1] == reported_severity(verdict)
        hand_clock.go(30.0)

    verdict = assess_series(ELAPSED_S, values_bytes, limit_bytes=budget_bytes, rules=rules)
    assert verdict.is_leak == leaks
    assert_agrees(live.judge(), verdict)
    assert_agrees(assess(make_samples(service, values_bytes), policy=policy).iloc[0], verdict)
    assert bool(alerts) == leaks
    assert len(set(alerts)) == len(alerts)
