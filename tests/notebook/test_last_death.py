"""Which runs count as a kernel that died in a cell."""

import os
import time
from pathlib import Path

import pytest

from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.notebook.last_death import announce_last_death, find_last_death

MIB = 2**20
NO_PROCESS = 2**22 + 1
"""Above the highest pid of Linux."""


def write_run(
    root: Path,
    *,
    day: int = 1,
    pid: int = NO_PROCESS,
    host: str = "here",
    kinds: str = "start line",
    ended: bool = False,
) -> None:
    run = {"run_id": f"202501{day:02}T000000Z-1-aa", "service": "notebook", "pid": pid, "host": host}
    writer = LedgerWriter(root, run={**run, "started": time.time()})
    for second, kind in enumerate(kinds.split()):
        name = {"start": "cell_start", "line": "cell_line", "end": "cell"}[kind]
        data = {"cell": "In[5]", "source": "grow()", "line": 1, "text": "grow()", "rss_bytes": 900 * MIB}
        writer.append("events", [{"timestamp": 1000.0 + second, "kind": name, "data": data}])
    writer.append("samples", [{"seq": 0, "timestamp": 990.0, "rss_bytes": 800 * MIB, "limit_bytes": 1024 * MIB}])
    if ended:
        writer.close(ended=2000.0, seal=False)
    else:
        writer._forget_in_child()


def test_the_sentence_has_cell_memory_limit_line_and_how_long_ago(tmp_path: Path) -> None:
    write_run(tmp_path)

    shown = announce_last_death(tmp_path, service="notebook", host="here", now=1001.0 + 720)

    assert shown == (
        "Your last kernel died in In[5] at 900 MiB (limit 1.0 GiB), at line 1: `grow()`, 12.0 min ago. "
        f"Its report: memanalysis.report({str(tmp_path)!r}, run_id='20250101T000000Z-1-aa')"
    )
    assert announce_last_death(tmp_path, service="notebook", host="here", now=1721.0) is None


def test_a_run_that_ended_still_runs_or_was_of_another_host_or_between_cells_is_no_death(tmp_path: Path) -> None:
    for name, run in {
        "ended": {"ended": True},
        "alive": {"pid": os.getpid()},
        "elsewhere": {"host": "there"},
        "between": {"kinds": "start line end"},
        "before the first": {"kinds": ""},
    }.items():
        write_run(tmp_path / name, **run)  # type: ignore[arg-type]
        assert find_last_death(tmp_path / name, host="here") is None, name


def test_a_run_that_goes_on_hides_no_death_and_one_that_ended_in_order_does(tmp_path: Path) -> None:
    write_run(tmp_path, day=1)
    write_run(tmp_path, day=2, pid=os.getpid())
    death = find_last_death(tmp_path, host="here")
    assert death is not None
    assert death.run_id == "20250101T000000Z-1-aa"

    write_run(tmp_path, day=3, ended=True)
    assert find_last_death(tmp_path, host="here") is None


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\x00\xff\n", b'{"run_id":[1],"host":"here"}\n', b'{"pid":"x"}\n'])
def test_a_damaged_ledger_is_no_death_and_no_error(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "live" / "runs" / "service_key=notebook"
    folder.mkdir(parents=True)
    (folder / "20250101T000000Z-1-aa.jsonl").write_bytes(content)

    assert announce_last_death(tmp_path, service=None, host="here", now=0.0) is None
    assert announce_last_death("s3://bucket/ledger", service=None, host="here", now=0.0) is None
