"""Runs whose processes are gone without a word get an ending, and no others."""

import json
import socket
import subprocess
import sys
import time

import pytest

from memanalysis._gone_process import read_state
from memanalysis.ledger.maintenance.note_ends import EndedChild, find_unnoted_end, list_live_files, note_ends
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

STARTED = 1_700_000_000.0


@pytest.fixture
def gone_pid():
    return int(
        subprocess.run(
            [sys.executable, "-c", "import os; print(os.getpid())"], stdout=subprocess.PIPE, check=True
        ).stdout
    )


def row(run_id, pid, **cells):
    at_start = read_state(None)
    return {"run_id": run_id, "service": "api", "host": socket.gethostname(), "pid": pid, "started": STARTED} | {
        "at_start": at_start, **cells
    }  # fmt: skip


def leave(ledger, run):
    """Write the beginning of a run, as a killed process leaves it."""
    writer = LedgerWriter(ledger, run=run)
    writer._forget_in_child()  # lets go of the lock, as the system does for one that is gone


def endings(ledger):
    return open_ledger(ledger).runs["ending"].tolist()


@pytest.mark.slow
def test_a_process_that_is_gone_is_noted_once(tmp_path, gone_pid):
    leave(tmp_path, row("r", gone_pid))

    assert note_ends(tmp_path) == 1
    assert note_ends(tmp_path) == 0
    assert [ending["how"] for ending in endings(tmp_path)] == ["gone"]
    assert open_ledger(tmp_path).runs["ended"].isna().all()


def test_one_that_writes_still_is_not(tmp_path, gone_pid):
    writer = LedgerWriter(tmp_path, run=row("r", gone_pid))

    assert note_ends(tmp_path) == 0
    writer.close(seal=False)


def test_one_that_ended_in_order_is_not(tmp_path, gone_pid):
    LedgerWriter(tmp_path, run=row("r", gone_pid)).close(seal=False)

    assert note_ends(tmp_path) == 0


def test_one_of_another_machine_is_not(tmp_path, gone_pid):
    leave(tmp_path, row("r", gone_pid, host="another", at_start={"boot_id": "another"}))

    assert note_ends(tmp_path) == 0


def test_one_of_another_container_of_this_machine_is(tmp_path, gone_pid):
    leave(tmp_path, row("r", gone_pid, host="another"))

    assert note_ends(tmp_path) == 1


def test_one_of_before_a_restart_of_the_machine_says_so(tmp_path, gone_pid):
    leave(tmp_path, row("r", gone_pid, at_start={"boot_id": "another"}))
    note_ends(tmp_path)

    assert endings(tmp_path)[0] == {"how": "gone", "seen_by": "outside", "machine_restarted": True}


def test_the_exit_status_that_a_parent_was_given_is_added(tmp_path, gone_pid):
    LedgerWriter(tmp_path, run=row("r", gone_pid)).close(ending={"how": "returned", "seen_by": "program"}, seal=False)
    leave(tmp_path, row("s", gone_pid))

    assert note_ends(tmp_path, child=EndedChild(pid=gone_pid, exit_status=-9, started_at=STARTED)) == 2
    assert [(ending["how"], ending["exit_status"]) for ending in endings(tmp_path)] == [("returned", -9), ("gone", -9)]


def test_an_earlier_run_under_the_same_number_is_not_the_childs(tmp_path, gone_pid):
    """In a container that starts again, the program often has the number that it had before."""
    leave(tmp_path, row("r", gone_pid))
    leave(tmp_path, row("s", gone_pid, started=STARTED + 60))
    note_ends(tmp_path)
    note_ends(tmp_path, child=EndedChild(pid=gone_pid, exit_status=0, started_at=STARTED + 59))
    runs = open_ledger(tmp_path).runs.sort_values("run_id")

    assert [ending.get("exit_status") for ending in runs["ending"]] == [None, 0]
    assert runs["ended"].isna().tolist() == [True, False]


def test_a_parent_that_was_given_the_status_has_seen_when_it_ended(tmp_path, gone_pid):
    """The run that noted its own end keeps that time."""
    LedgerWriter(tmp_path, run=row("r", gone_pid)).close(ended=STARTED + 7, seal=False)
    leave(tmp_path, row("s", gone_pid))
    before = time.time()
    note_ends(tmp_path, child=EndedChild(pid=gone_pid, exit_status=-9, started_at=STARTED))
    after = time.time()
    first, second = (moment.timestamp() for moment in open_ledger(tmp_path).runs.sort_values("run_id")["ended"])

    assert first == STARTED + 7
    assert before - 1e-3 <= second <= after + 1e-3


def test_a_half_line_of_a_kill_is_cut_off(tmp_path, gone_pid):
    leave(tmp_path, row("r", gone_pid))
    (path,) = tmp_path.glob("live/runs/*/*.jsonl")
    path.write_bytes(path.read_bytes() + b'{"run_id":"r","ser')
    note_ends(tmp_path)

    assert [json.loads(line)["run_id"] for line in path.read_text().splitlines()] == ["r", "r"]


def test_only_the_latest_runs_of_a_service_are_checked_where_that_is_asked(tmp_path, gone_pid):
    for number in range(3):
        leave(tmp_path, row(f"r{number}", gone_pid))

    assert note_ends(tmp_path, service="api", most=2) == 2
    assert [ending is None for ending in endings(tmp_path)] == [True, False, False]


@pytest.mark.parametrize("cell", ["pid", "started", "at_start", "host", "ending", "ended", "run_id"])
def test_a_row_with_an_odd_cell_raises_nothing(tmp_path, gone_pid, cell):
    """A file that something else has written into; each value is one that JSON can hold."""
    for number, odd in enumerate((None, [1], {"a": 1}, "0001-01-01", 10**400, -(10**30), float("nan"), True, "x")):
        live = tmp_path / "live" / "runs" / f"service_key=odd{number}"
        live.mkdir(parents=True)
        (live / f"20250101T000000Z-{number}-0badcafe.jsonl").write_text(
            json.dumps(row("r", gone_pid) | {cell: odd}) + "\n"
        )

    assert note_ends(tmp_path) <= 9
    assert note_ends(tmp_path, child=EndedChild(pid=gone_pid, exit_status=0, started_at=STARTED)) <= 9


def test_an_end_is_found_for_the_run_itself_whose_writer_let_go_of_every_file(tmp_path, gone_pid):
    """Files are listed once for all runs: that of `rr` is not one of `r`, and a sealed run has none."""
    writer = LedgerWriter(tmp_path, run=row("rr", gone_pid))
    leave(tmp_path, row("r", gone_pid))
    leave(tmp_path, row("elsewhere", gone_pid, service="other"))

    live = list_live_files(tmp_path)

    assert sorted(live) == [
        ("service_key=api", "r"),
        ("service_key=api", "rr"),
        ("service_key=other", "elsewhere"),
    ]
    assert find_unnoted_end(live, row("rr", gone_pid)) is None
    for run in (row("r", gone_pid), row("elsewhere", gone_pid, service="other"), row("sealed", gone_pid)):
        assert find_unnoted_end(live, run)["how"] == "gone"
    writer.close(seal=False)
