"""What is left of a ledger whose four writers are killed again and again at random moments.

Every row must be there, once: each writer reports, on a pipe, how many rows ``append`` took before it was killed. The
ledger is read and compacted now and then meanwhile, as a cron job would.
"""

import random
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.reading.ledger import open_ledger

__all__ = ["Torture", "kill_writers"]

WRITERS = 4
LONGEST_LIFE_S = 0.15
"""After its first row a writer lives for a random part of this."""

_WRITE_UNTIL_KILLED = """
import itertools, sys, time
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
root, run_id, segment_bytes = sys.argv[1:]
writer = LedgerWriter(root, run={"run_id": run_id, "service": "api", "started": 0.0}, segment_bytes=int(segment_bytes))
for seq in itertools.count():
    writer.append("samples", [{"seq": seq, "timestamp": seq / 10, "label": "x" * (seq * 37 % 500)}])
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
    if seq % 20 == 19:
        time.sleep(0.01)  # some 2,000 rows a second: it is kills that are wanted, not a full disk
"""


@dataclass(slots=True)
class Torture:
    """What came of it; ``lost`` and ``doubled`` count rows, ``damaged`` lines that were passed over."""

    kills: int = 0
    rows: int = 0
    lost: int = 0
    doubled: int = 0
    damaged: int = 0
    opened: int = 0
    sealed: int = 0


def kill_writers(root: Path, *, kills: int, seed: int, segment_bytes: int = 200_000) -> Torture:
    """Kill writers of a ledger again and again, and look for the rows that each had announced.

    Parameters
    ----------
    root : Path
        Folder of the ledger.
    kills : int
    seed : int
        Of the random moments.
    segment_bytes : int
        Small, so that files are sealed, and the sealing is met by a kill, too.
    """
    moments = random.Random(seed)
    announced: dict[str, int] = {}
    result = Torture()
    alive: deque[tuple[str, subprocess.Popen[bytes]]] = deque()
    try:
        while result.kills < kills:
            while len(alive) < WRITERS:
                run_id = f"run-{len(announced):04}"
                announced[run_id] = -1
                alive.append((run_id, _start(root, run_id, segment_bytes)))
            run_id, process = alive.popleft()
            assert process.stdout is not None
            process.stdout.readline()  # the first row: from here on a kill meets a writer at work
            last = _drain_until(process, time.monotonic() + moments.random() * LONGEST_LIFE_S)
            process.kill()
            announced[run_id] = max(0, last, _drain(process))
            result.kills += 1
            if result.kills % 25 == 0:
                result.sealed += compact_ledger(root).sealed
                open_ledger(root).read("samples", columns=["seq"])
                result.opened += 1
    finally:
        for _, process in alive:
            process.kill()
            _drain(process)
    _count(root, announced, result)
    result.sealed += compact_ledger(root).sealed
    again = Torture()
    _count(root, announced, again)
    result.lost, result.doubled = max(result.lost, again.lost), max(result.doubled, again.doubled)
    return result


def _start(root: Path, run_id: str, segment_bytes: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", _WRITE_UNTIL_KILLED, str(root), run_id, str(segment_bytes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _drain_until(process: "subprocess.Popen[bytes]", moment: float) -> int:
    """Read what a writer reports until that moment, so that its pipe does not hold it up."""
    assert process.stdout is not None
    last = -1
    while time.monotonic() < moment:
        last = int(process.stdout.readline())
    return last


def _drain(process: "subprocess.Popen[bytes]") -> int:
    """Read the rest that a killed writer announced; its last line may be torn."""
    assert process.stdout is not None
    whole = [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    process.stdout.close()
    process.wait()
    return int(whole[-1]) if whole else -1


def _count(root: Path, announced: dict[str, int], result: Torture) -> None:
    ledger = open_ledger(root)
    samples = ledger.read("samples", columns=["run_id", "seq"])
    found = {str(run_id): rows["seq"].tolist() for run_id, rows in samples.groupby("run_id")}
    result.rows = len(samples)
    result.opened += 1
    for run_id, last in announced.items():
        if last < 0:
            continue
        rows = found.get(run_id, [])
        result.doubled += len(rows) - len(set(rows))
        result.lost += len(set(range(max(last, *rows, 0) + 1)) - set(rows)) if rows else last + 1
    result.damaged = sum(record.lines_skipped or 0 for record in ledger.damage)
