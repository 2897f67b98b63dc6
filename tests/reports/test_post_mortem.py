"""The first sentence on a run that died gives the cause, and names the line: real processes that end in real ways."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import running

from memanalysis.capture.fatal_signals import are_signals_seen
from memanalysis.capture.sampler import why_unavailable
from memanalysis.cli import main
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.reports.make_report import report
from memanalysis.units import MIB

pytestmark = pytest.mark.skipif(
    why_unavailable() is not None or not are_signals_seen(), reason="the compiled modules are not here"
)

ROOT = Path(__file__).parents[2]
HELD_BYTES = 60 * MIB
START = """
import os, resource, signal, sys, time
from memanalysis import watch
CACHE = []
recorder = watch("api", ledger="ledger", interval=0.05, release="1.4.2", seal=False)
recorder.start()
def keep():
    CACHE.append(bytearray(1024 * 1024))
for _ in range(60):
    keep()
    time.sleep(0.01)
time.sleep(0.4)
"""
KEEP_LINE = 1 + START.splitlines().index("    CACHE.append(bytearray(1024 * 1024))")
LIMIT = "resource.setrlimit(resource.RLIMIT_AS, (2 ** 31, 2 ** 31)); CACHE.append(bytearray(2 ** 31))"
WIDE_LIMIT = "import mmap, numpy; resource.setrlimit(resource.RLIMIT_AS, (2**36, 2**36)); "
ARRAY_REFUSED = WIDE_LIMIT + "CACHE.append(numpy.empty(2**36, 'u1'))"
MAPPING_REFUSED = WIDE_LIMIT + "CACHE.append(mmap.mmap(-1, 2**36))"
BUDGET = """
import memanalysis
with memanalysis.budget("160 MiB"):
    while True:
        keep()
        time.sleep(0.005)
"""
REFUSALS = (LIMIT, ARRAY_REFUSED, MAPPING_REFUSED, BUDGET)
GROWING_MAPPINGS = START.replace(
    "    CACHE.append(bytearray(1024 * 1024))",
    """    import mmap
    mapped = mmap.mmap(-1, 1024 * 1024)
    mapped.write(bytes(1024 * 1024))
    CACHE.append(mapped)""",
)
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
DEATHS = {
    "os.kill(os.getpid(), signal.SIGKILL)": "ended at once, by SIGKILL from outside or by os._exit()",
    "os.kill(os.getpid(), signal.SIGTERM)": "was ended by SIGTERM, sent by process",
    'raise RuntimeError("no queue")': "ended with RuntimeError: no queue at program.py:",
    LIMIT: "ended with MemoryError at program.py:",
    ARRAY_REFUSED: "._ArrayMemoryError: Unable to allocate 64.0 GiB",
    MAPPING_REFUSED: "ended with OSError: [Errno 12] Cannot allocate memory at program.py:",
}


def die(tmp_path, source, *, start=START):
    (tmp_path / "program.py").write_text(start + source + "\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(
        subprocess.Popen([sys.executable, "program.py"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    ) as process:
        process.wait(60)
    return tmp_path / "ledger"


@pytest.mark.slow
@pytest.mark.parametrize("source", DEATHS)
def test_each_death_has_its_own_first_sentence_with_the_line_and_what_it_holds(tmp_path, source):
    made = report(die(tmp_path, source))
    found = made.sections[0].post_mortem

    assert found is not None
    assert DEATHS[source] in found.sentence
    assert "release 1.4.2" in found.sentence
    assert made.headline == found.sentence
    assert found.line is not None
    assert found.line.line == KEEP_LINE
    assert abs(found.line.held_bytes - HELD_BYTES) < 0.3 * HELD_BYTES
    held, caller, *raised = [each.render().splitlines() for each in found.sources]
    assert held[0] == f"Holds the memory: program.py:{KEEP_LINE}"
    assert ">  8     CACHE.append(bytearray(1024 * 1024))" in held
    assert caller[0].startswith("Called from program.py:")
    assert any(line.startswith("> ") and line.endswith("keep()") for line in caller)
    assert [lines[0].startswith("Raised at program.py:") for lines in raised] == [True] * ("Error" in found.sentence)
    assert any(step.startswith(f"Start at program.py:{KEEP_LINE}, called from ") for step in found.next_steps)
    assert "\n&gt;  8     CACHE.append(bytearray(1024 * 1024))\n" in made.to_html()


@pytest.mark.slow
@pytest.mark.parametrize("source", REFUSALS, ids=["Python", "NumPy", "mmap", "a budget"])
def test_where_memory_was_refused_its_growth_comes_first(tmp_path, source):
    found = report(die(tmp_path, source)).sections[0].post_mortem

    assert found is not None
    assert found.next_steps[0].startswith(f"Start at program.py:{KEEP_LINE}, called from ")
    assert "nothing to do with it" not in " ".join(found.next_steps)
    assert found.cause == ("exception" if source == BUDGET else "memory_limit")


@pytest.mark.slow
def test_growth_outside_python_is_called_native_where_python_was_followed(tmp_path):
    found = report(die(tmp_path, KILL, start=GROWING_MAPPINGS)).sections[0].post_mortem

    assert found is not None
    assert found.next_steps[0].startswith("Check the native library: Python's objects do not carry the growth.")
    assert "memray run --native" in found.next_steps[0]
    assert "MALLOC_ARENA_MAX=2" in found.next_steps[0]
    assert 'trace="auto"' not in " ".join(found.next_steps)


@pytest.mark.slow
def test_a_run_that_followed_no_lines_is_to_be_recorded_with_them(tmp_path):
    start = START.replace("seal=False", 'seal=False, trace="off"')
    found = report(die(tmp_path, KILL, start=start)).sections[0].post_mortem

    assert found is not None
    assert found.next_steps[0] == 'Record the next run with trace="auto", which names the line that grows.'


IN_WINDOWS = """
import os, signal, time
from memanalysis import watch
CACHE = []
recorder = watch("api", ledger="ledger", interval=0.2, trace="windows", max_overhead=1.0, seal=False)
recorder.start()
def keep():
    CACHE.append(bytearray(200_000))
