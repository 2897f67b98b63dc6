"""In somebody else's process: forks, kills, full disks and errors of its own; the program never notices."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from memanalysis.capture.sample import SampleReader
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.watcher.recorder import Recorder
from memanalysis.watcher.watch import watch

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


class FailingReader(SampleReader):
    """Fails on every reading but the first two."""

    def __init__(self):
        super().__init__()
        self.readings = 0

    def read(self, *, deep=False):
        self.readings += 1
        if self.readings > 2:
            raise OSError("the system does not show it")
        return super().read(deep=deep)


@pytest.mark.slow
@forks
def test_a_forked_child_is_not_watched_and_the_parent_goes_on(tmp_path, wait_until):
    recorder = watch("api", ledger=tmp_path / "ledger", interval=0.02, seal=False)
    with recorder:
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            time.sleep(0.1)
            answer = (recorder.status().running, tracemalloc.is_tracing(), recorder.stop(), recorder.mark("child"))
            os.write(write_end, repr(answer).encode())
            os._exit(0)
        os.close(write_end)
        answer = os.read(read_end, 200).decode()
        os.close(read_end)
        assert os.waitpid(pid, 0)[1] == 0
        ticks = recorder.status().ticks
        wait_until(lambda: recorder.status().ticks > ticks + 3)
        recorder.stop(seal=False)

    assert answer == "(False, False, False, False)"
    ledger = open_ledger(tmp_path / "ledger")
    assert ledger.runs["pid"].tolist() == [os.getpid()]
    assert ledger.samples["seq"].is_unique
    assert "child" not in ledger.events["message"].tolist()


@pytest.mark.slow
@forks
def test_a_child_forked_inside_a_with_block_leaves_it_quietly(run_program, tmp_path):
    """The child runs to its own end, through the block's exit and the exit handlers; the ledger is the parent's."""
    done = run_program(
        "import os, sys\n"
        "from memanalysis import watch\n"
        "with watch('api', ledger='ledger', interval=0.02):\n"
        "    pid = os.fork()\n"
        "    if pid:\n"
        "        assert os.waitpid(pid, 0)[1] == 0\n"
        "print('end', pid == 0)\n"
    )

    assert sorted(done.stdout.splitlines()) == ["end False", "end True"]
    assert done.stderr == ""
    ledger = open_ledger(tmp_path / "ledger")
    assert len(ledger.runs) == 1
    assert ledger.events["kind"].tolist() == ["start", "stop"]


@forks
def test_a_child_can_be_watched_by_a_recorder_of_its_own(run_program, tmp_path):
    run_program(
        "import os\n"
        "from memanalysis import watch\n"
        "recorder = watch('api', ledger='ledger', interval=0.02)\n"
        "recorder.start()\n"
        "pid = os.fork()\n"
        "if pid:\n"
        "    os.waitpid(pid, 0)\n"
        "else:\n"
        "    assert recorder.start()\n"
        "recorder.stop(seal=False)\n"
    )

    ledger = open_ledger(tmp_path / "ledger")
    assert ledger.runs["pid"].nunique() == 2
    assert ledger.runs["ended"].notna().all()
    assert ledger.samples.groupby("run_id")["seq"].min().tolist() == [0, 0]


@pytest.mark.slow
@forks
def test_forks_amid_ticks_and_calls_hang_nobody(run_program, tmp_path):
    """Locks that the recorder's thread holds at the fork are not held in the child."""
    done = run_program(
        "import os\n"
        "from memanalysis import watch\n"
        "recorder = watch('api', ledger='ledger', interval=0.01, snapshot_interval=0.01, trace='full')\n"
        "recorder.start()\n"
        "for _ in range(30):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        recorder.mark('m'); recorder.snapshot_now(); recorder.stop()\n"
        "        os._exit(0)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
        "recorder.stop(seal=False)\n"
        "print(recorder.status().errors)\n"
    )

    assert done.stdout == "0\n"
    assert len(open_ledger(tmp_path / "ledger").runs) == 1


