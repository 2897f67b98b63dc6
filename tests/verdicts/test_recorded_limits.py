"""A budget that is a share of the limit is a share of what was recorded, and not of where it is judged."""

from pathlib import Path

import pandas as pd
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis import assess
from memanalysis.ledger.reading import pieces
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import GIB, MIB
from memanalysis.verdicts.recorded_limits import find_limits, read_limits

SHARE = {"memory_budgets": {"global": {"max_memory_mb": "50% of limit"}}}


def samples(limit_bytes: float | None) -> pd.DataFrame:
    n = 120
    return pd.DataFrame(
        {
            "service": "api",
            "run_id": "1",
            "elapsed_s": range(n),
            "rss_bytes": [100 * MIB + i * MIB for i in range(n)],
            "limit_bytes": pd.array([limit_bytes] * n, dtype="Float64"),
        }
    )


def starts(data: object) -> pd.DataFrame:
    return pd.DataFrame({"service": ["api"], "kind": ["start"], "data": [data]})


@pytest.mark.slow
def test_a_share_is_of_the_limit_that_was_recorded() -> None:
    verdict = assess(samples(GIB), policy=SHARE).iloc[0]

    assert verdict["limit_bytes"] == GIB / 2


def test_without_a_container_it_is_of_the_machine_that_was_recorded() -> None:
    assert find_limits(samples(None), lambda: starts({"machine_bytes": 8 * GIB})) == {"api": 8 * GIB}
    assert find_limits(samples(GIB), lambda: starts({"machine_bytes": 8 * GIB})) == {"api": GIB}


@pytest.mark.parametrize("data", [None, {}, {"machine_bytes": "8"}, {"machine_bytes": -1}, "text", 3])
def test_what_an_event_does_not_tell_is_unknown(data: object) -> None:
    assert find_limits(samples(None), lambda: starts(data)) == {}


def write_limits(path: Path, service: str, run_id: str, *limits: int | None, machine: int | None = None) -> None:
    writer = LedgerWriter(path, run=run_row(service, run_id))
    rows = [sample_row(seq, limit_bytes=limit) for seq, limit in enumerate(limits)]
    writer.append("samples", rows)
    start = {"timestamp": NEW_YEAR, "kind": "start", "data": {"machine_bytes": machine}}
    writer.append("events", [] if machine is None else [start, start | {"kind": "mark", "data": {"machine_bytes": 1}}])
    writer.close(ended=NEW_YEAR + 60)


@pytest.mark.parametrize("batch_rows", [1, 500_000])
def test_a_limit_that_changed_is_the_last_of_the_last_run_and_a_machine_stands_in(
    tmp_path: Path, batch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``grown`` went down within its last run, ``lost`` has it from the run before, ``bare`` has none."""
    monkeypatch.setattr(pieces, "_BATCH_ROWS", batch_rows)
    write_limits(tmp_path, "grown", "r1", GIB, 4 * GIB)
    write_limits(tmp_path, "grown", "r2", 3 * GIB, 3 * GIB, 2 * GIB, None)
    write_limits(tmp_path, "lost", "r1", GIB)
    write_limits(tmp_path, "lost", "r2", None, machine=16 * GIB)
    write_limits(tmp_path, "bare", "r1", None, machine=8 * GIB)
    ledger = open_ledger(tmp_path)

    assert read_limits(ledger, ["grown", "lost", "bare"]) == {"grown": 2 * GIB, "lost": GIB, "bare": 8 * GIB}
    assert read_limits(ledger, ["bare"]) == {"bare": 8 * GIB}
    assert read_limits(ledger, []) == {}
