"""The facts of six weeks against the truth of the ledger that they were read from."""

from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fleet_ledger import BEGIN, HEALTHY, HOUR_S, LEAK_BYTES_PER_S, POLICY, WEEK_S, make_sizes, write_run
from pandas.testing import assert_frame_equal

from memanalysis import Trend, open_ledger
from memanalysis.errors import LedgerError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.policy.known_leaks_file import KnownLeak
from memanalysis.units import MIB
from memanalysis.verdicts.engines import InProcess
from memanalysis.verdicts.sources import resolve_policy
from memanalysis.verdicts.trend_facts import TrendFacts, read_trend


def read(path: Path, *, weeks: int = 6, known: tuple[KnownLeak, ...] = (), policy: object = POLICY) -> TrendFacts:
    rules = resolve_policy(policy, call="trend")  # type: ignore[arg-type]
    return read_trend(open_ledger(path), weeks=weeks, policy=rules, known_leaks=known, today=date(2025, 7, 14))


@pytest.fixture(scope="module")
def facts(fleet: Path) -> TrendFacts:
    return read(fleet)


def monday(week: int) -> pd.Timestamp:
    return pd.Timestamp(BEGIN + week * WEEK_S, unit="s", tz="UTC")


@pytest.mark.slow
def test_each_leak_has_its_status_its_days_and_its_releases(facts: TrendFacts) -> None:
    leaks = facts.leaks.set_index("service")

    assert leaks["status"].to_dict() == {
        "payments": "new",
        "cart": "returned",
        "search": "lasting",
        "archiver": "unseen",
        "checkout": "gone",
    }
    assert leaks["first_seen"].to_dict() == {
        "payments": monday(5), "cart": monday(1), "search": monday(3), "archiver": monday(1), "checkout": monday(1)
    }  # fmt: skip
    assert leaks["first_release"].to_dict() == {
        "payments": "1.5", "cart": "1.1", "search": "1.3", "archiver": "1.1", "checkout": "1.1"
    }  # fmt: skip
    assert leaks.loc["checkout", ["gone_in_release", "gone_since"]].tolist() == ["1.3", monday(3)]
    assert leaks["runs"].to_dict() == {"payments": 1, "cart": 3, "search": 3, "archiver": 2, "checkout": 2}
    assert leaks.loc["search", ["responsible_file", "responsible_line"]].tolist() == ["app/index.py", 88]


def test_services_are_ranked_by_growth_the_leaks_before_the_others(facts: TrendFacts) -> None:
    services = facts.services

    assert set(services["service"].head(3)) == {"cart", "payments", "search"}
    assert services["slope_bytes_per_s"].head(3).tolist() == pytest.approx([LEAK_BYTES_PER_S] * 3, rel=0.02)
    assert services["service"].iloc[-1] == "archiver"
    assert services["change_bytes"].iloc[3:-1].is_monotonic_decreasing
    assert len(services) == 12
    assert services.set_index("service").loc["users", "release"] is None


def test_week_on_week_has_the_middle_of_each_leak(facts: TrendFacts) -> None:
    """A leak of 300 B/s adds 83.5 hours of it to the median of a week."""
    levels = facts.by_week.set_index(["service", "week"])["level_bytes"]
    grown = LEAK_BYTES_PER_S * 83.5 * HOUR_S
    search = [levels["search", week] for week in range(6)]

    assert search == pytest.approx([185 * MIB] * 3 + [185 * MIB + grown] * 3, rel=0.01)
    assert ("archiver", 3.0) not in levels


def test_a_release_changed_what_it_brought_and_no_other_did(facts: TrendFacts) -> None:
    changed = facts.releases[facts.releases["verdict"] != "same"]
    more = changed[changed["verdict"] == "more"]
    less = changed[changed["verdict"] == "less"]

    assert set(zip(more["service"], more["release"], strict=True)) == {
        ("checkout", "1.1"), ("cart", "1.1"), ("archiver", "1.1"), ("search", "1.3"), ("cart", "1.4"),
        ("payments", "1.5"),
    }  # fmt: skip
    assert set(zip(less["service"], less["release"], strict=True)) == {("checkout", "1.3"), ("cart", "1.2")}
    assert not set(changed["service"]) & set(HEALTHY)
    assert "users" not in set(facts.releases["service"])


