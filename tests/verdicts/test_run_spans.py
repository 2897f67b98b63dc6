"""The span of each run is that of its samples, whatever the number of batches that they are read in."""

from pathlib import Path

import pandas as pd
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.ledger.reading import pieces
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.verdicts.assess import judge_ledger
from memanalysis.verdicts.run_spans import find_range, measure_spans, read_spans

RUNS = {"r1": ("api", 0, 50), "r2": ("api", 600, 610), "r3": ("jobs", 100, 160)}
"""Service, first and last second of each run, a sample a second."""


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    for run_id, (service, first, last) in RUNS.items():
        writer = LedgerWriter(tmp_path, run=run_row(service, run_id))
        seconds = range(first, last + 1)
        writer.append("samples", [sample_row(at, timestamp=NEW_YEAR + at) for at in seconds])
        writer.close(ended=NEW_YEAR + last)
    timeless = LedgerWriter(tmp_path, run=run_row("none", "r4"))
    timeless.append("samples", [{"seq": 0, "rss_bytes": 1}])
    return tmp_path


def moment(at_s: float) -> pd.Timestamp:
    return pd.Timestamp(NEW_YEAR + at_s, unit="s", tz="UTC")


@pytest.mark.parametrize("batch_rows", [1, 20, 500_000])
def test_each_run_has_its_first_and_last_moment_and_its_number_of_samples(
    ledger: Path, batch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_BATCH_ROWS", batch_rows)
    spans = read_spans(open_ledger(ledger))

    assert spans.to_dict("records") == [
        {"service": service, "run_id": run_id, "first": moment(first), "last": moment(last), "count": last - first + 1}
        for run_id, (service, first, last) in RUNS.items()
    ] + [{"service": "none", "run_id": "r4", "first": pd.NaT, "last": pd.NaT, "count": 0}]
    assert find_range(spans) == (moment(0), moment(610))


def test_only_what_is_asked_for_has_a_span_and_nothing_has_no_range(ledger: Path) -> None:
    opened = open_ledger(ledger)

    assert read_spans(opened, services=["jobs"])["run_id"].tolist() == ["r3"]
    assert read_spans(opened, since=NEW_YEAR + 605)["first"].tolist() == [moment(605)]
    assert find_range(read_spans(opened, services=["nobody"])) == (None, None)
    assert find_range(read_spans(opened, services=["none"])) == (None, None)


@pytest.mark.parametrize("asked", [["api", "jobs", "none"], ["none"]])
def test_spans_of_samples_that_were_read_are_those_of_the_ledger(ledger: Path, asked: list[str]) -> None:
    opened = open_ledger(ledger)
    samples = opened.read("samples", services=asked)

    pd.testing.assert_frame_equal(measure_spans(samples), read_spans(opened, services=asked))
    assert measure_spans(samples.drop(columns="timestamp"))["count"].tolist() == [0] * samples["run_id"].nunique()


def test_a_judgement_gives_the_spans_as_well_where_they_are_asked_for(ledger: Path) -> None:
    opened = open_ledger(ledger)
    judged = judge_ledger(opened, None, wants_spans=True)

    pd.testing.assert_frame_equal(judged.spans, read_spans(opened))
    assert len(judged.verdicts) == 4
    assert judge_ledger(opened, None).spans.empty
