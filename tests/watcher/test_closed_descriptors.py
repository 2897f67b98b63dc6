"""A program that closes what it did not open, as daemons do, keeps its own files whole, and its ledger too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis.ledger.reading.ledger import open_ledger

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs there close what they opened")

OPEN_FILES = """
import os, resource, time
def take_all_descriptors():
    '''Close every descriptor, and open as many files: one has each number that was ours.'''
    os.closerange(3, 1024)
    files = [open(f"own-{n}.bin", "wb", buffering=0) for n in range(1021)]
    for file in files:
        file.write(b"HEADER")
    return files
def wait_for_rows(n, deadline=time.monotonic() + 60):
    import glob
    while time.monotonic() < deadline:
        names = glob.glob("ledger/live/samples/*/*.jsonl")
        if sum(open(name, "rb").read().count(b"\\n") for name in names) >= n:
            return
        time.sleep(0.02)
    raise SystemExit("no rows came")
def end(files):
    for file in files:
        file.write(b"END")
        file.close()
"""

WATCHED = (
    OPEN_FILES
    + """
from memanalysis import watch
recorder = watch("api", ledger="ledger", interval=0.02, trace="off")
recorder.start()
wait_for_rows(3)
files = take_all_descriptors()
for _ in range(20):  # the recorder needs a few for itself
    files.pop().close()
recorder.mark("after")
ticks = recorder.status().ticks
deadline = time.monotonic() + 60
while recorder.status().ticks < ticks + 5 and time.monotonic() < deadline:
    time.sleep(0.02)
recorder.stop()
end(files)
"""
)

RUN = (
    OPEN_FILES
    + """
wait_for_rows(3)
files = take_all_descriptors()
for _ in range(20):
    files.pop().close()
wait_for_rows(10)
end(files)
"""
)

DAEMON = (
    OPEN_FILES
    + """
import sys
from memanalysis import watch
recorder = watch("api", ledger="ledger", interval=0.02, trace="off")
WHEN = sys.argv[1]
if WHEN == "before":
    recorder.start()
    wait_for_rows(3)
waiting, writing_end = os.pipe()
if os.fork():
    os.close(writing_end)
    os.read(waiting, 1)  # until the daemon has ended
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
if WHEN == "after":
    recorder.start()
    wait_for_rows(3)
os.dup2(writing_end, 1000)
os.closerange(3, 1000)
null = os.open(os.devnull, os.O_RDWR)
for standard in (0, 1, 2):
    os.dup2(null, standard)
files = [open(f"own-{n}.bin", "wb", buffering=0) for n in range(400)]
for file in files:
    file.write(b"HEADER")
if WHEN == "before":
    recorder.start()
wait_for_rows(10)
recorder.stop()
end(files)
os._exit(0)
"""
)

DUP2 = (
    OPEN_FILES
    + """
from memanalysis import watch
recorder = watch("api", ledger="ledger", interval=0.02, trace="off")
recorder.start()
wait_for_rows(3)
own = open("own-0.bin", "wb", buffering=0)
own.write(b"HEADER")
links = {int(n): os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")}
taken = [n for n, link in links.items() if "/ledger/" in link or "/statm" in link]
assert len(taken) >= 4, taken
for number in taken:
    os.dup2(own.fileno(), number)
recorder.mark("after")
ticks = recorder.status().ticks
deadline = time.monotonic() + 60
while recorder.status().ticks < ticks + 5 and time.monotonic() < deadline:
    time.sleep(0.02)
assert recorder.status().rss_bytes > 2**20
recorder.stop()
for number in taken:
    os.fstat(number)
end([own])
"""
)


def run(folder: Path, source: str, *arguments: str, command: tuple[str, ...] = ()) -> None:
    program = folder / "program.py"
    program.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", *command, str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")


def check_own_files(folder: Path, n_least: int) -> None:
    contents = {path.name: path.read_bytes() for path in folder.glob("own-*.bin")}
    whole = [name for name, content in contents.items() if content == b"HEADEREND"]
    assert set(contents.values()) <= {b"HEADEREND", b"HEADER"}
    assert len(whole) >= n_least


def check_ledger(folder: Path) -> list[str]:
    ledger = open_ledger(folder / "ledger")
    assert ledger.damage == []
    for _, rows in ledger.samples.groupby("run_id"):
        assert rows["seq"].tolist() == list(range(len(rows)))
    return ledger.events["kind"].tolist()


@pytest.fixture
def enough_descriptors():
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1100 if hard == resource.RLIM_INFINITY else min(1100, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.usefixtures("enough_descriptors")
def test_a_program_that_takes_every_descriptor_keeps_its_files_and_its_rows(tmp_path: Path) -> None:
    run(tmp_path, WATCHED)

    check_own_files(tmp_path, 990)
    kinds = check_ledger(tmp_path)
    assert "descriptor" in kinds
    assert "mark" in kinds
    assert kinds[-1] == "stop"
    assert not list((tmp_path / "ledger").rglob("*.jsonl"))


@pytest.mark.slow
@pytest.mark.usefixtures("enough_descriptors")
def test_the_same_holds_under_run(tmp_path: Path) -> None:
    options = ("-m", "memanalysis", "run", "--ledger", "ledger", "--interval", "0.02", "--service", "api")
    run(tmp_path, RUN, command=options)

    check_own_files(tmp_path, 990)
    assert "descriptor" in check_ledger(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_daemon_that_forks_twice_keeps_its_files(tmp_path: Path, when: str) -> None:
    """It is watched before it forks and again in the daemon, or in the daemon before that closes everything."""
    run(tmp_path, DAEMON, when)

    check_own_files(tmp_path, 400)
    kinds = check_ledger(tmp_path)
    assert kinds[-1] == "stop"
    assert ("descriptor" in kinds) == (when == "after")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="numbers are found in /proc")
def test_a_file_that_is_put_onto_our_number_is_neither_written_nor_closed(tmp_path: Path) -> None:
    run(tmp_path, DUP2)

    check_own_files(tmp_path, 1)
    kinds = check_ledger(tmp_path)
    assert "descriptor" in kinds
    assert "mark" in kinds
