"""``memanalysis run``: the program is what it would have been, and its ledger holds every process of it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import running

from memanalysis.capture.sampler import why_unavailable
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.watcher.settings import TRACE_MODES

resource = pytest.importorskip("resource")

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are replaced on POSIX alone")


@pytest.fixture
def run_watched(tmp_path):
    def run(source, *arguments, options=(), check=False):
        (tmp_path / "program.py").write_text(source)
        command = [sys.executable, "-m", "memanalysis", "run", "--interval", "0.05", *options, "program.py", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE_S, cwd=tmp_path, env=_env(), check=check
        )

    return run


def _env():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def ledger(tmp_path):
    return lambda: open_ledger(tmp_path / "memanalysis-ledger")


@pytest.mark.slow
def test_code_arguments_and_output_are_the_programs_own(run_watched, ledger):
    done = run_watched(
        "import sys\n"
        "print(sys.argv, __name__, sys.path[0])\n"
        "print('to the error stream', file=sys.stderr)\n"
        "sys.exit(7)\n",
        "--ledger", "theirs", "-m", "x",
    )  # fmt: skip

    assert done.returncode == 7
    assert done.stdout.startswith("['program.py', '--ledger', 'theirs', '-m', 'x'] __main__ ")
    assert done.stderr == "to the error stream\n"
    assert ledger().runs["service"].tolist() == ["program"]
    assert ledger().runs["ended"].notna().all()


@pytest.mark.slow
@pytest.mark.parametrize("trace", [mode for mode in TRACE_MODES if mode != "sampled" or why_unavailable() is None])
def test_every_way_of_tracing_is_an_option_and_is_recorded(run_watched, ledger, trace):
    done = run_watched("import time\ntime.sleep(0.3)\n", options=("--trace", trace))

    assert (done.returncode, done.stderr) == (0, "")
    engine = ("sampled" if why_unavailable() is None else "windows") if trace == "auto" else trace
    assert ledger().runs["trace"].tolist() == [engine]


@pytest.mark.slow
def test_an_error_of_the_program_shows_as_it_does_without_us(run_watched, tmp_path):
    source = "def fail():\n    raise ValueError('theirs')\nfail()\n"
    done = run_watched(source)
    plain = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True, cwd=tmp_path, check=False)

    assert (done.returncode, done.stderr) == (plain.returncode, plain.stderr)


@pytest.mark.slow
def test_modules_run_as_with_python_m(tmp_path):
    (tmp_path / "app.py").write_text("import sys; print(sys.argv[1:], __name__)")
    done = subprocess.run(
        [sys.executable, "-m", "memanalysis", "run", "--service", "web", "-m", "app", "--port", "80"],
        capture_output=True, text=True, timeout=DEADLINE_S, cwd=tmp_path, env=_env(), check=True,
    )  # fmt: skip

    assert done.stdout == "['--port', '80'] __main__\n"
    assert open_ledger(tmp_path / "memanalysis-ledger").runs["service"].tolist() == ["web"]


@pytest.mark.slow
def test_a_signal_reaches_the_program_and_its_code_says_so(tmp_path):
    (tmp_path / "program.py").write_text("import time; print('ready', flush=True); time.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-m", "memanalysis", "run", "program.py"], stdout=subprocess.PIPE, cwd=tmp_path, env=_env()
    )
    with running(process):
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == -signal.SIGTERM

    assert len(open_ledger(tmp_path / "memanalysis-ledger").runs) == 1


WORK = """
import os, time
from pathlib import Path
def work():
    until = time.monotonic() + 60
    while time.monotonic() < until and not list(Path("memanalysis-ledger").rglob(f"*-{os.getpid()}-*")):
        time.sleep(0.05)