@pytest.mark.slow
def test_a_killed_process_leaves_every_row_that_was_written(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(
        "import sys, time\n"
        "from memanalysis import watch\n"
        "recorder = watch('api', ledger='ledger', interval=0.02, snapshot_interval=0.1, trace='full')\n"
        "recorder.start()\n"
        "kept = bytearray(2_000_000)\n"
        "while recorder.status().ticks < 20 or recorder.status().snapshots < 2:\n"
        "    time.sleep(0.01)\n"
        "recorder.mark('before the end')\n"
        "print(recorder.status().ticks, flush=True)\n"
        "time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    with child:
        ticks = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)

    ledger = open_ledger(tmp_path / "ledger")
    assert len(ledger.samples) >= ticks
    assert ledger.samples["seq"].tolist() == list(range(len(ledger.samples)))
    assert ledger.sites["size_bytes"].max() > 2_000_000
    assert ledger.runs["ended"].isna().all()
    assert ledger.events["message"].tolist()[-1] == "before the end"


def test_a_ledger_that_cannot_be_made_is_named_in_the_log_and_raises_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    recorder = watch("api", ledger=tmp_path / "file" / "ledger")

    with caplog.at_level(logging.WARNING, logger="memanalysis"), recorder:
        assert recorder.mark("m") is False
        assert recorder.snapshot_now() is None

    assert not recorder.status().running
    assert not tracemalloc.is_tracing()
    assert "LedgerFormatError" in recorder.status().last_error
    assert len(caplog.records) == 1
    assert "could not start while watching 'api', and goes on" in caplog.text


def test_an_error_of_the_recorder_is_logged_once_counted_and_written(tmp_path, caplog, wait_until):
    settings = watch("api", ledger=tmp_path / "ledger", interval=0.02, trace="off", seal=False).settings
    recorder = Recorder(settings, make_reader=FailingReader)

    with caplog.at_level(logging.WARNING, logger="memanalysis"), recorder:
        wait_until(lambda: recorder.status().errors >= 5)

    assert len(caplog.records) == 1
    assert "OSError: the system does not show it" in caplog.text
    ledger = open_ledger(tmp_path / "ledger")
    errors = ledger.events[ledger.events["kind"] == "error"]
    assert errors["message"].tolist() == ["OSError: the system does not show it"]
    assert len(ledger.samples) == 2
    assert ledger.runs["ended"].notna().all()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")
def test_a_full_disk_does_not_reach_the_program(run_program, tmp_path):
    """The system refuses files beyond 20 kB: the program ends as if nothing was, and what fitted is readable."""
    done = run_program(
        "import logging, resource, signal, sys, time\n"
        "sys.dont_write_bytecode = True\n"  # Python 3.11 would leave half a .pyc in the package itself
        "from memanalysis import watch\n"
        "logging.basicConfig(format='%(message)s')\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "recorder = watch('api', ledger='ledger', interval=0.01, trace='off', top_types=0)\n"
        "with recorder:\n"
        "    while recorder.status().errors < 3:\n"
        "        time.sleep(0.01)\n"
        "print('all is well')\n"
    )

    assert done.stdout == "all is well\n"
    assert done.stderr.count("could not take a sample") == 1
    samples = open_ledger(tmp_path / "ledger").samples
    assert len(samples) > 10
    assert samples["seq"].tolist() == list(range(len(samples)))


@pytest.mark.slow
def test_what_the_recorder_keeps_does_not_grow_with_its_ticks(run_program):
    """Ticks by a clock moved by hand, half of them before it counts: what has a bound is full then."""
    done = run_program(
        "import gc, tracemalloc\n"
        "from dataclasses import replace\n"
        "from memanalysis import watch\n"
        "from memanalysis.analysis.series import live_series\n"
        "from memanalysis.capture.sample import Clock, SampleReader\n"
        "from memanalysis.watcher.live_verdict import LiveRun\n"
        "from memanalysis.watcher.observer import Observer\n"
        "from memanalysis.watcher.run_row import make_run_row\n"
        "live_series.MAX_POINTS_KEPT = 129\n"  # small, so that it does not matter when each series was folded last
        "now = [1000.0]\n"
        "clock = Clock(monotonic=lambda: now[0], wall=lambda: now[0] + 1_700_000_000.0)\n"
        "settings = watch('api', ledger='ledger', interval=1.0, snapshot_interval=25, trace='off').settings\n"
        "settings = replace(settings, kept_snapshots=20)\n"  # so that each is as large as the others
        "run = make_run_row('api', started=clock.wall())\n"
        "observer = Observer(settings, run=run, reader=SampleReader(clock=clock), clock=clock, live=LiveRun())\n"
        "observer.begin()\n"
        "def tick(times):\n"
        "    for _ in range(times):\n"
        "        now[0] += 1.0\n"
        "        observer.tick()\n"
        "tracemalloc.start(1)\n"
        "tick(2500)\n"
        "gc.collect()\n"
        "before, _ = tracemalloc.get_traced_memory()\n"
        "tick(2500)\n"
        "gc.collect()\n"
        "after, _ = tracemalloc.get_traced_memory()\n"
        "tracemalloc.stop()\n"
        "observer.close(seal=False)\n"
        "print(observer.ticks, after - before)\n"
    )
    ticks, retained_bytes = map(int, done.stdout.split())

    assert ticks == 5001
    assert retained_bytes < 50_000  # 20 bytes a tick


def test_stopping_from_its_own_thread_does_no_harm(tmp_path, wait_until):
    """A hook that runs in a tick may stop the recorder that ticks."""
    settings = watch("api", ledger=tmp_path / "ledger", interval=0.02, trace="off", seal=False).settings

    class StoppingReader(SampleReader):
        readings = 0

        def read(self, *, deep=False):
            self.readings += 1
            if self.readings == 3:
                recorder.stop(seal=False)
            return super().read(deep=deep)

    recorder = Recorder(settings, make_reader=StoppingReader)
    recorder.start()
    wait_until(lambda: "memanalysis-recorder" not in [thread.name for thread in threading.enumerate()])

    assert not recorder.status().running
    assert recorder.status().errors == 0
    assert open_ledger(tmp_path / "ledger").runs["ended"].notna().all()
