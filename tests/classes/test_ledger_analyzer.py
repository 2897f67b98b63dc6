"""Arithmetic on recorded entries, by hand; unknown stays None and nobody crashes on a service that is not there."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from memanalysis.classes.ledger_analyzer import LedgerAnalyzer, measure_growth, summarize_service

HOUR = 3600.0


@dataclass
class Ledger:
    entries: list[Any] = field(default_factory=list)


def entry(service: str, hours: float, memory_mb: float | None, count: int | None = None) -> SimpleNamespace:
    return SimpleNamespace(timestamp=hours * HOUR, service_name=service, memory_usage_mb=memory_mb, object_count=count)


@pytest.fixture
def analyzer() -> LedgerAnalyzer:
    return LedgerAnalyzer(
        Ledger(
            [
                entry("api", 1, 10.0, 100),
                entry("db", 2, 200.0, 7),
                entry("api", 3, 25.0, 400),
                entry("api", 2, 40.0, 100),
            ]
        )
    )


def test_a_summary_has_extremes_averages_and_the_newest_by_time(analyzer: LedgerAnalyzer) -> None:
    assert analyzer.get_service_summary("api") == {
        "service": "api",
        "entry_count": 3,
        "memory_stats": {"min_mb": 10.0, "max_mb": 40.0, "avg_mb": 25.0, "latest_mb": 25.0},
        "object_stats": {"min_count": 100, "max_count": 400, "avg_count": 200.0, "latest_count": 400},
        "time_range": {"first": 1 * HOUR, "last": 3 * HOUR, "duration_hours": 2.0},
    }


def test_growth_is_from_the_first_reading_to_the_last(analyzer: LedgerAnalyzer) -> None:
    assert analyzer.detect_memory_growth("api") == {
        "service": "api",
        "total_growth_mb": 15.0,
        "duration_hours": 2.0,
        "growth_rate_mb_per_hour": 7.5,
        "growth_percent": 150.0,
        "first_reading": 10.0,
        "last_reading": 25.0,
    }


def test_the_whole_ledger_is_summed_up_by_service(analyzer: LedgerAnalyzer) -> None:
    summary = analyzer.get_global_summary()

    assert summary["entry_count"] == 4
    assert summary["service_count"] == 2
    assert list(summary["services"]) == ["api", "db"]
    assert summary["services"]["api"] == analyzer.get_service_summary("api")
    assert summary["total_latest_mb"] == 225.0
    assert summary["time_range"] == {"first": 1 * HOUR, "last": 3 * HOUR, "duration_hours": 2.0}


def test_an_unknown_service_has_no_entries_and_unknown_statistics(analyzer: LedgerAnalyzer) -> None:
    summary = analyzer.get_service_summary("nobody")

    assert summary["entry_count"] == 0
    assert summary["memory_stats"] == {"min_mb": None, "max_mb": None, "avg_mb": None, "latest_mb": None}
    assert set(summary["object_stats"].values()) == {None}
    assert set(summary["time_range"].values()) == {None}
    assert set(analyzer.detect_memory_growth("nobody").values()) == {"nobody", None}


def test_an_empty_ledger_is_summed_up_too() -> None:
    assert LedgerAnalyzer(Ledger()).get_global_summary() == {
        "entry_count": 0,
        "service_count": 0,
        "services": {},
        "total_latest_mb": None,
        "time_range": {"first": None, "last": None, "duration_hours": None},
    }


def test_unknown_readings_are_left_out_and_never_zero() -> None:
    entries = [entry("api", 0, None), entry("api", 1, 10.0), entry("api", 3, 30.0), entry("api", 4, None)]

    summary, growth = summarize_service(entries, "api"), measure_growth(entries, "api")

    assert summary["entry_count"] == 4
    assert summary["memory_stats"] == {"min_mb": 10.0, "max_mb": 30.0, "avg_mb": 20.0, "latest_mb": 30.0}
    assert set(summary["object_stats"].values()) == {None}
    assert (growth["total_growth_mb"], growth["duration_hours"]) == (20.0, 2.0)


@pytest.mark.parametrize(
    ("entries", "growth", "rate", "percent"),
    [
        ([entry("api", 0, 5.0)], None, None, None),
        ([entry("api", 1, 5.0), entry("api", 1, 6.0)], 1.0, None, 20.0),
        ([entry("api", 0, 0.0), entry("api", 1, 6.0)], 6.0, 6.0, None),
    ],
)
def test_what_cannot_be_said_of_growth_is_none(
    entries: list[SimpleNamespace], growth: float | None, rate: float | None, percent: float | None
) -> None:
    """One reading has no growth, no time has no rate, and nothing grows by percent from zero."""
    found = measure_growth(entries, "api")

    assert (found["total_growth_mb"], found["growth_rate_mb_per_hour"], found["growth_percent"]) == (
        growth,
        rate,
        percent,
    )
    assert found["first_reading"] == entries[0].memory_usage_mb


def test_an_entrys_own_epoch_seconds_are_taken_before_its_timestamp() -> None:
    """As in an entry of the class interface, whose timestamp may be text."""
    one = SimpleNamespace(
        timestamp="1970-01-01T02:00:00", epoch_s=7200.0, service_name="a", memory_usage_mb=1, object_count=1
    )

    assert summarize_service([one], "a")["time_range"]["first"] == 7200.0


def test_the_entries_are_asked_for_each_time() -> None:
    ledger = Ledger()
    analyzer = LedgerAnalyzer(ledger)
    assert analyzer.get_service_summary("api")["entry_count"] == 0

    ledger.entries.append(entry("api", 0, 1.0))

    assert analyzer.get_service_summary("api")["entry_count"] == 1
