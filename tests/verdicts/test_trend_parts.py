"""The weeks of some services are measured from their rows alone, and those of one do not depend on another."""

import numpy as np
import pandas as pd
import pytest
from fleet_ledger import BEGIN, HOUR_S, WEEK_S, make_sizes, write_run
from pandas.testing import assert_frame_equal

from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.ledger.reading.ledger import Ledger, open_ledger
from memanalysis.ledger.reading.ledger_part import LedgerPart
from memanalysis.units import MIB
from memanalysis.verdicts.trend_parts import ServiceJob, WeeksJob, join_frames, measure_weeks, measure_worst

LIMIT = Budget(max_bytes=200 * MIB, warning_bytes=0.0, critical_bytes=np.inf)
GROWTH_BYTES_PER_S = 200.0


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Two weeks of two services, the second of them with a release a week, that grows with the last."""
    path = tmp_path_factory.mktemp("parts") / "ledger"
    rng = np.random.default_rng(5)
    for week, slope in enumerate([0.0, GROWTH_BYTES_PER_S]):
        begin = BEGIN + week * WEEK_S
        write_run(path, "even", begin=begin, sizes=make_sizes(rng, level=100 * MIB))
        write_run(path, "grown", begin=begin, sizes=make_sizes(rng, level=50 * MIB, slope=slope), release=f"1.{week}")
    return open_ledger(path)


def until() -> pd.Timestamp:
    """The last sample: an hour before the end of the second week."""
    return pd.Timestamp(BEGIN + 2 * WEEK_S - HOUR_S, unit="s", tz="UTC")


def test_a_part_has_the_weeks_of_its_services_and_what_they_left_of_their_limit(ledger: Ledger) -> None:
    """Levels with a day cycle of 2 MiB and noise of half a MiB."""
    job = WeeksJob(
        part=LedgerPart(partitions=("service_key=even",)),
        weeks=2,
        until=until(),
        running=pd.DataFrame({"service": [], "run_id": []}),
        budgets={},
        levels={"even": LIMIT, "grown": LIMIT},
    )
    found = measure_weeks(ledger, job)

    assert found.levels["service"].unique().tolist() == ["even"]
    assert found.levels["group"].tolist() == [0.0, 1.0]
    assert found.levels["level_bytes"].tolist() == pytest.approx([100 * MIB] * 2, abs=MIB)
    assert found.headroom["headroom_bytes"].tolist() == pytest.approx([98 * MIB], abs=2 * MIB)
    assert found.first == pd.Timestamp(BEGIN, unit="s", tz="UTC")
    assert found.breaches.empty
    assert found.returns.empty


def test_a_service_is_measured_alone_as_it_is_beside_another(ledger: Ledger) -> None:
    runs = ledger.runs
    releases = {
        (row["service"], row["run_id"]): row["release"] for row in runs[runs["release"].notna()].to_dict("records")
    }
    both, alone = (
        measure_worst(ledger, ServiceJob(services=services, weeks=2, until=until(), begin=until(), releases=releases))
        for services in (("even", "grown"), ("grown",))
    )
    slopes = both.slopes[both.slopes["service"] == "grown"].reset_index(drop=True)

    assert slopes["slope_bytes_per_s"].tolist() == pytest.approx([0.0, GROWTH_BYTES_PER_S], abs=10)
    assert_frame_equal(alone.slopes, slopes)
    assert alone.starts["release"].tolist() == ["1.0", "1.1"]
    assert_frame_equal(both.starts, alone.starts)
    (change,) = alone.releases
    assert (change.release_before, change.release) == ("1.0", "1.1")
    assert change.first == pd.Timestamp(BEGIN + WEEK_S, unit="s", tz="UTC")


def test_empty_frames_add_neither_rows_nor_types() -> None:
    empty = pd.DataFrame({"size": pd.Series(dtype=object)})
    joined = join_frames([empty, pd.DataFrame({"size": [1]}), pd.DataFrame({"size": [2]})])

    assert joined["size"].tolist() == [1, 2]
    assert joined["size"].dtype == np.int64
    assert list(join_frames([empty]).columns) == ["size"]