"""
"""A child works until it is recorded, however busy the machine is."""

CHILDREN = """
import multiprocessing, os, subprocess, sys
from children import work
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        workers = [multiprocessing.get_context(method).Process(target=work) for _ in range(2)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        print(*[worker.pid for worker in workers], flush=True)
    child = subprocess.Popen([sys.executable, "-c", "import children; children.work()"])
    child.wait()
    print(child.pid, flush=True)  # else the forked child has a copy to write
    forked = os.fork()
    if forked == 0:
        work()
        sys.exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 3
    print(forked, os.getpid())
"""


@pytest.mark.slow
def test_children_by_fork_spawn_and_subprocess_join_the_same_ledger(run_watched, ledger, tmp_path):
    (tmp_path / "children.py").write_text(WORK)
    done = run_watched(CHILDREN, check=True)

    pids = sorted(map(int, done.stdout.split()))
    runs = ledger().runs
    assert sorted(runs["pid"]) == pids
    assert len(pids) == 7
    assert runs["ended"].notna().all()
    assert set(runs["service"]) == {"program"}
    assert set(ledger().samples["run_id"]) == set(runs["run_id"])
    assert done.stderr == ""


SHORT_CHILDREN = """
import os, subprocess, sys
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    subprocess.run([sys.executable, "-c", "pass"], check=True)
print(os.getpid())
"""


@pytest.mark.slow
def test_children_that_end_before_their_first_tick_leave_nothing(run_watched, tmp_path, ledger):
    done = run_watched(SHORT_CHILDREN, options=("--interval", "30"), check=True)

    assert ledger().runs["pid"].tolist() == [int(done.stdout)]
    runs = [
        path for path in (tmp_path / "memanalysis-ledger").rglob("*.*") if path.parent.name.startswith("service_key=")
    ]
    assert len(runs) == len({path.parent for path in runs})  # one file a table


def test_a_new_python_loads_next_to_nothing_before_its_first_tick(run_watched):
    """What the program's child has loaded, beside what it has without us."""
    listing = "import sys; print(*sorted(sys.modules))"
    source = f"import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', {listing!r}], text=True))"
    watched = run_watched(source, options=("--interval", "30"), check=True)
    plain = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)

    loaded = set(watched.stdout.split()) - set(plain.stdout.split())
    assert {name for name in loaded if name.startswith("memanalysis")} == {
        "memanalysis", "memanalysis._forked_child", "memanalysis._version", "memanalysis.standard_library",
        "memanalysis.watcher", "memanalysis.watcher.joining", "memanalysis.watcher.run_request",
        "memanalysis.watcher.tick_loop",
    }  # fmt: skip
    assert not loaded & {"json", "re", "logging", "pathlib", "subprocess", "ctypes", "dataclasses", "inspect"}