def test_breaches_are_the_hours_of_work_of_the_one_that_is_over_its_budget(facts: TrendFacts) -> None:
    """Four times a week, for two hours, from 9 o'clock on."""
    assert facts.breaches["service"].tolist() == ["mailer"] * 24
    assert facts.breaches["first"].iloc[0] == monday(0) + pd.Timedelta(hours=9)
    assert facts.breaches["duration_s"].unique().tolist() == [2 * HOUR_S]
    headroom = facts.services.set_index("service")["headroom_bytes"]
    assert headroom["mailer"] == pytest.approx((512 - 205 - 320) * MIB, abs=4 * MIB)
    assert headroom["search"] == pytest.approx((512 - 185) * MIB - LEAK_BYTES_PER_S * 167 * HOUR_S, abs=4 * MIB)


def test_forecasts_are_dates_of_what_goes_on(facts: TrendFacts) -> None:
    """At 300 B/s from 185 MiB a restarted service is at 512 MiB after 13.2 days."""
    forecasts = facts.forecasts.set_index("service")

    assert set(forecasts.index) == {"cart", "payments", "search", "mailer"}
    for service, level in (("payments", 195), ("cart", 190), ("search", 185)):
        expected = monday(5) + pd.Timedelta(seconds=(512 - level) * MIB / LEAK_BYTES_PER_S)
        assert forecasts.loc[service, "next_low"] < expected < forecasts.loc[service, "next_high"]
    assert forecasts.loc["mailer", "method"] == "recurrence"
    assert forecasts["next"].is_monotonic_increasing


@pytest.mark.slow
def test_fewer_weeks_show_less_and_a_leak_before_them_is_not_new(fleet: Path) -> None:
    facts = read(fleet, weeks=1)

    assert facts.leaks.set_index("service")["status"].to_dict() == {
        "payments": "new", "cart": "returned", "search": "lasting"
    }  # fmt: skip
    assert facts.by_week["week"].unique().tolist() == [0.0]
    assert len(facts.breaches) == 4
    assert "archiver" not in set(facts.services["service"])
    assert facts.services["level_before_bytes"].isna().all()


@pytest.mark.slow
def test_an_accepted_leak_does_not_lead(fleet: Path, facts: TrendFacts) -> None:
    fingerprint = facts.leaks.set_index("service").loc["search", "fingerprint"]
    entry = KnownLeak(fingerprint=fingerprint, reason="index is being rewritten", expires=date(2025, 12, 31))
    accepted = read(fleet, known=(entry,))

    assert set(accepted.services["service"].head(2)) == {"cart", "payments"}
    assert pd.isna(accepted.services.set_index("service").loc["search", "status"])
    assert accepted.leaks.set_index("service").loc["search", "known"] == "accepted"


