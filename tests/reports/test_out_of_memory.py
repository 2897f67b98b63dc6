"""A process that the kernel kills in a real cgroup of little memory: the report names the killer, cause and line."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from processes import running

from memanalysis.capture.sampler import why_unavailable
from memanalysis.reports.make_report import report
from memanalysis.units import MIB

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_unavailable() is not None, reason="the compiled sampler is not here"),
]

ROOT = Path(__file__).parents[2]
LIMIT_BYTES = 110 * MIB
DEADLINE_S = 100.0
PROGRAM = """
import time
from memanalysis import watch
CACHE = []
watch("api", ledger="ledger", interval=0.05, seal=False).start()
def keep():
    CACHE.append(b"x" * 2**20)
while True:
    keep()
    time.sleep(0.02)
"""
KEEP_LINE = 1 + PROGRAM.splitlines().index('    CACHE.append(b"x" * 2**20)')
PLACES = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))
"""Of version 1 and of version 2: where a cgroup is made, and the file of its limit."""


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup of little memory, which is removed again."""
    if len(Path("/proc/swaps").read_text().splitlines()) > 1:
        pytest.skip("the kernel swaps before it kills here")
    for place, limit in PLACES:
        folder = Path(place) / f"memanalysis-test-{os.getpid()}"
        with suppress(OSError):
            folder.mkdir()
            try:
                if (folder / limit).exists():  # elsewhere it would be a plain file
                    (folder / limit).write_text(str(LIMIT_BYTES))
                    yield folder
                    return
            finally:
                folder.rmdir()
    pytest.skip("no cgroup can be made here")


def test_a_kill_by_the_kernel_is_described_with_its_limit_and_its_line(cgroup: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    join = f'echo $$ > "{cgroup}/cgroup.procs"; exec "$0" program.py'
    with running(
        subprocess.Popen(
            ["/bin/sh", "-c", join, sys.executable],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )
    ) as process:
        assert process.wait(DEADLINE_S) == -signal.SIGKILL
    found = report(tmp_path / "ledger").sections[0].post_mortem

    assert found is not None
    assert "was killed by the kernel for lack of memory (SIGKILL), at " in found.sentence
    assert "MiB of 110 MiB; program.py:" in found.sentence
    assert found.line is not None
    assert found.line.line == KEEP_LINE
    assert found.cause == "out_of_memory"