def test_the_programs_own_sitecustomize_is_still_run(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('theirs')")
    (tmp_path / "program.py").write_text(
        "import sitecustomize, sys; print(sitecustomize.__file__, 'boot' in str(sys.path))"
    )
    done = subprocess.run(
        [sys.executable, "-m", "memanalysis", "run", "program.py"], capture_output=True, text=True,
        timeout=DEADLINE_S, cwd=tmp_path, env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines()[-1] == f"{tmp_path}/sitecustomize.py False"


def test_a_ledger_that_cannot_be_written_leaves_the_program_alone(run_watched, tmp_path):
    (tmp_path / "taken").write_text("a file")

    done = run_watched("print('all is well')", options=("--ledger", "taken"))

    assert (done.returncode, done.stdout) == (0, "all is well\n")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["missing.py"], "there is no file missing.py"),
        (["--check-leaks", "-m", "app"], "--check-leaks needs --policy"),
        (["--interval", "0", "-m", "app"], "watch needs interval of at least 0.01 s, but got 0.0"),
        (["--max-overhead", "2", "-m", "app"], "watch needs max_overhead above 0 and at most 1, but got 2.0"),
    ],
)
def test_wrong_options_are_reported_before_the_program_runs(tmp_path, options, text):
    done = subprocess.run(
        [sys.executable, "-m", "memanalysis", "run", *options],
        capture_output=True, text=True, timeout=DEADLINE_S, cwd=tmp_path, env=_env(), check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert text in done.stderr


def test_any_process_is_recorded_from_outside_with_its_children(tmp_path):
    (tmp_path / "parent.py").write_text(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "input()\n"
        "child.communicate(b'')\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "parent.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path,
        env=os.environ | {"MEMANALYSIS_RELEASE": "shop 1.4", "MEMANALYSIS_LABELS": "region=eu"},
    )  # fmt: skip
    with running(parent):
        child_pid = int(parent.stdout.readline())
        record = subprocess.Popen(
            [sys.executable, "-m", "memanalysis", "record", "--pid", str(parent.pid), "--children",
             "--interval", "0.05", "--ledger", "out"], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
            env=_env() | {"MEMANALYSIS_RELEASE": "that of the recorder"},
        )  # fmt: skip
        with running(record):
            _wait_for(lambda: _count_rows(tmp_path / "out") >= 6)
            parent.communicate(b"\n")
            printed = record.communicate(timeout=DEADLINE_S)[0]

    assert record.returncode == 0
    assert "of 2 processes" in printed
    ledger = open_ledger(tmp_path / "out")
    assert sorted(ledger.runs["pid"]) == sorted([parent.pid, child_pid])
    assert dict(zip(ledger.runs["pid"], ledger.runs["parent_pid"], strict=True)) == {
        parent.pid: os.getpid(), child_pid: parent.pid,
    }  # fmt: skip
    assert set(ledger.runs["service"]) == {"parent"}
    assert set(ledger.runs["release"]) == {"shop 1.4"}
    assert ledger.runs["labels"].tolist() == [{"region": "eu"}] * 2
    assert ledger.runs["ended"].notna().all()
    assert ledger.samples["rss_bytes"].gt(0).all()


@pytest.mark.parametrize("pid", ["999999999", "-1", "0", "99999999999999999999999"])
def test_a_pid_that_is_none_is_reported(tmp_path, pid):
    done = subprocess.run(
        [sys.executable, "-m", "memanalysis", "record", "--pid", pid],
        capture_output=True, text=True, timeout=DEADLINE_S, cwd=tmp_path, env=_env(), check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert done.stderr.startswith("memanalysis: error: ")
    assert f"there is none with pid {pid}" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_service_manager_ends_a_recording_in_order(tmp_path, number):
    with _start_recording(tmp_path) as record:
        _wait_for(lambda: _count_rows(tmp_path / "out") >= 2)
        record.send_signal(number)
        printed = record.communicate(timeout=DEADLINE_S)[0]

    assert record.returncode == 0
    assert "Verdict: memanalysis assess out" in printed
    assert open_ledger(tmp_path / "out").runs["ended"].notna().tolist() == [True]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_a_disk_that_is_full_for_a_while_ends_no_recording(tmp_path):
    """The kernel refuses every write (a limit on the size of files), at the start and again amid the recording."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    soft = (0, resource.RLIM_INFINITY)
    with _start_recording(tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, soft)) as record:
        assert "memanalysis goes on and tries again at each tick" in record.stderr.readline()
        resource.prlimit(record.pid, resource.RLIMIT_FSIZE, unlimited)
        assert "writes into out again" in record.stderr.readline()
        _wait_for(lambda: _count_rows(tmp_path / "out") >= 2)

        resource.prlimit(record.pid, resource.RLIMIT_FSIZE, soft)
        assert "memanalysis goes on and tries again at each tick" in record.stderr.readline()
        n_rows = _count_rows(tmp_path / "out")
        resource.prlimit(record.pid, resource.RLIMIT_FSIZE, unlimited)
        assert "writes into out again" in record.stderr.readline()
        _wait_for(lambda: _count_rows(tmp_path / "out") > n_rows)
        record.terminate()
        record.communicate(timeout=DEADLINE_S)

    assert record.returncode == 0
    ledger = open_ledger(tmp_path / "out")
    assert ledger.samples["seq"].tolist() == list(range(len(ledger.samples)))
    assert ledger.runs["ended"].notna().tolist() == [True]


@contextlib.contextmanager
def _start_recording(tmp_path, **options):
    """A recording of a process that waits, in folder `out`; both are ended on the way out.

    Under ``nohup`` a hang-up is ignored, and so it would be by what is started here.
    """
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    waiting = [sys.executable, "-c", "input()"]
    with running(subprocess.Popen(waiting, stdin=subprocess.PIPE)) as watched:
        command = [sys.executable, "-m", "memanalysis", "record", "--pid", str(watched.pid), "--interval", "0.05"]
        with running(subprocess.Popen(
            [*command, "--ledger", "out", "--service", "s"], cwd=tmp_path, env=_env(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )) as record:  # fmt: skip
            signal.signal(signal.SIGHUP, before)
            yield record
            record.kill()
        watched.communicate(b"\n")


def _wait_for(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _count_rows(folder):
    return sum(len(path.read_bytes().splitlines()) for path in folder.glob("live/samples/*/*.jsonl"))


@pytest.mark.slow
def test_labels_reach_every_process_of_the_program(run_watched, ledger):
    source = (
        "import subprocess, sys, time\n"
        "time.sleep(0.3)\n"
        "if len(sys.argv) == 1:\n"
        "    subprocess.run([sys.executable, 'program.py', 'child'], check=True)\n"
    )

    run_watched(source, options=("--label", "region=eu", "--label", "db_password=x"), check=True)

    assert ledger().runs["labels"].tolist() == [{"region": "eu", "db_password": "***"}] * 2


def test_a_label_without_a_value_is_one_error(run_watched, tmp_path):
    done = run_watched("", options=("--label", "region"))

    assert done.returncode == 2
    assert "--label needs key=value, but got 'region'" in " ".join(done.stderr.split())
    assert not (tmp_path / "memanalysis-ledger").exists()
