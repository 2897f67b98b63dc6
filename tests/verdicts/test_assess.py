from pathlib import Path

import pandas as pd
import pytest

from memanalysis import assess, open_ledger, report
from memanalysis.analysis.verdict import VERDICT_COLUMNS
from memanalysis.errors import InvalidArgumentError, LedgerNotFoundError, MissingColumnError, PolicyError
from memanalysis.policy.loader import read_policy
from memanalysis.units import MIB

POLICY = {"memory_budgets": {"global": {"max_memory_mb": 256}, "services": {"leaking_registry": "100MB"}}}


def by_service(verdicts: pd.DataFrame) -> pd.DataFrame:
    return verdicts.set_index("service")


def test_only_the_leak_is_a_leak_and_its_line_is_named(three_services: Path) -> None:
    verdicts = assess(three_services)

    assert list(verdicts.columns) == list(VERDICT_COLUMNS)
    assert by_service(verdicts)["is_leak"].to_dict() == {
        "leaking_registry": True,
        "swinging_batch": False,
        "warming_cache": False,
    }
    leak = by_service(verdicts).loc["leaking_registry"]
    assert (leak["responsible_file"], leak["responsible_line"]) == ("app/registry.py", 42)
    assert leak["slope_bytes_per_s"] == pytest.approx(0.5 * MIB, rel=0.02)


def test_ledger_path_and_frame_give_the_same_but_for_the_lines(three_services: Path) -> None:
    ledger = open_ledger(three_services)
    from_path, from_ledger, from_frame = assess(str(three_services)), assess(ledger), assess(ledger.samples)

    pd.testing.assert_frame_equal(from_path, from_ledger)
    assert from_frame["responsible_file"].isna().all()
    numbers = ["service", "shape", "slope_bytes_per_s"]
    pd.testing.assert_frame_equal(from_path[numbers], from_frame[numbers])


def test_without_a_policy_there_is_no_limit(three_services: Path) -> None:
    verdicts = assess(three_services)

    assert verdicts["limit_bytes"].isna().all()
    assert verdicts["time_to_exhaustion_s"].isna().all()


def test_a_policy_gives_each_service_its_own_limit(three_services: Path, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("memory_budgets: {global: {max_memory_mb: 256}, services: {leaking_registry: 100MB}}")
    sources = (POLICY, file, read_policy(file))
    from_mapping, from_file, from_record = (assess(three_services, policy=source) for source in sources)

    pd.testing.assert_frame_equal(from_mapping, from_file)
    pd.testing.assert_frame_equal(from_mapping, from_record)
    assert by_service(from_mapping)["limit_bytes"].to_dict() == {
        "leaking_registry": 100 * MIB,
        "swinging_batch": 256 * MIB,
        "warming_cache": 256 * MIB,
    }
    # 40 MiB + 0.5 MiB/s * 59 s = 69.5 MiB: 30.5 MiB are left, for 61 s
    leak = by_service(from_mapping).loc["leaking_registry"]
    assert leak["time_to_exhaustion_s"] == pytest.approx(61, rel=0.05)


def test_thresholds_of_the_policy_grade_the_leak(three_services: Path) -> None:
    lax = {"leak_detection": {"thresholds": {"memory_growth_mb": 4000, "memory_growth_percent": 4000}}}

    severity = by_service(
        assess(three_services, policy=lax | {"memory_budgets": {"global": {"max_memory_mb": 900_000}}})
    )
    assert severity.loc["leaking_registry", "severity"] == "low"
    assert by_service(assess(three_services)).loc["leaking_registry", "severity"] in ("high", "critical")


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerNotFoundError):
        assess(tmp_path / "nothing")
    with pytest.raises(InvalidArgumentError, match=r"assess needs a Ledger, a path or a URL, but got int\."):
        assess(3)  # type: ignore[arg-type]
    with pytest.raises(MissingColumnError):
        assess(pd.DataFrame({"x": [1]}))


def test_a_broken_policy_is_refused(three_services: Path) -> None:
    with pytest.raises(PolicyError):
        assess(three_services, policy={"memory_budget": {}})
    with pytest.raises(
        InvalidArgumentError, match=r"assess needs policy= as a path, a mapping or a Policy, but got int\."
    ):
        assess(three_services, policy=3)  # type: ignore[arg-type]


def test_a_foreign_parquet_with_few_columns_is_judged_by_the_wall_clock(tmp_path: Path) -> None:
    """One service leaks 1 MiB a minute, the other keeps still; there is no elapsed_s."""
    path = tmp_path / "fleet.parquet"
    minutes = pd.date_range("2026-01-01", periods=60, freq="min", tz="UTC")
    grown = [(200 + minute) * MIB for minute in range(60)]
    rows = {
        "service": ["still"] * 60 + ["leaky"] * 60,
        "timestamp": minutes.append(minutes),
        "rss_bytes": [200 * MIB] * 60 + grown,
    }
    pd.DataFrame(rows).to_parquet(path)

    verdicts = by_service(assess(path))

    assert verdicts["is_leak"].to_dict() == {"leaky": True, "still": False}
    assert verdicts.loc["leaky", "slope_bytes_per_s"] == pytest.approx(MIB / 60)
    assert verdicts.loc["leaky", "origin"] == "unknown"


SECONDS = pd.Series(range(60), dtype=float)
LEAKING = pd.DataFrame({"service": "api", "elapsed_s": SECONDS, "rss_bytes": 200 * MIB + SECONDS * MIB})


@pytest.mark.parametrize(
    ("samples", "shapes"),
    [
        (LEAKING, ["growing"]),
        (LEAKING.drop(columns="service"), ["growing"]),
        (LEAKING.assign(rss_bytes=pd.array([None] * 60, dtype="Int64")), ["inconclusive"]),
        (LEAKING.assign(elapsed_s=SECONDS.where(SECONDS > 0)), ["inconclusive"]),
        (
            LEAKING.assign(
                elapsed_s=SECONDS.where(SECONDS > 0), timestamp=pd.date_range("2026", periods=60, freq="s", tz="UTC")
            ),
            ["growing"],
        ),
        (LEAKING.head(0), []),
    ],
    ids=["whole", "no service", "no value known", "no time known", "one second unknown", "no rows"],
)
def test_what_a_file_lacks_is_unknown_and_no_error(samples: pd.DataFrame, shapes: list[str], tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    samples.to_parquet(path)

    assert assess(path)["shape"].tolist() == shapes
    assert len(report(path).sections) == len(shapes)
