"""What ends a program elsewhere does not end it in the recorder's thread, and is not swallowed in the program's own."""

import ctypes
import os
import sys
import threading
from functools import partial
from importlib import import_module

import pytest

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.watcher.error_isolation import ErrorBoundary
from memanalysis.watcher.recorder import Recorder
from memanalysis.watcher.tick_loop import TickThread
from memanalysis.watcher.watch import watch


@pytest.fixture
def boundary():
    return ErrorBoundary("api", lambda what, error: None)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, ValueError])
def test_in_the_recorders_thread_all_that_ends_a_program_is_contained(boundary, kind):
    def work():
        with boundary.guard("tick"):
            raise kind("from a hook")

    thread = TickThread(work)
    thread.start()
    thread.join()

    assert (boundary.errors, boundary.last_error) == (1, f"{kind.__name__}: from a hook")


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_in_a_thread_of_the_program_they_are_the_programs(boundary, kind):
    def handle_signal():
        raise kind(3)

    with pytest.raises(kind), boundary.guard("tick"):
        handle_signal()
    assert boundary.errors == 0


def test_a_module_that_ends_the_program_as_it_is_imported_is_contained(tmp_path, monkeypatch):
    (tmp_path / "ends_the_program.py").write_text("raise SystemExit(1)")
    monkeypatch.syspath_prepend(tmp_path)

    settings = watch("api", ledger=tmp_path / "ledger").settings
    recorder = Recorder(settings, make_reader=partial(import_module, "ends_the_program"))

    assert recorder.start() is False
    assert recorder.status().last_error == "SystemExit: 1"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, ValueError])
def test_an_exception_thrown_into_the_waiting_thread_does_not_end_the_watching(record, wait_until, kind):
    recorder = record(trace="off")
    with recorder:
        thread = next(thread for thread in threading.enumerate() if isinstance(thread, TickThread))
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(kind))
        wait_until(lambda: recorder.status().errors == 1)
        ticks = recorder.status().ticks
        wait_until(lambda: recorder.status().ticks > ticks + 2)

        assert thread.is_alive()
    assert kind.__name__ in recorder.status().last_error


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_ticks_go_on_after_forks_and_children_have_no_thread(run_program, tmp_path):
    done = run_program(
        "import os, threading, time\n"
        "from memanalysis import watch\n"
        "recorder = watch('api', ledger='ledger', interval=0.02, seal=False)\n"
        "recorder.start()\n"
        "for _ in range(30):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os._exit(len(os.listdir('/proc/self/task')) if os.path.exists('/proc') else 1)\n"
        "    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1\n"
        "ticks, until = recorder.status().ticks, time.monotonic() + 60\n"
        "while recorder.status().ticks < ticks + 3 and time.monotonic() < until:\n"
        "    time.sleep(0.01)\n"
        "print(recorder.status().ticks >= ticks + 3, recorder.status().errors, threading.active_count())\n"
        "recorder.stop()\n"
    )

    assert (done.stdout, done.stderr) == ("True 0 2\n", "")
    samples = open_ledger(tmp_path / "ledger").samples
    assert samples["seq"].tolist() == list(range(len(samples)))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_that_ends_the_program_ends_it_amid_a_call_of_ours(run_program):
    """The handler runs in whatever the main thread does, here mostly in `mark`."""
    done = run_program(
        "import os, signal, sys, threading\n"
        "from memanalysis import watch\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(11))\n"
        "recorder = watch('api', ledger='ledger', seal=False, interval=0.05)\n"
        "recorder.start()\n"
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        "while True:\n"
        "    recorder.mark('m')\n",
        check=False,
    )

    assert (done.returncode, done.stderr) == (11, "")
