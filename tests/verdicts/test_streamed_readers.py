"""Readers of a whole ledger hold some rows of its samples at a time, and give what they give of all rows at once."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.assistant import overview_answers
from memanalysis.ledger.reading import pieces
from memanalysis.ledger.reading.ledger import Ledger, open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB
from memanalysis.verdicts import ledger_parts
from memanalysis.verdicts.engines import InProcess
from memanalysis.verdicts.gate import find_findings
from memanalysis.verdicts.ledger_parts import plan_parts
from memanalysis.verdicts.run_ends import read_runs
from memanalysis.verdicts.run_selection import RunSelection

POLICY = {"memory_budgets": {"global": {"max_memory_mb": 100, "critical_threshold_percent": 85}}}

ROWS = 60
SERVICES = ("api", "jobs", "web")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three services with two runs each; of each the later one is at 90 MiB from second 20 to 29 and from 40 to 44."""
    for place, service in enumerate(SERVICES):
        for number in (1, 2):
            begin = NEW_YEAR + 1000 * number + place
            writer = LedgerWriter(tmp_path, run=run_row(service, f"{service}-{number}", pid=10 * place + number))
            high = {*range(20, 30), *range(40, 45)} if number == 2 else set[int]()
            sizes = [90 * MIB if seq in high else 30 * MIB for seq in range(ROWS)]
            rows = [
                sample_row(seq, timestamp=begin + seq, rss_bytes=size, family_bytes=size)
                for seq, size in enumerate(sizes)
            ]
            writer.append("samples", rows)
            writer.close(ended=begin + ROWS)
    return tmp_path


def test_breaches_are_found_service_by_service(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds and five seconds at the critical level, of the later run of each service."""
    at_once = find_findings(root, policy=POLICY, fail_on=["breach"])
    monkeypatch.setattr(InProcess, "max_part_bytes", 1)
    sizes: list[int] = []
    read = Ledger.read

    def note(self: Ledger, table: str, **more: Any) -> pd.DataFrame:
        rows = read(self, table, **more)
        sizes.extend([len(rows)] if table == "samples" else [])
        return rows

    monkeypatch.setattr(Ledger, "read", note)
    part_by_part = find_findings(root, policy=POLICY, fail_on=["breach"])

    assert part_by_part == at_once
    assert [(finding.service, finding.run_id) for finding in at_once] == [(name, f"{name}-2") for name in SERVICES]
    assert {finding.text.partition(". It began")[0] for finding in at_once} == {
        "At the critical level of its budget of 100 MiB 2 times, for 15.0 s in all, with 90.0 MiB at most"
    }
    assert sizes == [ROWS] * len(SERVICES)


def test_breaches_of_all_runs_are_found_as_those_of_the_latest(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InProcess, "max_part_bytes", 1)

    found = find_findings(root, policy=POLICY, fail_on=["breach"], selection=RunSelection())

    assert [finding.run_id for finding in found] == [f"{name}-2" for name in SERVICES]


@pytest.mark.parametrize("batch_rows", [1, 100, 500_000])
def test_the_assistant_lists_runs_with_their_rows_and_spans(
    root: Path, batch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_BATCH_ROWS", batch_rows)
    timeless = LedgerWriter(root, run=run_row("zero", "t"))
    timeless.append("samples", [{"rss_bytes": 1}, {"rss_bytes": 2}])
    timeless.close(ended=NEW_YEAR)

    runs = overview_answers._read_runs(open_ledger(root))

    *known, last = runs.to_dict("records")
    assert known == [
        {
            "service": service,
            "run_id": f"{service}-{number}",
            "rows": ROWS,
            "first": pd.Timestamp(NEW_YEAR + 1000 * number + place, unit="s", tz="UTC"),
            "last": pd.Timestamp(NEW_YEAR + 1000 * number + place + ROWS - 1, unit="s", tz="UTC"),
            "first_seq": 0,
            "last_seq": ROWS - 1,
        }
        for place, service in enumerate(SERVICES)
        for number in (1, 2)
    ]
    assert (last["service"], last["rows"]) == ("zero", 2)
    assert all(pd.isna(last[name]) for name in ("first", "last", "first_seq", "last_seq"))
    assert str(runs["first_seq"].dtype) == "Int64"
    assert overview_answers._read_runs(open_ledger(root), "jobs")["run_id"].tolist() == ["jobs-1", "jobs-2"]


def test_the_runs_of_a_large_service_are_counted_some_rows_at_a_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    count_rows = ledger_parts._count_rows

    def note(rows: pa.Table) -> pa.Table:
        sizes.append(rows.num_rows)
        return count_rows(rows)

    monkeypatch.setattr(ledger_parts, "_count_rows", note)
    monkeypatch.setattr(pieces, "_BATCH_ROWS", ROWS)
    ledger = open_ledger(root)

    parts = plan_parts(ledger, read_runs(ledger), max_bytes=1)

    assert [part.run_ids for part in parts] == [(f"{name}-{number}",) for name in SERVICES for number in (1, 2)]
    assert max(sizes) == ROWS