def test_a_day_of_samples_some_of_them_unknown_is_enough(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    sizes = make_sizes(rng, level=100 * MIB, hours=24)
    write_run(tmp_path, "known", begin=BEGIN, sizes=sizes).close(ended=BEGIN + 24 * HOUR_S)
    write_run(tmp_path, "unknown", begin=BEGIN, sizes=[None] * 24).close(ended=BEGIN + 24 * HOUR_S)
    write_run(tmp_path, "traced", begin=BEGIN, sizes=sizes, column="traced_bytes").close(ended=BEGIN + 24 * HOUR_S)
    facts = read(tmp_path, policy=None)
    services = facts.services.set_index("service")

    assert services["level_bytes"].isna().to_dict() == {"known": False, "traced": False, "unknown": True}
    assert services["headroom_bytes"].isna().all()
    assert facts.leaks.empty
    assert facts.forecasts.empty
    assert facts.breaches.empty
    assert facts.releases.empty


def test_a_run_that_has_ended_has_no_forecast(tmp_path: Path) -> None:
    sizes = make_sizes(np.random.default_rng(2), level=100 * MIB, slope=LEAK_BYTES_PER_S)
    site = ("app/a.py", 1, "keep")
    write_run(tmp_path, "over", begin=BEGIN, sizes=sizes, site=site).close(ended=BEGIN + WEEK_S)
    facts = read(tmp_path)

    assert facts.leaks["status"].tolist() == ["new"]
    assert facts.forecasts.empty


def test_a_ledger_without_a_sample_that_has_a_time_is_refused(tmp_path: Path) -> None:
    LedgerWriter(tmp_path, run={"run_id": "r", "service": "api", "started": 0.0}).close(ended=1.0)

    with pytest.raises(LedgerError, match="trend needs samples that have a service and a time"):
        read(tmp_path)


class OneServiceAtATime(InProcess):
    """Parts as small as they can be."""

    max_part_bytes = 1


@pytest.mark.slow
def test_no_more_than_one_service_is_held_and_the_facts_are_those_of_the_whole(
    fleet: Path, facts: TrendFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    read_arrow = Ledger.read_arrow

    def note(self: Ledger, table: str, **asked: Any) -> pa.Table:
        rows = read_arrow(self, table, **asked)
        if table == "samples" or (table == "sites" and asked["services"]):  # others are evidence of a verdict
            held.append(len(rows["service"].unique()))
        return rows

    monkeypatch.setattr(Ledger, "read_arrow", note)
    rules = resolve_policy(POLICY, call="trend")
    apart = read_trend(
        open_ledger(fleet), weeks=6, policy=rules, known_leaks=(), today=date(2025, 7, 14), engine=OneServiceAtATime()
    )

    assert max(held) == 1
    for field in fields(TrendFacts):
        expected, found = getattr(facts, field.name), getattr(apart, field.name)
        if isinstance(expected, pd.DataFrame):
            assert_frame_equal(found, expected, obj=field.name)
        elif field.name != "ends":
            assert found == expected


def write_site(writer: LedgerWriter, file: str, line: int, *, begin: float, sizes: np.ndarray) -> None:
    """Write what a line holds, a snapshot every twelve hours."""
    writer.append(
        "sites",
        [
            {
                "seq": 12 * number, "timestamp": begin + 12 * number * HOUR_S, "site_id": file, "file": file,
                "line": line, "function": "keep", "traceback": [[file, line]], "size_bytes": round(size),
            }
            for number, size in enumerate(sizes)
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> TrendFacts:
    """Two releases of a service, a week each: the second leaks at one of two lines, sets a mark twice, and crashes."""
    path = tmp_path_factory.mktemp("eventful")
    rng = np.random.default_rng(3)
    at_s = np.arange(0, 168, 12) * HOUR_S
    for week, slope in enumerate([0.0, LEAK_BYTES_PER_S]):
        begin = BEGIN + week * WEEK_S
        sizes = make_sizes(rng, level=200 * MIB, slope=slope)
        writer = write_run(path, "api", begin=begin, sizes=sizes, release=f"1.{week}")
        write_site(writer, "app/base.py", 3, begin=begin, sizes=np.full(at_s.size, 20 * MIB))
        write_site(writer, "app/index.py", 88, begin=begin, sizes=slope * at_s + MIB)
        marks = [{"timestamp": begin + hour * HOUR_S, "kind": "mark", "message": "flag on"} for hour in (1, 30)]
        writer.append("events", marks if week else [])
        writer.close(ended=begin + WEEK_S, ending={"how": "signal", "signal": "SIGSEGV"} if week else {})
    return read(path)


def test_a_release_that_became_worse_has_the_line_that_grew(eventful: TrendFacts) -> None:
    """A leak of 300 B/s adds 83.5 hours of it to the mean of a week, and more to that after the warm-up."""
    worse = eventful.releases[eventful.releases["verdict"] == "more"]

    assert set(worse["file"]) == {"app/index.py"}
    assert set(worse["line"]) == {88}
    grown = LEAK_BYTES_PER_S * 83.5 * HOUR_S
    assert grown < worse["line_change_bytes"].iloc[0] < 1.3 * grown


def test_a_mark_counts_where_it_was_set_first(eventful: TrendFacts) -> None:
    assert eventful.marks.to_dict("records") == [
        {"service": "api", "timestamp": monday(1) + pd.Timedelta(hours=1), "message": "flag on"}
    ]


def test_a_run_that_did_not_end_in_order_is_listed_with_its_cause(eventful: TrendFacts) -> None:
    (death,) = eventful.deaths.to_dict("records")

    assert (death["service"], death["release"], death["cause"]) == ("api", "1.1", "crash")
    assert death["last"] == monday(1) + pd.Timedelta(hours=167)
    assert eventful.services["deaths"].tolist() == [1]


def test_the_page_names_deaths_marks_and_the_worse_line(eventful: TrendFacts) -> None:
    made = Trend(ledger="ledger", facts=eventful, top=12, has_policy=True)
    shown = made.to_markdown()

    assert "1 run did not end in order in the last week: api." in made.headline
    assert "| api | 2025-06-15 23:00 | 1.1 | crashed with SIGSEGV |" in shown
    assert "| api | 2025-06-09 01:00 | flag on |" in shown
    assert "index.py:88" in next(line for line in shown.splitlines() if line.startswith("| api | 1.0 to 1.1 |"))
    assert "flag on" in made.to_html()
