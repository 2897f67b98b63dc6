"""Retention of a folder drops whole files, the oldest first, thins out old samples, and rewrites nothing that stays."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.maintenance.retention import Retention
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

DAY = 86_400.0
DAYS = 5
ROWS = 120
NOW = NEW_YEAR + DAYS * DAY


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run a day, ``day-0`` the oldest, of 120 samples a minute apart, a mark and a site each; another service."""
    for day in range(DAYS):
        begin = NEW_YEAR + day * DAY
        writer = LedgerWriter(tmp_path, run=run_row(run_id=f"day-{day}", started=begin))
        rng = np.random.default_rng(day)
        sizes = rng.integers(1_000_000, 2_000_000, ROWS).tolist()
        rows = [
            sample_row(seq, timestamp=begin + 60 * seq, elapsed_s=60.0 * seq, rss_bytes=size)
            for seq, size in enumerate(sizes)
        ]
        rows[50]["label"] = "deploy 1.4"
        writer.append("samples", rows)
        writer.append("sites", [{"seq": 0, "timestamp": begin, "site_id": "a", "size_bytes": 5}])
        writer.append("events", [{"timestamp": begin, "kind": "mark"}])
        writer.close(ended=begin + 60 * ROWS)
    other = LedgerWriter(tmp_path, run=run_row("other", "other-0", started=NEW_YEAR))
    other.append("samples", [sample_row(seq) for seq in range(10)])
    other.close(ended=NEW_YEAR + 10)
    return tmp_path


def runs(root: Path) -> list[str]:
    return sorted(open_ledger(root).samples["run_id"].unique())


def states(root: Path) -> dict[str, tuple[int, int]]:
    return {
        path.relative_to(root).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in root.glob("*/service_key=*/*.parquet")
    }


@pytest.mark.slow
def test_without_limits_nothing_changes(root: Path) -> None:
    before = states(root)

    compact_ledger(root, retention=Retention(), now=NOW)

    assert states(root) == before


def test_files_older_than_the_age_are_dropped_of_all_tables_and_no_other_is_touched(root: Path) -> None:
    before = states(root)

    done = compact_ledger(root, retention=Retention(max_age_days=2.5), now=NOW).retention

    assert runs(root) == ["day-3", "day-4"]
    kept = set(runs(root))
    assert set(open_ledger(root).runs["run_id"]) == kept
    assert set(open_ledger(root).sites["run_id"]) == kept
    assert open_ledger(root).services == ["api"]
    after = states(root)
    assert after.items() <= before.items()
    assert done.files_dropped == len(before) - len(after)


def test_an_old_file_is_dropped_only_when_its_newest_row_is_too_old(root: Path) -> None:
    """The last row of day-2 is 119 minutes into that day: 2 days and 1,321 minutes before now."""
    edge = (NOW - (NEW_YEAR + 2 * DAY + 60 * (ROWS - 1))) / DAY
    compact_ledger(root, retention=Retention(max_age_days=edge + 0.001), now=NOW)
    assert runs(root) == ["day-2", "day-3", "day-4"]

    compact_ledger(root, retention=Retention(max_age_days=edge - 0.001), now=NOW)
    assert runs(root) == ["day-3", "day-4"]


@pytest.mark.parametrize(("max_entries", "kept"), [(1000, 5), (241, 3), (240, 2), (120, 1), (1, 1), (0, 0)])
def test_the_newest_files_that_hold_so_many_samples_stay(root: Path, max_entries: int, kept: int) -> None:
    compact_ledger(root, retention=Retention(max_entries=max_entries), now=NOW)

    found = [run for run in runs(root) if run.startswith("day")]
    assert found == [f"day-{day}" for day in range(DAYS - kept, DAYS)]
    assert ("other-0" in runs(root)) == (max_entries > 0)  # each service has its own


def test_the_size_of_all_files_stays_under_the_cap_and_the_newest_stay(root: Path) -> None:
    total = sum(path.stat().st_size for path in root.rglob("*.parquet"))
    cap = total // 2

    compact_ledger(root, retention=Retention(max_bytes=cap), now=NOW)

    assert sum(path.stat().st_size for path in root.rglob("*.parquet")) <= cap
    found = runs(root)
    assert found
    assert found == [f"day-{day}" for day in range(DAYS - len(found), DAYS)]