while recorder.status().ticks < 28:
    keep()
    time.sleep(0.005)
"""
WINDOWED_LINE = 1 + IN_WINDOWS.splitlines().index("    CACHE.append(bytearray(200_000))")


@pytest.mark.slow
def test_a_death_before_growth_was_believed_names_the_line_that_an_early_window_saw(tmp_path):
    """Growth is believed after thirty ticks; the program ends before the 29th."""
    ledger = die(tmp_path, KILL, start=IN_WINDOWS)
    found = report(ledger).sections[0].post_mortem

    assert "growth" not in set(open_ledger(ledger).read("events")["kind"])
    assert found is not None
    assert found.line is not None
    assert (found.line.function, found.line.line) == ("keep", WINDOWED_LINE)
    assert f"program.py:{WINDOWED_LINE} in keep holds" in found.sentence


@pytest.mark.slow
def test_a_run_whose_verdict_names_no_line_has_that_of_its_post_mortem_in_the_table(tmp_path):
    made = report(die(tmp_path, KILL))
    rows = [line for line in made.to_markdown().splitlines() if line.startswith("| api")]

    assert made.verdicts["responsible_file"].isna().all()
    assert len(rows) == 1
    assert f"program.py:{KEEP_LINE}" in rows[0]
    assert "held most" in rows[0]
    assert f"program.py:{KEEP_LINE}" in made.to_html().split("<table", 2)[1]


@pytest.mark.slow
def test_a_program_that_ended_in_order_has_none(tmp_path):
    assert report(die(tmp_path, "")).sections[0].post_mortem is None


@pytest.mark.slow
def test_without_source_no_code_and_no_folder_is_shown(tmp_path):
    made = report(die(tmp_path, BUDGET), source=False)

    assert "ended with memanalysis.errors.MemoryBudgetExceeded at program.py:" in made.headline
    for text in (made.to_html(), made.to_markdown(), made.to_json()):
        assert "CACHE.append" not in text
        assert str(tmp_path) not in text
        assert "program.py" in text


@pytest.mark.slow
def test_every_format_has_what_to_do_next_and_assess_the_first_sentence(tmp_path, capsys):
    made = report(die(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)"))

    for text in (made.to_html(), made.to_markdown()):
        assert text.count("What to do next") == 1
        assert text.index("What to do next") < text.index("guilty line")
    assert '"next_steps": [' in made.to_json()
    assert main(["assess", str(tmp_path / "ledger")]) == 0
    assert f"Died: {made.sections[0].post_mortem.sentence}" in " ".join(capsys.readouterr().out.split())


FORKING = """
import os, time
child = os.fork()
if child == 0:
    time.sleep(1)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_a_worker_that_leaves_by_os_exit_is_no_death(tmp_path):
    """As forked workers of many servers do; it leaves the traces of a kill, which are none."""
    (tmp_path / "program.py").write_text(FORKING)
    command = [sys.executable, "-m", "memanalysis", "run", "--interval", "0.05", "--ledger", "ledger", "program.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=60)
    made = report(tmp_path / "ledger")

    assert len(made.verdicts) >= 2
    assert [section.post_mortem for section in made.sections] == [None] * len(made.sections)
