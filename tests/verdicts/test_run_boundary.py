"""A run that cannot be judged or explained takes no other down; the fault is made, since no known data provokes one."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memanalysis.verdicts import part_verdicts as joined
from memanalysis.verdicts.assess import assess


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    for service in ("bad", "good"):
        path = tmp_path / f"samples/service_key={service}/x.parquet"
        path.parent.mkdir(parents=True)
        seconds = [float(second) for second in range(60)]
        rows = {
            "service": [service] * 60,
            "run_id": [f"run-{service}"] * 60,
            "elapsed_s": seconds,
            "rss_bytes": pa.array([round(50e6 + 5e5 * second) for second in seconds]),
        }
        pq.write_table(pa.table(rows), path)
    return tmp_path


@pytest.mark.slow
def test_a_run_that_cannot_be_judged_is_a_row_of_its_own(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = joined.assess_samples

    def fail_on_one(samples: pd.DataFrame, **more: Any) -> pd.DataFrame:
        if samples["service"].eq("bad").any():
            raise KeyError("boom")
        return judge(samples, **more)

    monkeypatch.setattr(joined, "assess_samples", fail_on_one)

    verdicts = assess(ledger)

    assert verdicts["shape"].tolist() == ["growing", "unreadable"]
    assert verdicts["run_id"].tolist() == ["run-good", "run-bad"]
    assert verdicts["sentence"].iloc[1] == "This run could not be judged: KeyError: 'boom'"


def test_a_leak_that_cannot_be_explained_keeps_its_verdict(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = joined.assess_samples

    def fail_on_one(samples: pd.DataFrame, **more: Any) -> pd.DataFrame:
        if "sites" in more and samples["service"].eq("bad").any():
            raise ValueError("sites")
        return judge(samples, **more)

    monkeypatch.setattr(joined, "assess_samples", fail_on_one)

    verdicts = assess(ledger)

    assert verdicts["is_leak"].tolist() == [True, True]
    notes = verdicts["sentence"].str.endswith("Its sites and events are unreadable: ValueError: sites.")
    assert notes.tolist() == [True, False]