def test_old_samples_keep_minimum_maximum_and_mean_of_each_interval(root: Path) -> None:
    """Expected values by pandas, from the rows as they were: two hours of 60 samples each, one of them with a label."""
    before = open_ledger(root).samples
    old = before[(before["run_id"] == "day-1")]
    untouched = states(root)

    done = compact_ledger(root, retention=Retention(downsample_after_days=2.5), now=NOW).retention

    after = open_ledger(root).samples
    assert done.files_thinned == 4  # day-0 to day-2, and other-0
    found = after[after["run_id"] == "day-1"].reset_index(drop=True)
    assert len(found) == 7
    assert (
        found.loc[found["label"] == "deploy 1.4", "rss_bytes"].tolist()
        == old.loc[old["label"] == "deploy 1.4", "rss_bytes"].tolist()
    )
    plain = old[old["label"].isna()]
    hours = plain.groupby(plain["timestamp"].dt.floor("h"))
    for hour, rows in hours:
        here = found[(found["timestamp"].dt.floor("h") == hour) & (found["label"] != "deploy 1.4")]
        by = {label.split()[0]: row for label, (_, row) in zip(here["label"], here.iterrows(), strict=True)}
        assert set(here["label"]) == {f"{how} of {len(rows)} samples" for how in ("min", "max", "mean")}
        assert by["min"]["rss_bytes"] == rows["rss_bytes"].min()
        assert by["max"]["rss_bytes"] == rows["rss_bytes"].max()
        assert by["mean"]["rss_bytes"] == pytest.approx(rows["rss_bytes"].mean(), abs=0.5)
        assert by["min"]["seq"] == rows.loc[rows["rss_bytes"].astype("int64").idxmin(), "seq"]
        assert by["max"]["elapsed_s"] == rows.loc[rows["rss_bytes"].astype("int64").idxmax(), "elapsed_s"]
        assert by["mean"]["elapsed_s"] == pytest.approx(rows["elapsed_s"].mean())
    assert found["timestamp"].is_monotonic_increasing
    pd.testing.assert_frame_equal(
        after[after["run_id"] == "day-4"].reset_index(drop=True),
        before[before["run_id"] == "day-4"].reset_index(drop=True),
    )
    stays = {name: state for name, state in untouched.items() if "day-4" in name or not name.startswith("samples/")}
    assert stays.items() <= states(root).items()


def test_what_was_thinned_out_once_is_left_as_it_is(root: Path) -> None:
    retention = Retention(downsample_after_days=1)
    compact_ledger(root, retention=retention, now=NOW)
    before = states(root)

    assert compact_ledger(root, retention=retention, now=NOW).retention.files_thinned == 0
    assert states(root) == before


def test_a_living_run_is_never_dropped(root: Path) -> None:
    writer = LedgerWriter(root, run=run_row(run_id="alive", started=NEW_YEAR))
    writer.append("samples", [sample_row(0)])

    compact_ledger(root, retention=Retention(max_age_days=0.5, max_entries=0, max_bytes=0), now=NOW + 100 * DAY)

    assert runs(root) == ["alive"]
    assert open_ledger(root).runs["run_id"].tolist() == ["alive"]
    writer.close(ended=NEW_YEAR)


def test_a_writer_keeps_to_its_retention_when_it_seals(root: Path) -> None:
    """Ages count from the clock: 2025 is more than a day ago."""
    writer = LedgerWriter(root, run=run_row(run_id="new", started=NEW_YEAR), retention=Retention(max_entries=130))
    writer.append("samples", [sample_row(0, timestamp=NOW)])
    writer.close(ended=NOW)

    assert runs(root) == ["day-3", "day-4", "new", "other-0"]


@pytest.mark.parametrize("limit", [{"max_entries": -1}, {"max_bytes": -1}, {"downsample_interval_s": 0.0}])
def test_a_limit_that_is_none_is_refused(limit: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentError, match="Retention needs"):
        Retention(**limit)  # type: ignore[arg-type]


def test_a_file_that_cannot_be_read_stays_and_is_named(root: Path) -> None:
    broken = next(root.glob("samples/*/day-0*.parquet"))
    broken.write_bytes(b"not Parquet")

    done = compact_ledger(root, retention=Retention(max_age_days=1), now=NOW).retention

    assert broken.read_bytes() == b"not Parquet"
    assert done.files_dropped > 0
    assert len(done.failed) == 1
    assert done.failed[0].startswith(f"{broken}: retention leaves it as it is: ")
